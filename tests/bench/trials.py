# SPDX-License-Identifier: Apache-2.0
"""Figures that need a story of their own: a backlog that is drained, alarms that overtake ten thousand samples a
second, a start with a full outbox. Each leaves its lines in the table."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tools.agent import Agent, ramp_source
from tests.tools.broker import Broker
from tests.tools.child import boot_seconds, wait_until
from tests.tools.consumer import Consumer
from tests.tools.process_figures import cpu_seconds, memory_kib, peak_rss_kib

MIB = 1 << 20
BACKLOG_READINGS = 500 * 7 * 24 * 60  # a week of 500 series, one reading a minute
QUOTA_BYTES = 256 * MIB
ALARM_SECONDS = 60
FILL_SECONDS_MAX = 300


def waiting(status):
    return sum(lane["waiting_readings"] for lane in status["store"]["lanes"].values())


@dataclass
class Drained:
    readings: int
    cpu: float      # seconds
    seconds: float  # by the clock
    messages: int
    wire_bytes: int  # TLS records and all
    peak_pss_kib: int
    peak_rss_kib: int

    @property
    def a_second(self):
        """Readings a second of one core."""
        return self.readings / self.cpu


def drain(binary, scratch, authority, table, say):
    """A backlog made while there was no broker, sent by an agent that has nothing else to do: as JSON, and as it is. Gives the first."""
    folder = scratch.folder("drain")
    binary = Path(shutil.copy(binary, folder / "fieldpost"))  # of one file that two processes run, PSS would count half
    with Agent(binary, folder, name="bench-drain", sections={
            "log": {"level": "info"}, **ramp_source("one", series=1000, interval="20ms"),
            **ramp_source("two", series=1000, interval="20ms")}) as agent:
        say(f"a backlog of {BACKLOG_READINGS:,} readings")
        wait_until(lambda: agent.status()["store"]["durable_readings"] >= BACKLOG_READINGS, 240,
                   "the backlog", every=0.5)
    kept = shutil.copytree(agent.state_directory, folder / "kept")
    by_payload = {}
    for payload, budget in (("json", 500_000), ("native", 1_000_000)):
        shutil.rmtree(agent.state_directory)
        shutil.copytree(kept, agent.state_directory)
        say(f"draining it as {payload}")
        by_payload[payload] = drain_once(binary, folder, scratch.folder(f"drain-broker-{payload}"), authority, payload)
        drained = by_payload[payload]
        table.add(f"drain over mutual TLS, {payload}, of one core", drained.a_second, "readings/s", budget, at_least=True,
                  note=f"{drained.readings:,} readings of counters, {drained.cpu:.2f} s of CPU; {drained.readings / drained.seconds:,.0f} a second "
                       f"by the clock of this machine; {drained.wire_bytes / drained.readings:.1f} B a reading on the wire")
        table.add("  PSS while it drains, peak", drained.peak_pss_kib / 1024, "MiB", 8.0, note=f"peak RSS {drained.peak_rss_kib / 1024:.1f} MiB")
    return by_payload["json"]


def drain_once(binary, folder, broker_folder, authority, payload):
    broker = Broker(broker_folder, authority)
    agent = Agent(binary, folder, name="bench-drain", broker=broker, certificate=authority.client("bench-drain"),
                  sections={"log": {"level": "info"}, "self": {"enabled": False}, "sync": {"payload": payload}})
    with broker, agent:
        wait_until(lambda: agent.status()["store"]["disk_ok"] and waiting(agent.status()) > 0, 20,
                   "the backlog after a new start")
        began, cpu, sent = time.monotonic(), cpu_seconds(agent.pid), agent.status()
        peak_pss = 0
        while waiting(status := agent.status()) > 0:
            peak_pss = max(peak_pss, memory_kib(agent.pid)["Pss"])
            if time.monotonic() - began > 240:
                raise TimeoutError(f"{waiting(status)} readings still wait after 240 s")
            time.sleep(0.05)
        return Drained(readings=status["store"]["acknowledged_readings"] - sent["store"]["acknowledged_readings"],
                       cpu=cpu_seconds(agent.pid) - cpu, seconds=time.monotonic() - began,
                       messages=status["sync"]["messages_sent"], wire_bytes=status["link"]["bytes_sent"] - sent["link"]["bytes_sent"],
                       peak_pss_kib=peak_pss, peak_rss_kib=peak_rss_kib(agent.pid))


def alarms(binary, scratch, authority, table, say):
    """From the reading that crosses a threshold to the consumer, while ten thousand others come in a second."""
    latencies = []

    def note(arrival):
        document = json.loads(arrival.payload)
        latencies.append(arrival.received - document["time"]["boot_ms"] / 1000)
    with Broker(scratch.folder("alarm-broker"), authority) as broker, \
            Consumer(broker, authority.client("alarm-consumer"), topics=("fieldpost/+/alert",),
                     client_id="alarm-consumer", on_arrival=note), \
            Agent(binary, scratch.folder("alarm"), name="bench-alarm", broker=broker,
                  certificate=authority.client("bench-alarm"), flush_interval=10.0, sections={
                      "log": {"level": "info"},
                      "source.crowd": {"driver": "simulated", "shape": "sine", "series": 1000, "interval": "100ms"},
                      "source.alarm": {"driver": "simulated", "shape": "step", "period_seconds": 1.0, "interval": "100ms"},
                      "rule": [{"name": "bench", "series": "fieldpost_simulated_value", "labels": {"instance": "alarm"},
                                "warn_above": 0.5}]}) as agent:
        say(f"alarms among 10,000 samples a second, {ALARM_SECONDS} s")
        wait_until(lambda: latencies, 30, "a first alarm")
        latencies.clear()
        before = agent.status()["sources"]
        time.sleep(ALARM_SECONDS)
        after = agent.status()["sources"]
        taken = sum(s["samples"] for s in after) - sum(s["samples"] for s in before)
    if taken < 9_500 * ALARM_SECONDS:
        raise RuntimeError(f"only {taken / ALARM_SECONDS:,.0f} samples a second were taken")
    found = sorted(latencies)
    p99 = found[min(len(found) - 1, int(0.99 * len(found)))]
    table.add("sample to consumer, alert lane, p99", 1000 * p99, "ms", 50,
              note=f"{len(found)} alarms, median {1000 * found[len(found) // 2]:.0f} ms, worst {1000 * found[-1]:.0f} ms, among "
                   f"{taken / ALARM_SECONDS:,.0f} samples a second; each is committed to the disk (fsync) before it is sent")


def full_outbox(binary, scratch, table, say):
    """Start to the first sample, with the outbox at its quota."""
    folder = scratch.folder("full")
    flood = {f"source.flood{number}": {"driver": "simulated", "shape": "noise", "series": 1000, "interval": "20ms",
                                       "seed": number} for number in range(6)}
    with Agent(binary, folder, name="bench-full", flush_interval=1.0, sections={
            "log": {"level": "info"}, "outbox": {"quota": "256MiB"}, **flood}) as agent:
        say("filling an outbox of 256 MiB")
        end = time.monotonic() + FILL_SECONDS_MAX
        while agent.status()["store"]["file_bytes"] < 0.97 * QUOTA_BYTES and time.monotonic() < end:
            time.sleep(1)
    size = sum(path.stat().st_size for path in Path(agent.state_directory).iterdir() if path.name.startswith("outbox.db"))
    agent = Agent(binary, folder, name="bench-full", flush_interval=1.0, sections={
        "log": {"level": "info"}, "outbox": {"quota": "256MiB"}, **ramp_source(series=10, interval="1s")})
    began = boot_seconds()
    with agent:
        def sampled():
            sources = agent.status()["sources"]
            return any(source["name"] == "proof" and source["samples"] > 0 for source in sources)
        wait_until(sampled, 60, "a first sample", every=0.002)
        first_sample = boot_seconds() - began
        wait_until(lambda: agent.status()["store"]["durable_readings"] > 0, 60, "a first durable reading")
        first_durable = boot_seconds() - began
    table.add("start to first sample with a full outbox", first_sample, "s", 1.0,
              elsewhere="Greengrass nucleus 5 min",
              note=f"outbox of {size / MIB:.0f} MiB; to the first durable reading {first_durable:.1f} s, 1 s of it the flush interval")
