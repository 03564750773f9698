# SPDX-License-Identifier: Apache-2.0
"""`fieldpost dump`: everything that waits, in both formats, and what stands in the way."""

import csv
import io
import json

import pytest

from tests.tools.agent import Agent, find_binary, ramp_source
from tests.tools.child import wait_until


@pytest.fixture
def agent(tmp_path):
    agent = Agent(find_binary(), tmp_path / "agent", name="gw", sections={
        **ramp_source(series=2),
        "sampling": {"default_sources": False}, "self": {"enabled": False},
        "rule": [{"name": "high", "series": "fieldpost_simulated_value", "warn_above": 2}]})
    yield agent
    agent.abandon()


def dump(agent, *words):
    answer = agent.command("dump", "--config", agent.configuration_file, *words)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def assert_no_hole_in_a_ramp(lines):
    for series in {line["series"] for line in lines if line["kind"] == "sample"}:
        values = [line["value"] for line in lines if line["kind"] == "sample" and line["series"] == series]
        assert values == list(range(len(values)))


def test_a_dump_holds_every_durable_reading(agent):
    with agent:
        wait_until(lambda: len(agent.durable_segments()) >= 4, 30, "four segments")
    durable = agent.all_durable()
    lines = [json.loads(line) for line in dump(agent).splitlines()]
    assert sum(segment.readings for segment in durable) == len(lines)
    assert {line["seq"] for line in lines} == {segment.seq for segment in durable}
    assert {line["epoch"] for line in lines} == {segment.epoch for segment in durable}
    assert_no_hole_in_a_ramp(lines)
    events = [line for line in lines if line["kind"] == "event"]
    assert {line["lane"] for line in events} == {"alert"}
    assert all(line["text"].startswith("warn: ") for line in events) and len(events) == 2

    rows = list(csv.DictReader(io.StringIO(dump(agent, "--format", "csv"))))
    assert len(rows) == len(lines)
    assert [row["series"] for row in rows] == [line.get("series", "") for line in lines]
    live = dump(agent, "--lane", "live").splitlines()
    assert len(live) == len(lines) - len(events)


def test_a_dump_of_a_running_agents_outbox_holds_every_reading_durable_at_that_instant(
        agent, tmp_path, monkeypatch):
    """Read from a copy: of which nothing stays behind, and by which the agent is not disturbed."""
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setenv("TMPDIR", str(copies))
    with agent:
        wait_until(lambda: len(agent.durable_segments()) >= 4, 30, "four segments")
        files = sorted(path.name for path in agent.state_directory.iterdir())
        for _ in range(5):
            before = agent.durable_segments()
            lines = [json.loads(line) for line in dump(agent).splitlines()]
            dumped = {line["seq"] for line in lines}
            assert {segment.seq for segment in before} <= dumped
            # What was committed meanwhile may be there as well, but whole: its log line follows.
            wait_until(lambda: dumped <= {segment.seq for segment in agent.durable_segments()}, 10,
                       "log lines of all that was dumped")
            readings = sum(segment.readings for segment in agent.durable_segments()
                           if segment.seq in dumped)
            assert readings == len(lines)
            assert list(copies.iterdir()) == []
        assert sorted(path.name for path in agent.state_directory.iterdir()) == files
        count = len(agent.durable_segments())
        wait_until(lambda: len(agent.durable_segments()) > count, 10, "the agent going on")
        assert agent.status()["store"]["disk_ok"]
        assert not [line for line in agent.log_lines() if " error " in line]
    assert agent.durable_segments()[-1].seq > max(dumped)
    assert_no_hole_in_a_ramp([json.loads(line) for line in dump(agent).splitlines()])


def test_a_dump_where_there_is_no_outbox(fieldpost, tmp_path):
    answer = fieldpost("dump", "--directory", tmp_path)
    assert answer.returncode == 1 and answer.stdout == ""
    assert answer.stderr == f"fieldpost dump: no outbox.db in {tmp_path}; say where it is with --directory\n"
    assert list(tmp_path.iterdir()) == []
