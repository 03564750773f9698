# SPDX-License-Identifier: Apache-2.0
"""Tests of `./dev campaign disks`: a short one passes; one that lost something, in which the agent stood still, or whose complaint
does not say what to do, does not."""

import contextlib
import os
import random
import signal
import sqlite3
import time

import pytest

from tests.campaigns import disks
from tests.end_to_end.test_brokers_campaign import InattentiveConsumer
from tests.tools import failing_calls, own_disk
from tests.tools.agent import Agent

pytestmark = pytest.mark.skipif(bool(own_disk.unavailable_because() or failing_calls.unavailable_because()),
                                reason=str(own_disk.unavailable_because() or failing_calls.unavailable_because()))


class Stalling(disks.Trial):
    """Holds the whole agent for a second and a half: what a disk that it waits for would do."""

    def _look(self):
        os.kill(self.agent.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(self.agent.pid, signal.SIGCONT)
        super()._look()


class HastyAgent(Agent):
    """Deletes before the broker has acknowledged: what waits at its second start is gone."""

    def start(self):
        if len(self.runs) == 1:
            with contextlib.closing(sqlite3.connect(self.state_directory / "outbox.db")) as outbox, outbox:
                assert outbox.execute("DELETE FROM segment").rowcount > 0, "nothing waited, so nothing was lost"
                outbox.execute("DELETE FROM body")  # rows alone are noticed, and come back
        return super().start()


@pytest.fixture(autouse=True)
def a_busy_machine(monkeypatch):
    """Other tests run beside this one: an agent that stands still does so for longer than a second."""
    monkeypatch.setattr(disks, "GAP_INTERVALS_MAX", 10)


def run(binary, scratch, scenes, links="away"):
    arguments = disks.parse_arguments(["--away", "1,2", "--jobs", "4", "--scenes", scenes, "--links", links])
    return disks.campaign(binary, scratch, arguments, random.Random(3))


def figures_of(output):
    line = next(line for line in output.splitlines() if line.startswith("disks="))
    return dict(word.split("=") for word in line.split())


def test_a_short_campaign_passes_and_prints_its_figures(binary, scratch, capsys):
    passed = run(binary, scratch, "pulled_out,directory_deleted,read_only,every_sync_fails")
    output = capsys.readouterr().out
    assert passed, output
    figures = figures_of(output)
    assert figures["disks"] == "4" and figures["violations"] == "0" and int(figures["readings"]) > 1000
    assert int(figures["missing"]) == int(figures["told"]) > 0, "the deleted directory had something in it"


@pytest.mark.parametrize("name, liar, words", [
    ("Consumer", InattentiveConsumer, "LOST"),
    ("Trial", Stalling, "sampling paused"),
    ("Agent", HastyAgent, "LOST"),
], ids=["a consumer that forgets a message", "an agent that stands still", "an agent that loses what waits"])
def test_a_campaign_with_a_fault_fails(name, liar, words, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(disks, name, liar)
    monkeypatch.setattr(disks, "DELIVERY_SECONDS_MAX", 5)
    assert not run(binary, scratch, "pulled_out")
    assert words in capsys.readouterr().out


def test_a_complaint_that_does_not_say_what_to_do_is_a_violation(binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(disks, "SAID_SECONDS_MAX", 1)
    monkeypatch.setitem(disks.SCENES, "pulled_out", (disks.pulled_out, ("call your vendor",)))
    assert not run(binary, scratch, "pulled_out", links="up")
    assert "no line of the log says call your vendor" in capsys.readouterr().out
