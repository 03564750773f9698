# SPDX-License-Identifier: Apache-2.0
"""Doubles of cloud services, strict enough to refuse what the service would refuse, behind a real mosquitto."""
