# SPDX-License-Identifier: Apache-2.0
"""Tests of `./dev campaign fleet`: a small one passes, and one whose rollout does not stop, or whose counts are wrong, does not."""

import random

import pytest

from tests.campaigns import fleet
from tests.tools.fleet import FleetServer

# Half of eight fail and a quarter is too much: whatever the order, it stops before the last.
SMALL = ["--agents", "8", "--failures", "50", "--threshold", "25", "--min-executed", "2", "--rate", "30", "--count", "1"]


def run(binary, scratch):
    return fleet.campaign(binary, scratch, fleet.parse_arguments(SMALL), random.Random(7))


def figures_of(output):
    line = next(line for line in output.splitlines() if line.startswith("good_reached="))
    return dict(word.split("=") for word in line.split())


def test_a_small_campaign_passes_and_its_figures_add_up(binary, scratch, capsys):
    passed = run(binary, scratch)
    output = capsys.readouterr().out
    assert passed, output
    figures = figures_of(output)
    assert figures["good_reached"] == "8" and figures["violations"] == "0"
    assert int(figures["succeeded"]) + int(figures["failed"]) == int(figures["reached"]) < 8
    assert int(figures["reached"]) + int(figures["cancelled"]) == 8
    assert float(figures["stopped_at_percent"]) >= 25


def test_a_rollout_that_does_not_stop_fails_the_campaign(binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(fleet, "plan", lambda arguments: ["--rate", "1000"])
    assert not run(binary, scratch)
    assert "was not stopped at 25 %" in capsys.readouterr().out


class MiscountingServer(FleetServer):
    """Says that one more was spared than was."""

    def job(self, name):
        job = super().job(name)
        job["counts"]["canceled"] += 1
        return job


@pytest.mark.parametrize("liar", [MiscountingServer], ids=["a server that miscounts"])
def test_a_campaign_whose_server_lies_fails(liar, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(fleet, "FleetServer", liar)
    assert not run(binary, scratch)
    assert "the server counts" in capsys.readouterr().out
