# SPDX-License-Identifier: Apache-2.0
"""Tests of `./dev campaign brokers`: a short one passes; one that lost something, and one in which the agent stood still for a
while or kept what it should have given back, does not."""

import os
import random
import signal
import time

import pytest

from tests.campaigns import brokers
from tests.tools.consumer import Consumer

SHORT = "acknowledges_nothing,silent_in_a_puback,silent_in_the_handshake,floods_with_one_huge_packet,hangs_up_on_every_publish"


class InattentiveConsumer(Consumer):
    """Acknowledges every message and forgets the fifth."""

    def snapshot(self):
        arrivals = super().snapshot()
        fifth = arrivals[4].payload if len(arrivals) > 4 else b""
        return [arrival for arrival in arrivals if arrival.payload != fifth]


class Stalling(brokers.Trial):
    """Holds the whole agent for a second and a half: what a broker that it waits for would do."""

    def bad(self, name, round_number, watch):
        os.kill(self.agent.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(self.agent.pid, signal.SIGCONT)
        super().bad(name, round_number, watch)


class Growing(brokers.Watch):
    """As if the agent had 2 MiB more each time it is looked at."""
    more = 0

    def pss_kib(self):
        self.more += 2048
        return super().pss_kib() + self.more


def run(binary, scratch, names):
    arguments = brokers.parse_arguments(["--seconds", "2", "--brokers", names])
    return brokers.campaign(binary, scratch, arguments, random.Random(11))


def figures_of(output):
    line = next(line for line in output.splitlines() if line.startswith("brokers="))
    return dict(word.split("=") for word in line.split())


def test_a_short_campaign_passes_and_prints_its_figures(binary, scratch, capsys):
    passed = run(binary, scratch, SHORT)
    output = capsys.readouterr().out
    assert passed, output
    figures = figures_of(output)
    assert figures["brokers"] == "5" and figures["lost"] == "0" and figures["violations"] == "0"
    assert figures["readings_missed_in_a_row"] == "0" and int(figures["readings"]) > 500


@pytest.mark.parametrize("name, liar, words", [
    ("Consumer", InattentiveConsumer, "LOST"),
    ("Trial", Stalling, "sampling paused"),
    ("Watch", Growing, "memory grew"),
], ids=["a consumer that forgets a message", "an agent that stands still", "an agent that grows"])
def test_a_campaign_with_a_fault_fails(name, liar, words, binary, scratch, monkeypatch, capsys):
    monkeypatch.setattr(brokers, name, liar)
    monkeypatch.setattr(brokers, "DELIVERY_SECONDS_MAX", 5)
    assert not run(binary, scratch, "acknowledges_nothing")
    assert words in capsys.readouterr().out
