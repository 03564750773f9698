# SPDX-License-Identifier: Apache-2.0
"""A short run of `./dev campaign links`, and that its judges see a link that is not used and readings that are late. (What is lost,
doubled or out of order is tests/tools/history.py's to see, which test_checker.py shows.)"""

import json
import random

import pytest

from tests.campaigns import links
from tests.tools import shaped_link
from tests.tools.consumer import Arrival, Consumer

needs_a_road = pytest.mark.skipif(shaped_link.unavailable_because() is not None, reason=str(shaped_link.unavailable_because()))
SHORT = ["--count", "1", "--seconds", "4", "--backlog-seconds", "12", "--backlog-series", "50", "--rate", "40000"]


def run(binary, scratch, *words):
    return links.campaign(binary, scratch, links.parse_arguments([*SHORT, *words]), random.Random(1))


def not_of_speed(violations):
    """A short run on a busy machine says little about the use of the link and the age of readings: those are the campaign's."""
    return [violation for violation in violations if " of the link" not in violation and " s old " not in violation]


@needs_a_road
@pytest.mark.parametrize("scene", ["partition", "loss"])
def test_nothing_is_lost_on_a_bad_road(binary, scratch, scene):
    figures, violations = run(binary, scratch, "--scenes", scene)
    assert not not_of_speed(violations)
    assert figures["readings"] > 100


@needs_a_road
def test_a_backlog_drains_over_a_narrow_link(binary, scratch):
    figures, violations = run(binary, scratch, "--scenes", "backlog")
    assert not not_of_speed(violations)
    assert figures["link_used_min_percent"] > 0 and figures["live_age_max_ms"] > 0


@needs_a_road
def test_the_judge_sees_a_link_that_is_not_used(binary, scratch, monkeypatch):
    honest = shaped_link.ShapedLink.shape
    monkeypatch.setattr(shaped_link.ShapedLink, "shape",
                        lambda self, loss=0.0, delay=0.0, rate=0.0: honest(self, loss, delay, rate / 2))
    _, violations = run(binary, scratch, "--scenes", "backlog", "--backlog-series", "20")
    assert any("of the link" in violation for violation in violations), violations


@needs_a_road
def test_alerts_pass_a_backlog_on_a_slow_link(binary, scratch):
    figures, violations = run(binary, scratch, "--scenes", "alerts_64k", "--backlog-seconds", "60")
    assert not not_of_speed(violations)
    assert figures["alerts_64k_alerts"] >= 5 and figures["alerts_64k_median_max_ms"] > 0


@needs_a_road
def test_a_day_of_readings_drains_over_a_narrow_link(binary, scratch):
    figures, violations = run(binary, scratch, "--scenes", "day", "--day-series", "20", "--day-interval", "600")
    assert not not_of_speed(violations)
    assert figures["backlog_hours_max"] == 24 and figures["day_pss_max_kib"] > 0


def arrival(received, taken):
    return Arrival(received, "t", json.dumps({"time": {"boot_ms": round(taken * 1000)}, "times": [[0]]}).encode())


def test_the_age_of_the_newest_reading_is_seen():
    newest_first = [arrival(100, 99.5), arrival(101, 100.5), arrival(101.5, 10), arrival(102, 101.5)]
    assert links.live_age(newest_first, 100, 102.5) == pytest.approx(1.5)
    assert links.live_age(newest_first[:2] + [arrival(107 + i, 10 + i) for i in range(3)], 100, 110) == pytest.approx(9.5)
    oldest_first = [arrival(100 + i, 10 + i) for i in range(20)]
    assert links.live_age(oldest_first, 100, 120) > links.LIVE_AGE_MAX


def test_the_age_of_alerts_is_seen():
    def alert(received, raised, lane="alert"):
        document = {"time": {"boot_ms": round(raised * 1000) - 500}, "events": [{"t": 500}]}
        return Arrival(received, f"t/{lane}", json.dumps(document).encode())

    arrivals = [alert(101, 100.5), alert(106, 101), alert(107, 99), alert(111, 105), alert(104, 101, "event"), alert(108, 106.5)]
    ages = links.alert_ages(arrivals, 100, 110)
    assert [found.age for found in ages] == pytest.approx([0.5, 5, 1.5])
    older = [len(arrival.payload) for arrival in arrivals]
    assert [found.bytes_of_older_alerts for found in ages] == [0, 0, older[2]]


def test_readings_of_the_day_before_are_counted_once():
    def message(seq, boot):
        document = {"boot": boot, "epoch": "e", "seq": seq, "series": [{"samples": {"v": [1, 2]}}, {"summaries": []}]}
        return Arrival(1, "t", json.dumps(document).encode())

    arrivals = [message(1, "another"), message(2, "another"), message(2, "another"), message(3, links.boot_id())]
    assert links.readings_of_other_boots(arrivals) == 4
