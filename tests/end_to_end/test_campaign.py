# SPDX-License-Identifier: Apache-2.0
"""Tests of `./dev campaign kill`: a short one passes, and one in which something is really lost does not."""

import contextlib
import dataclasses
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
                outbox.execute("DELETE FROM body")  # rows alone are noticed, and come back
            assert deleted > 0, "nothing waited, so nothing was lost"
        return super().start()


class LazyAgent(Agent):
    """Commits once at its start and then once an hour, whatever it was told."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **{**options, "flush_interval": 3600})


class SlowAgent(Agent):
    """Commits four times as seldom as it was told: too little for any single kill to tell."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **{**options, "flush_interval": 4 * options["flush_interval"]})


class MiscountingAgent(Agent):
    """Says of its third life's first segment that it bears one reading more than it does."""

    def durable_segments(self, number=None):
        segments = super().durable_segments(number)
        if number == 3:
            segments[0] = dataclasses.replace(segments[0], readings=segments[0].readings + 1)
        return segments


def run(binary, scratch, seed=205):
    """Six lives, two of them longer than what a kill may take, and one so long that it may not leave nothing."""
    return kill.campaign(binary, scratch, kill.parse_arguments(SHORT), random.Random(seed))


def figures_of(output):
    """The line of figures, of which violations may stand below."""
    line = next(line for line in output.splitlines() if line.startswith("kills="))
    return dict(word.split("=") for word in line.split())


def test_a_short_campaign_passes_and_prints_figures_that_add_up(binary, scratch, capsys):
    assert run(binary, scratch), capsys.readouterr().out
    figures = figures_of(capsys.readouterr().out)
    assert figures["kills"] == "6" and figures["lost"] == "0" and figures["counts_add_up"] == "yes"
    assert figures["received"] == figures["counted_by_values"] == figures["counted_by_log"] != "0"
    assert int(figures["segments"]) >= int(figures["segments_required"]) > 10
    assert int(figures["lives_long_enough_to_tell"]) >= 1


@pytest.mark.parametrize("name, liar", [("Consumer", InattentiveConsumer), ("Agent", HastyAgent)],
                         ids=["a consumer that drops a message", "an agent that deletes too early"])
def test_a_campaign_that_lost_something_fails(name, liar, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(kill, name, liar)
    monkeypatch.setattr(kill, "DRAIN_SECONDS_MAX", 3)
    assert not run(binary, scratch)
    output = capsys.readouterr().out
    assert "LOST" in output
    assert figures_of(output)["counts_add_up"] == "NO"


@pytest.mark.parametrize("liar, words", [
    (LazyAgent, ["after its newest reading that arrived", "became durable"]),
    (SlowAgent, ["were durable within", "became durable"]),
    (MiscountingAgent, ["bears", "counts do not add up"]),
], ids=["commits nothing more before it is killed", "commits too seldom", "counts one too many"])
def test_a_campaign_with_an_agent_that_breaks_its_promise_fails(liar, words, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(kill, "Agent", liar)
    assert not run(binary, scratch)
    output = capsys.readouterr().out
    for word in words:
        assert word in output, output
