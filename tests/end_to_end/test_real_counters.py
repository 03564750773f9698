# SPDX-License-Identifier: Apache-2.0
"""This machine's real counters, from the kernel to the consumer, compared with the kernel's word."""

import os
import time
from pathlib import Path

from tests.tools.agent import ramp_source


def proc_meminfo(key):
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def proc_stat_boot_time():
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    raise KeyError("btime")


def proc_net_dev(device):
    for line in Path("/proc/net/dev").read_text(encoding="ascii").splitlines():
        name, _, columns = line.partition(":")
        if name.strip() == device:
            return [int(column) for column in columns.split()]
    raise KeyError(device)


def newest_values(messages):
    return {sample.series: sample.value for message in messages for sample in message.samples}


def test_the_kernels_own_values_arrive(road):
    received_before = proc_net_dev("lo")[0]
    agent = road.agent(default_sources=True, flush_interval=0.5,
                       sections={"sampling": {"interval": "500ms"}})
    with agent:
        road.wait_for(lambda messages: len([m for m in messages if m.lane == "live"]) >= 4, 40,
                      "four live messages")
    road.settle(agent)
    received_after = proc_net_dev("lo")[0]
    values = newest_values(road.messages())

    assert values["node_memory_MemTotal_bytes"] == proc_meminfo("MemTotal")
    assert values["node_boot_time_seconds"] == proc_stat_boot_time()
    assert received_before <= values['node_network_receive_bytes_total{device="lo"}'] <= received_after
    root = os.statvfs("/")
    sizes = [value for series, value in values.items()
             if series.startswith("node_filesystem_size_bytes{") and 'mountpoint="/"' in series]
    assert sizes == [root.f_blocks * root.f_frsize]
    for cpu in range(os.cpu_count()):
        assert f'node_cpu_seconds_total{{cpu="{cpu}",mode="idle"}}' in values
    road.assert_all_well(agent)


def test_counters_never_go_back(road):
    agent = road.agent(default_sources=True, flush_interval=0.5,
                       sections={"sampling": {"interval": "500ms"}})
    with agent:
        road.wait_for(lambda messages: len([m for m in messages if m.lane == "live"]) >= 4, 40,
                      "four live messages")
    road.settle(agent)
    newest = {}
    followed = 0
    for message in sorted(road.messages(), key=lambda m: m.seq):
        for sample in message.samples:
            if sample.kind != "counter" or sample.name == "node_cpu_seconds_total":
                continue  # the kernel's idle time may go back by a tick: known, and not ours
            previous = newest.get(sample.series)
            if previous is not None:
                followed += 1
                assert sample.value >= previous, sample.series
            newest[sample.series] = sample.value
    assert followed > 50
    road.assert_all_well(agent)


def test_five_hundred_series_arrive_every_second(road):
    agent = road.agent(flush_interval=1.0, sections=ramp_source(series=500, interval="1s"))
    with agent:
        road.wait_for(lambda messages: sum(m.readings for m in messages) >= 4 * 500, 40,
                      "four rounds of 500 readings")
    road.settle(agent)
    figures = road.assert_all_well(agent)
    assert figures["duplicates"] == 0
    series = {sample.series for message in road.messages() for sample in message.samples
              if sample.is_ramp}
    assert len(series) == 500


def test_an_orderly_stop_leaves_nothing_behind(road):
    """SIGTERM makes durable what is in memory and sends it: flush_interval does not come into it."""
    agent = road.agent(flush_interval=60.0, sections=ramp_source(series=5))
    agent.start()
    agent.wait_for_log("link up", seconds=20)
    time.sleep(1.5)
    agent.stop()
    assert agent.durable_segments(), "nothing was made durable on SIGTERM"
    road.settle(agent)
    road.assert_all_well(agent)


def test_the_counts_of_status_add_up(road):
    agent = road.agent(flush_interval=0.5, sections=ramp_source(series=20))
    with agent:
        road.wait_for(lambda messages: sum(m.readings for m in messages) >= 300, 40, "300 readings")
        status = agent.status()
        store = status["store"]
        assert store["epoch"] == road.messages()[0].epoch
        waiting = sum(lane["waiting_readings"] for lane in store["lanes"].values())
        dropped = sum(lane["dropped_readings"] for lane in store["lanes"].values())
        assert dropped == 0
        assert store["durable_readings"] == store["acknowledged_readings"] + waiting
        assert store["durable_readings"] >= 300
        # Taken, and not yet durable: at most one flush interval (and a second for a busy machine).
        taken = sum(source["samples"] for source in status["sources"])
        in_memory = taken - store["durable_readings"]
        assert 0 <= in_memory <= (0.5 + 1.0) * 10 * 20, status
        assert status["link"]["state"] == "connected"
        assert status["link"]["bytes_sent"] > 0
    road.settle(agent)
    road.assert_all_well(agent)
