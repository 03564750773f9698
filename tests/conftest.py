# SPDX-License-Identifier: Apache-2.0
"""Folders that hold no Python tests. Captured trees must not be walked: the links of a real /sys lead in
circles, and pytest would follow them for hours."""


def pytest_collection_modifyitems(items):
    """The long ones first: the short ones fill what is left when several run at a time."""
    items.sort(key=lambda item: "end_to_end" not in item.nodeid)


collect_ignore = ["captured", "bench", "campaigns", "support", "tools"]
