# SPDX-License-Identifier: Apache-2.0
"""python3 -m tests.golden -u writes the golden outputs anew; look at the difference before you commit it."""

import sys

from tests.golden.golden import update

if sys.argv[1:] != ["-u"]:
    sys.exit("usage: python3 -m tests.golden -u      (to compare: python3 -m pytest tests/golden)")
update()
