# SPDX-License-Identifier: Apache-2.0
"""Promise P4: a disk that is full or cannot be written is said in one line and worked around."""

import os
import random
import subprocess
import time

import pytest

from tests.campaigns import damage_binary
from tests.end_to_end.test_refusals import complaints
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a tmpfs")


@pytest.fixture
def small_disk(scratch):
    """A file system of 4 MiB of our own."""
    place = scratch.folder("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", place],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def fill(place):
    """To the last byte."""
    with open(place / "ballast", "ab", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            try:
                while True:
                    ballast.write(b"x" * size)
            except OSError:
                pass


@needs_root
def test_a_full_disk_is_reported_and_sampling_goes_on(road, small_disk):
    agent = road.agent(sections={**ramp_source(series=5),
                                 "device": {"state_directory": small_disk / "state"},
                                 "outbox": {"quota": "1MiB"}})
    agent.state_directory = small_disk / "state"
    fill(small_disk)
    with agent:
        line = agent.wait_for_log(str(small_disk), "full", seconds=15)
        assert "free" in line or "space" in line, line
        time.sleep(1)
        assert agent.running
        assert len(complaints(agent)) == 1, complaints(agent)
        (small_disk / "ballast").unlink()
        # What waited in memory becomes durable now, from the first reading on.
        agent.wait_for_log("segment durable", seconds=40)
        road.wait_for(lambda messages: len(messages) >= 3, 30, "messages once there is room")
    road.settle(agent)
    road.assert_all_well(agent, start_allowance=60)


@needs_root
def test_a_disk_that_fills_up_while_running_is_worked_around(road, small_disk):
    agent = road.agent(sections={**ramp_source(series=5),
                                 "device": {"state_directory": small_disk / "state"},
                                 "outbox": {"quota": "1MiB"}})
    agent.state_directory = small_disk / "state"
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 20, "three messages")
        fill(small_disk)
        time.sleep(4)
        assert agent.running
        (small_disk / "ballast").unlink()
        count = len(agent.durable_segments())
        wait_until(lambda: len(agent.durable_segments()) > count + 3, 40,
                   "durable segments once there is room again")
    road.settle(agent)
    road.assert_all_well(agent)


@needs_root
def test_a_read_only_state_directory_is_reported_and_sampling_goes_on(road, small_disk):
    agent = road.agent(sections={**ramp_source(series=5),
                                 "device": {"state_directory": small_disk / "state"},
                                 "outbox": {"quota": "1MiB"}})
    agent.state_directory = small_disk / "state"
    agent.state_directory.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with agent:
        line = agent.wait_for_log(str(small_disk), "read-only", seconds=15)
        assert "state_directory" in line or "remount" in line, line
        time.sleep(1)
        assert agent.running
        assert len(complaints(agent)) == 1, complaints(agent)
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        agent.wait_for_log("segment durable", seconds=40)
        road.wait_for(lambda messages: len(messages) >= 3, 30, "messages once it can be written")
    road.settle(agent)
    road.assert_all_well(agent, start_allowance=60)


def test_damaged_files_are_started_on_and_nothing_of_them_is_sent_otherwise(binary, capsys):
    figures, content = damage_binary.run(random.Random(7), 8, binary=binary)
    assert content, capsys.readouterr().out
    assert figures["starts"] == 8 and figures["messages_compared"] > 20


def test_a_message_that_the_damage_altered_would_be_seen(binary, capsys):
    figures, content = damage_binary.run(random.Random(7), 2, binary=binary, altered=lambda known: (*known[:1], known[1][1:], *known[2:]))
    assert not content and figures["violations"] > 0
    assert "has another content than before" in capsys.readouterr().out
