# SPDX-License-Identifier: Apache-2.0
"""A short run of `./dev campaign vm_clocks`, and that its judge sees a kernel that vouches for a wrong time. Stage arm runs this folder:
it needs the aarch64 build."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import vm_clocks  # noqa: E402
from tests.tools import arm_board  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

# A machine that compiles beside it holds the whole board up now and then; the campaign itself allows two intervals.
PAUSE_SECONDS_MAX = 20


@pytest.fixture(scope="module", autouse=True)
def needs_a_board():
    reason = arm_board.unavailable_because()
    if reason is None and not os.access(vm_clocks.BINARY, os.X_OK):
        reason = "needs the aarch64 binary: ./dev build cross-aarch64 fieldpost"
    if reason:
        pytest.skip(reason)


def run(*words):
    with Scratch("vm") as scratch:
        return vm_clocks.campaign(vm_clocks.parse_arguments(["--count", "1", "--scenes", "late_time", *words]), scratch, random.Random(1),
                                  PAUSE_SECONDS_MAX)


def test_a_board_that_starts_in_1970_sends_the_right_time_once_it_is_known():
    figures, violations = run()
    assert not violations
    assert figures["untrusted"] > 0 and figures["corrected"] > 0, figures


def test_the_judge_sees_a_kernel_that_vouches_for_a_wrong_time():
    _, violations = run("--break", "believe")
    assert any("is trusted and wrong by" in violation for violation in violations), violations
