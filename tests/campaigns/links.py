#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign links`: the real binary and a real broker over bad roads: partitions with half-open connections, 30 % loss, two
seconds' delay, backlogs (gathered in an outage, and of a whole day) that must use the link without making live readings late, and alerts while one drains.

The road is a network namespace whose packets go through tests/tools/shaped_link.py. After each scene everything durable must have
arrived once, in order, with what is missing reported; readings must never have paused; and while the backlog drains, the newest
reading at the consumer must stay young.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.campaigns import processes  # noqa: E402
from tests.campaigns.clocks import collect  # noqa: E402
from tests.tools import history as judge  # noqa: E402
from tests.tools import shaped_link  # noqa: E402
from tests.tools.agent import Agent, ramp_source  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import boot_seconds, wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.delivery import Delivery  # noqa: E402
from tests.tools.process_figures import memory_kib  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

FLUSH_SECONDS = 0.5
PATIENCE = 120
QUICK_LINK = {"acknowledge_timeout": "8s", "connect_timeout": "30s", "keep_alive": "10s"}
# Readings are taken every 0.1 s. A machine with other work may hold a process up; a network must not.
PAUSE_SECONDS_MAX = 3.0
LIVE_AGE_MAX = 5.0
USE_OF_THE_LINK_MIN = 0.8
ALERT_AGE_MAX = 3.0
PSS_MAX_KIB = 8 * 1024
DAY_SERIES_LIVE = 20
# Rings, and is quiet again, every two seconds: two alerts.
BELL = {"source.bell": {"driver": "simulated", "shape": "step", "period_seconds": 2.0, "interval": "100ms"},
        "rule": [{"name": "bell", "series": "fieldpost_simulated_value", "labels": {"instance": "bell"}, "critical_above": 0.5}]}


class AlertLink(NamedTuple):
    """A rate in bytes a second, and ramps of which it can carry the live readings with room for a backlog."""
    rate: int
    series: int


ALERT_LINKS = {"alerts_64k": AlertLink(8_000, 6), "alerts_1m": AlertLink(125_000, 100)}


