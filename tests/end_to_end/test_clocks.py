# SPDX-License-Identifier: Apache-2.0
"""A short run of the binary's part of `./dev campaign clocks`, and that its judge sees a kernel that vouches for any time."""

import random

import pytest

from tests.campaigns import clocks
from tests.tools import own_clock

needs_a_clock = pytest.mark.skipif(own_clock.unavailable_because() is not None, reason=str(own_clock.unavailable_because()))


@needs_a_clock
def test_readings_say_how_wrong_their_time_may_be_whatever_the_clock_does(binary, scratch):
    figures, violations = clocks.with_the_binary(binary, scratch, random.Random(1), steps=8)
    assert not violations
    assert figures["scenes"] == 3
    assert figures["untrusted"] > 0 and figures["corrected"] > 0, figures


@needs_a_clock
def test_the_judge_sees_a_time_that_is_wrong_and_called_right(binary, scratch):
    _, violations = clocks.with_the_binary(binary, scratch, random.Random(1), steps=8, believed=True, scenes=(clocks.stepped,))
    assert any("is wrong by" in violation for violation in violations), violations
