# SPDX-License-Identifier: Apache-2.0
"""Folders that hold no Python tests. Captured trees must not be walked: the links of a real /sys lead in
circles, and pytest would follow them for hours."""

collect_ignore = ["captured", "bench", "campaigns", "support", "tools"]
