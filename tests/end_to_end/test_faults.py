# SPDX-License-Identifier: Apache-2.0
"""Tests of the part of `./dev campaign faults` that has the real agent: a few faults leave it well; an agent that crashed, hung or
lost something is found out."""

import random
import signal

import pytest

from tests.campaigns import faults_binary
from tests.tools import failing_calls

pytestmark = pytest.mark.skipif(bool(failing_calls.unavailable_because()), reason=str(failing_calls.unavailable_because()))


def test_some_faults_are_survived(binary, capsys):
    figures, content = faults_binary.run(random.Random(8), 10, binary=binary, jobs=5)
    assert content, capsys.readouterr().out
    assert figures["faults"] == 10 and figures["went_on"] > 0 and figures["durable_segments"] > 50


@pytest.mark.parametrize("end, words", [
    (lambda child: child.signal(signal.SIGSEGV), "it ended by signal 11"),
    (lambda child: child.kill(), "it ended by signal 9"),
], ids=["a crash", "a kill"])
def test_an_agent_that_ends_by_a_signal_is_a_violation(end, words, binary, monkeypatch, capsys):
    def look(self, agent, call):
        end(agent._child)
        agent._child.wait(20)
        return self._look_at_end(agent, call, agent.end(1), ended_by_itself=True)
    monkeypatch.setattr(faults_binary.Trials, "_first_life", look)
    _, content = faults_binary.run(random.Random(8), 1, binary=binary)
    assert not content and words in capsys.readouterr().out


def test_an_agent_that_does_not_end_is_a_violation(binary, monkeypatch, capsys):
    class Stopped(faults_binary.Agent):
        def end(self, seconds):
            self._child.signal(signal.SIGSTOP)
            return super().end(1)
    monkeypatch.setattr(faults_binary, "Agent", Stopped)
    _, content = faults_binary.run(random.Random(8), 1, binary=binary)
    assert not content and "it hung" in capsys.readouterr().out


def test_a_reading_that_the_second_life_does_not_find_is_a_violation(binary, monkeypatch, capsys):
    class Deaf(faults_binary.Consumer):
        """Forgets the third message."""

        def snapshot(self):
            arrivals = super().snapshot()
            return arrivals[:2] + arrivals[3:]
    monkeypatch.setattr(faults_binary, "Consumer", Deaf)
    monkeypatch.setattr(faults_binary, "DELIVERY_SECONDS_MAX", 3)
    _, content = faults_binary.run(random.Random(8), 1, binary=binary)
    assert not content and "LOST" in capsys.readouterr().out