def main():
    arguments = parse_arguments()
    reason = shaped_link.unavailable_because()
    if reason:
        print(f"SKIPPED: {reason}")
        return 1
    binary, seed = processes.begin_with_agent("links", arguments, f"{arguments.count} rounds")
    with Scratch("links") as scratch:
        figures, violations = campaign(binary, scratch, arguments, random.Random(seed))
        for violation in violations[:20]:
            print(f"violation: {violation}")
        if violations:
            print(f"logs are left in {scratch.keep()}")
    print(" ".join(f"{key}={value}" for key, value in figures.items()) + f" violations={len(violations)}")
    return 1 if violations else 0


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign links", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=3, help="rounds over all scenes (3)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a bad time (20)")
    parser.add_argument("--backlog-seconds", type=float, default=120.0, help="how long the backlog gathers (120); a third of it before alerts")
    parser.add_argument("--backlog-series", type=int, default=200, help="ramps read every 100 ms meanwhile (200)")
    parser.add_argument("--rate", type=int, default=200_000, help="bytes a second of the link while the backlog drains (200000)")
    parser.add_argument("--day-hours", type=int, default=24, help="what the outbox of scene day holds (24)")
    parser.add_argument("--day-series", type=int, default=500, help="of that outbox (500)")
    parser.add_argument("--day-interval", type=int, default=60, help="seconds between its readings (60)")
    parser.add_argument("--filler", type=Path, help="makes that outbox; default: day_of_readings of the agent's build, else of build/release")
    parser.add_argument("--scenes", nargs="+", choices=sorted(SCENES), default=list(SCENES), help="default: all")
    parser.add_argument("--binary", help="agent to run; default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    figures, violations = Counter(), []
    for number in range(arguments.count):
        for name in arguments.scenes:
            with shaped_link.ShapedLink(chance.randrange(1 << 32)) as link:
                stage = Stage(binary, scratch.folder(f"{name}-{number}"), authority, link, arguments, name)
                found, said = play(stage, SCENES[name], chance)
            print(f"  {name}: " + " ".join(f"{key}={value}" for key, value in found.items()), flush=True)
            violations += [f"{name}, round {number + 1}: {what}" for what in said]
            add(figures, found)
    return figures, violations


def add(total, found):
    """Sums, but the worst of what is a maximum or a minimum."""
    for key, value in found.items():
        if key.endswith(("_max_ms", "_max_kib", "_max")):
            total[key] = max(total.get(key, value), value)
        elif key.endswith("_min_percent"):
            total[key] = min(total.get(key, value), value)
        else:
            total[key] = total.get(key, 0) + value


class Stage:
    def __init__(self, binary, folder, authority, link, arguments, name):
        self.link, self.arguments, self.name = link, arguments, name
        self.broker = Broker(folder / "broker", authority, host=link.outside_address, address=link.outside_address)
        self.consumer = Consumer(self.broker, authority.client("consumer"))
        series = {"backlog": arguments.backlog_series, "day": DAY_SERIES_LIVE}.get(name, 10)
        if name in ALERT_LINKS:
            series = ALERT_LINKS[name].series
        self.agent = Agent(binary, folder / "agent", broker=self.broker, certificate=authority.client("proof-1"),
                           flush_interval=FLUSH_SECONDS, namespace=link.name,
                           sections={**ramp_source(series=series), "self": {"enabled": False}, "broker": QUICK_LINK,
                                     **(BELL if name in ALERT_LINKS else {})})
        self.made = make_day(binary, self.agent.state_directory, arguments) if name == "day" else 0
        if self.made:
            link.shape(rate=arguments.rate)

    def wait_for_some(self, more=3):
        wanted = self.consumer.count + more
        self.consumer.wait_for_count(wanted, PATIENCE)


def play(stage, scene, chance):
    figures, violations = {}, []
    with stage.broker, stage.consumer:
        try:
            stage.agent.start()
            stage.agent.wait_for_log("link up", seconds=PATIENCE)
            stage.wait_for_some()
            figures = scene(stage, chance, violations)
            stage.link.shape()
            stage.link.mend()
            Delivery(stage.agent, stage.consumer).settle(PATIENCE)
        except (TimeoutError, RuntimeError) as error:
            violations.append(str(error))
        finally:
            stage.agent.abandon()
        arrivals = stage.consumer.snapshot()
    arrived = readings_of_other_boots(arrivals)
    if arrived != stage.made:
        violations.append(f"{arrived} of {stage.made} readings of the day before arrived")
    verdict = judge.check(judge.History(stage.agent.runs, arrivals, FLUSH_SECONDS))
    violations += verdict.violations
    pause, readings = longest_pause(stage.agent, arrivals)
    if pause > PAUSE_SECONDS_MAX * 1000:
        violations.append(f"readings paused for {pause} ms")
    return {"scenes": 1, "messages": len(arrivals), "readings": readings, "lost": verdict.figures["lost"] + verdict.figures["missing_values"],
            "duplicates": verdict.figures["duplicates"], "order_violations": verdict.figures["order_violations"],
            "packets_dropped": stage.link.packets_dropped, "reading_pause_max_ms": pause, **figures}, violations


# --- scenes ---

def partition(stage, chance, violations):
    """The link is cut without a word; half the time the broker forgets the connection meanwhile, which leaves ours half open."""
    stage.link.cut()
    half_open = chance.random() < 0.5
    if half_open:
        stage.broker.stop()
        time.sleep(1)
        stage.broker.start()
        stage.consumer.wait_subscribed()
    time.sleep(stage.arguments.seconds)
    before = stage.consumer.count
    stage.link.mend()
    mended = boot_seconds()
    wait_until(lambda: stage.consumer.count > before, PATIENCE, "messages after the partition")
    return {"partitions": 1, "half_open": int(half_open), "back_after_max_ms": round((boot_seconds() - mended) * 1000)}


def loss(stage, chance, violations):
    """Three packets in ten vanish."""
    stage.link.shape(loss=0.3)
    before, carried = stage.consumer.count, stage.link.packets_carried
    time.sleep(stage.arguments.seconds)
    wait_until(lambda: stage.consumer.count > before, PATIENCE, "a message through 30 % loss")
    return {"messages_through_loss": stage.consumer.count - before, "packets_through_loss": stage.link.packets_carried - carried}


def delay(stage, chance, violations):
    """Two seconds each way, and a new connection under it."""
    stage.link.shape(delay=2.0)
    stage.broker.stop()
    stage.broker.start()
    stage.consumer.wait_subscribed()
    before = stage.consumer.count
    wait_until(lambda: stage.consumer.count > before, PATIENCE, "a message over a connection made with 2 s delay")
    time.sleep(stage.arguments.seconds)
    return {"messages_through_delay": stage.consumer.count - before}


def backlog(stage, chance, violations):
    """The network is away while readings gather; then a narrow link must carry them and what is taken meanwhile."""
    figures = drain(stage, stage.arguments.rate, violations, stage.arguments.backlog_seconds)
    del figures["span"]
    return figures


def drain(stage, rate, violations, gather_seconds):
    """Lets a backlog gather, and drains it at `rate`; "span" is the time in which it did."""
    stage.link.cut()
    time.sleep(gather_seconds)
    stage.link.shape(rate=rate)
    stage.link.mend()
    mended = boot_seconds()
    before = stage.consumer.count
    wait_until(lambda: stage.consumer.count > before, PATIENCE, "the first message after the outage")
    reconnected_after = boot_seconds() - mended
    return {**follow(stage, rate, violations, 40 * gather_seconds), "reconnected_after_max_ms": round(reconnected_after * 1000)}


def follow(stage, rate, violations, patience):
    """While it drains."""
    began, bytes_before, pss = boot_seconds(), stage.link.bytes_up, 0
    while has_backlog(stage.agent):
        if boot_seconds() - began > patience:
            raise TimeoutError("the backlog does not drain")
        time.sleep(0.25)
        pss = max(pss, memory_kib(stage.agent.pid)["Pss"])
    ended, carried = boot_seconds(), stage.link.bytes_up - bytes_before
    percent = round(100 * carried / (rate * (ended - began)))
    age = live_age(stage.consumer.snapshot(), began, ended)
    if percent < USE_OF_THE_LINK_MIN * 100:
        violations.append(f"the backlog took {percent} % of the link")
    if age > LIVE_AGE_MAX:
        violations.append(f"the newest reading at the consumer was {age:.1f} s old while the backlog drained")
    if pss > PSS_MAX_KIB:
        violations.append(f"the agent took {pss} KiB while the backlog drained, allowed are {PSS_MAX_KIB}")
    return {"span": (began, ended), "backlog_bytes_carried": carried, "drained_in_ms": round((ended - began) * 1000),
            "link_used_min_percent": percent, "live_age_max_ms": round(age * 1000), "pss_max_kib": pss}


def day(stage, chance, violations):
    """The outbox of a device that has had no network for a day, over a narrow link from the start on."""
    figures = follow(stage, stage.arguments.rate, violations, 1800)
    del figures["span"]
    return {"backlog_hours_max": stage.arguments.day_hours, **{f"day_{key}": value for key, value in figures.items()}}


def alerts(stage, chance, violations):
    """Alerts over a slow link that a backlog fills."""
    link = ALERT_LINKS[stage.name]
    figures = drain(stage, link.rate, violations, stage.arguments.backlog_seconds / 3)
    found = alert_ages(stage.consumer.snapshot(), *figures.pop("span"))
    if len(found) < 5:
        violations.append(f"{len(found)} alerts while the backlog drained: too few to judge by")
        found = found or [AlertAge(float("inf"), 0)]
    # Those of the outage go first, in order, whatever we do: what they take of the link is nobody's fault.
    beyond = max(alert.age - alert.bytes_of_older_alerts / link.rate for alert in found)
    if beyond > ALERT_AGE_MAX:
        violations.append(f"an alert was {beyond:.1f} s old when it arrived, beside the time that older alerts took")
    ages = [alert.age for alert in found]
    return {f"{stage.name}_{key}": value for key, value in figures.items()} | {
        f"{stage.name}_alerts": len(ages), f"{stage.name}_median_max_ms": round(statistics.median(ages) * 1000),
        f"{stage.name}_age_max_ms": round(max(ages) * 1000), f"{stage.name}_beyond_older_alerts_max_ms": round(beyond * 1000)}


SCENES = {"partition": partition, "loss": loss, "delay": delay, "backlog": backlog, "day": day, **dict.fromkeys(ALERT_LINKS, alerts)}


# --- what is measured ---

def make_day(binary, state_directory, arguments):
    """Fills an outbox; how many readings it holds."""
    beside = Path(binary).resolve().parents[1] / "tests/campaigns/day_of_readings"
    filler = arguments.filler or (beside if beside.exists() else ROOT / "build/release/tests/campaigns/day_of_readings")
    if not filler.exists():
        raise FileNotFoundError(f"{filler} is not there: run ./dev build release day_of_readings")
    words = [filler, state_directory, arguments.day_hours, arguments.day_series, arguments.day_interval]
    said = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, timeout=600).stdout
    return int(dict(word.split("=") for word in said.split())["readings"])


