# SPDX-License-Identifier: Apache-2.0
"""Prints what breaks a house rule: `python3 -m tests.house_rules [ROOT]`. Ends with 1 if anything does."""

import pathlib
import sys

from . import rules

root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
found = [violation for violations in rules.check(root).values() for violation in violations]
for violation in found:
    print(violation)
sys.exit(1 if found else 0)
