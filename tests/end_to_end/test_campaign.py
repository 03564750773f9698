# SPDX-License-Identifier: Apache-2.0
"""Tests of `./dev campaign kill`: a short one passes, and one in which something is really lost does not."""

import contextlib
import random
import sqlite3

import pytest

from tests.campaigns import kill
from tests.tools.agent import Agent
from tests.tools.consumer import Consumer

SHORT = ["--count", "6", "--outage", "2", "--series", "4"]


class InattentiveConsumer(Consumer):
    """Acknowledges every message and forgets the fifth."""

    def snapshot(self):
        arrivals = super().snapshot()
        fifth = arrivals[4].payload
        return [arrival for arrival in arrivals if arrival.payload != fifth]


class HastyAgent(Agent):
    """Deletes before the broker has acknowledged: what waits at its third start is gone."""

    def start(self):
        if len(self.runs) == 2:
            with contextlib.closing(sqlite3.connect(self.state_directory / "outbox.db")) as outbox, outbox:
                deleted = outbox.execute("DELETE FROM segment").rowcount
            assert deleted > 0, "nothing waited, so nothing was lost"
        return super().start()


def run(binary, scratch, seed=7):
    return kill.campaign(binary, scratch, kill.parse_arguments(SHORT), random.Random(seed))


def test_a_short_campaign_passes_and_prints_figures_that_add_up(binary, scratch, capsys):
    assert run(binary, scratch), capsys.readouterr().out
    last = capsys.readouterr().out.splitlines()[-1]
    figures = dict(word.split("=") for word in last.replace("~", "=").split())
    assert figures["kills"] == "6" and figures["lost"] == "0" and figures["counts_add_up"] == "yes"
    assert int(figures["received"]) == (int(figures["durable"])
                                        + int(figures["durable_but_killed_before_the_log_line"])) > 0


@pytest.mark.parametrize("name, liar", [("Consumer", InattentiveConsumer), ("Agent", HastyAgent)],
                         ids=["a consumer that drops a message", "an agent that deletes too early"])
def test_a_campaign_that_lost_something_fails(name, liar, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(kill, name, liar)
    monkeypatch.setattr(kill, "DRAIN_SECONDS_MAX", 3)
    assert not run(binary, scratch)
    assert "LOST" in capsys.readouterr().out