def readings_of_other_boots(arrivals):
    """Each message once."""
    counted = {}
    for arrival in arrivals:
        document = json.loads(arrival.payload)
        if document["boot"] != boot_id():
            counted[document["epoch"], document["seq"]] = sum(len(entry["samples"]["v"]) for entry in document.get("series", ()) if "samples" in entry)
    return sum(counted.values())


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def has_backlog(agent):
    """More waits than was taken in the last few seconds."""
    waiting = sum(lane["waiting_readings"] for lane in agent.status()["store"]["lanes"].values())
    return waiting > 4 * agent.ramp_series / agent.ramp_interval


def live_age(arrivals, began, ended):
    """How old the newest reading at the consumer ever was: just before each arrival, from the first new one on."""
    newest, worst, here = None, 0.0, boot_id()
    for arrival in arrivals:
        if arrival.received < began - 0.001 or arrival.received > ended:
            continue
        if newest is not None:
            worst = max(worst, arrival.received - newest)
        document = json.loads(arrival.payload)
        if document.get("boot", here) != here:
            continue
        last = max((max(times) for times in document.get("times", ()) if times), default=None)
        if last is not None:
            taken = (document["time"]["boot_ms"] + last) / 1000
            # Until the first live reading of this connection has come, all there is is older.
            if newest is not None or taken > began - LIVE_AGE_MAX:
                newest = max(newest or taken, taken)
    if newest is None:
        return float("inf")
    return max(worst, ended - newest)


class AlertAge(NamedTuple):
    """Seconds from the event to the consumer, and payload that came of older alerts meanwhile."""
    age: float
    bytes_of_older_alerts: int


def alert_ages(arrivals, began, ended):
    """Of those raised and received meanwhile."""
    ages, of_alerts = [], []
    for arrival in arrivals:
        if not began <= arrival.received <= ended or not arrival.topic.endswith("/alert"):
            continue
        document = json.loads(arrival.payload)
        raised = [(document["time"]["boot_ms"] + event["t"]) / 1000 for event in document.get("events", ())]
        ages += [AlertAge(arrival.received - time, sum(len(older.payload) for older in of_alerts if older.received > time))
                 for time in raised if time >= began]
        of_alerts.append(arrival)
    return ages


def longest_pause(agent, arrivals):
    taken = defaultdict(dict)
    for arrival in arrivals:
        collect(json.loads(arrival.payload), taken)
    pause = 0
    lives = [run.started * 1000 for run in agent.runs[1:]]
    for by_time in taken.values():
        times = sorted(by_time)
        for before, after in zip(times, times[1:]):
            if not any(before < began + 100 and began < after + 2000 for began in lives):
                pause = max(pause, after - before)
    return pause, sum(len(by_time) for by_time in taken.values())


if __name__ == "__main__":
    sys.exit(main())
