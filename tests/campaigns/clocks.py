#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign clocks`: boards that start in 1970, clocks ten years off, stepped there and back, NTP that comes late, lies or goes;
every reading's time must be right, or say how wrong it may be.

First thousands of scenes with the real store and a clock moved by hand (build/release/tests/campaigns/clocks, one process a core);
then the real binary against a real broker, with a wall clock of its own (tests/tools/own_clock.py).
"""

import json
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import processes  # noqa: E402
from tests.tools import own_clock  # noqa: E402
from tests.tools.agent import Agent, find_binary, ramp_source  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import boot_seconds, wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.message import utc_seconds  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

BREAKS = ("believe", "stamp-at-once", "no-drift", "forget-floor")
YEAR = 365.25 * 86400
CORRECTED_WITHIN = 1.0
# Readings are taken every 0.1 s. A machine with other work may hold a process up; a clock must not.
PAUSE_SECONDS_MAX = 3.0
PATIENCE = 60


def main():
    arguments = parse_arguments()
    seed = processes.begin("clocks", arguments, f"{arguments.count} scenes")
    figures, content = in_process(arguments, seed)
    reason = own_clock.unavailable_because()
    if reason:
        print(f"SKIPPED: the real binary: {reason}")
    else:
        with Scratch("clocks") as scratch:
            real, found = with_the_binary(Path(arguments.binary) if arguments.binary else find_binary(), scratch,
                                          random.Random(seed), arguments.steps, believed=arguments.break_ == "believe")
            for violation in found:
                print(f"violation: {violation}")
            if found:
                print(f"logs are left in {scratch.keep()}")
        figures.update({f"binary_{key}": value for key, value in real.items()})
        figures["violations"] += len(found)
    print(processes.text_of(figures))
    return 0 if content and not figures["violations"] else 1


def parse_arguments(words=None):
    parser = processes.parser("clocks", __doc__, BREAKS)
    parser.add_argument("--count", type=processes.positive, default=20_000, help="scenes with the store alone (20000)")
    parser.add_argument("--steps", type=int, default=40, help="steps of the running agent's clock (40)")
    parser.add_argument("--binary", help="agent to run; default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


def in_process(arguments, seed):
    share = -(-arguments.count // arguments.jobs)
    figures, content = processes.run(arguments, [["--seed", (seed << 20) + number * share, "--count", share]
                                                 for number in range(arguments.jobs)])
    return figures, content and figures["scenes"] >= arguments.count


# --- the real binary ---

def with_the_binary(binary, scratch, chance, steps, believed=False, scenes=None):
    """`believed`: the kernel calls any time synchronised, which must be seen as lies."""
    authority = CertificateAuthority(scratch.folder("ca"))
    figures, violations = Counter(), []
    with Broker(scratch.folder("broker"), authority) as broker, Consumer(broker, authority.client("consumer")) as consumer:
        for number, scene in enumerate(scenes or (late_ntp, ten_years_ahead, stepped)):
            clock = own_clock.OwnClock(scratch.folder(f"clock-{number}"))
            if believed:
                clock.set = lambda utc, synchronised=False, error=0.0, given=clock.set: given(utc, True, 0.001)
            name = f"board-{number + 1}"
            agent = Agent(clock.wrap(binary), scratch.folder(name), name=name, broker=broker, certificate=authority.client(name),
                          flush_interval=0.2, sections={**ramp_source(series=3), "self": {"enabled": False}})
            stage = Stage(agent, clock, broker, consumer, chance, steps)
            try:
                scene(stage)
                agent.stop()
            except (TimeoutError, RuntimeError) as error:
                violations.append(f"{scene.__name__}: {error}")
            finally:
                agent.abandon()
            stage.boot.restarts = [run.started for run in agent.runs[1:]]
            found, said = judge(stage.messages(), lambda _: stage.boot, PAUSE_SECONDS_MAX)
            processes.add(figures, {"scenes": 1, **found})
            violations += [f"{scene.__name__}: {what}" for what in said]
            print(f"  {scene.__name__}: " + " ".join(f"{key}={value}" for key, value in found.items()), flush=True)
    return figures, violations


class Stage:
    """What a scene plays on."""

    def __init__(self, agent, clock, broker, consumer, chance, steps):
        self.agent, self.clock, self.broker, self.consumer = agent, clock, broker, consumer
        self.chance, self.steps = chance, steps
        self.boot = Boot(own_clock.true_offset())

    def messages(self):
        return [(arrival.received, json.loads(arrival.payload)) for arrival in self.consumer.snapshot()
                if arrival.topic.split("/")[1] == self.agent.name]

    def wait_for_messages(self, more=5):
        wanted = len(self.messages()) + more
        wait_until(lambda: len(self.messages()) >= wanted, PATIENCE, f"{more} more messages of {self.agent.name}")

    def synchronise(self):
        asked = boot_seconds()
        self.clock.synchronise()
        time.sleep(1.0)  # the agent looks at the clock with each commit, every 0.2 s
        self.boot.note_known(asked, boot_seconds(), asked)


def late_ntp(stage):
    """Starts in 1970, connects all the same, sends marked readings; loses the broker, learns the time, sends the rest right."""
    stage.clock.set(60)
    stage.agent.start()
    stage.agent.wait_for_log("certificate accepted before its time", seconds=PATIENCE)
    stage.wait_for_messages(10)
    stage.broker.stop()
    time.sleep(4)
    stage.synchronise()
    time.sleep(1)
    stage.broker.start()
    stage.consumer.wait_subscribed()
    stage.wait_for_messages(15)


def ten_years_ahead(stage):
    """Takes the broker's certificate for expired, keeps everything, and sends it right when the time is known."""
    stage.clock.set(time.time() + 10 * YEAR)
    stage.agent.start()
    stage.agent.wait_for_log("expired at", seconds=PATIENCE)
    time.sleep(2)
    stage.synchronise()
    stage.wait_for_messages(15)


def stepped(stage):
    """A clock that goes back and forth while the agent runs, is killed and starts again; NTP comes and goes."""
    stage.clock.set(time.time() - 3600)
    stage.agent.start()
    stage.wait_for_messages(3)
    for number in range(stage.steps):
        match stage.chance.randrange(4):
            case 0:
                stage.clock.set(stage.chance.uniform(0, 1000))
            case 1:
                stage.clock.set(float(1 << 31))
            case 2:
                stage.clock.step(stage.chance.choice((3600, -3600, 10 * YEAR, -10 * YEAR, 2, -2)))
            case 3:
                stage.synchronise()
        time.sleep(stage.chance.uniform(0.1, 0.8))
        if number % 15 == 14:
            stage.agent.kill()
            stage.agent.start()
    stage.synchronise()
    stage.wait_for_messages(10)


class Boot:
    """The truth about one boot: UTC at its boot time 0, how far that may be off, and when the kernel came to know the time."""

    def __init__(self, offset, error=0.0):
        self.offset, self.error = offset, error
        self.asked_at = self.known_since = self.known_at = None  # arrivals before, arrivals after, boot time; None: it never knew
        self.restarts = []  # boot times

    def note_known(self, asked_at, known_since, known_at):
        if self.known_at is None:
            self.asked_at, self.known_since, self.known_at = asked_at, known_since, known_at


def judge(messages, boot_of, pause_seconds_max):
    """Holds every message (instant of arrival, document) against the truth about its boot."""
    figures, violations = Counter(messages=0, trusted=0, untrusted=0, corrected=0, readings=0, worst_ms=0, pause_max_ms=0), []
    taken, seen = defaultdict(dict), {}
    for received, document in messages:
        base, boot = document["time"], boot_of(document)
        identity = (document["epoch"], document["seq"])
        content = json.dumps({**document, "time": None})
        if seen.setdefault(identity, content) != content:
            violations.append(f"{identity} was used for two messages")
        figures["messages"] += 1
        figures["trusted" if base["trusted"] else "untrusted"] += 1
        wrong = utc_seconds(base["start"]) - (boot.offset + base["boot_ms"] / 1000)
        if abs(wrong) > base["error_ms"] / 1000 + boot.error + 0.002:
            violations.append(f"seq {document['seq']} is wrong by {wrong:.3f} s and says {base['error_ms']} ms")
        if boot.known_at is not None and received > boot.known_since and not base["trusted"]:
            violations.append(f"seq {document['seq']} came {received - boot.known_since:.1f} s after the time was known, and is not trusted")
        if base["trusted"]:
            if boot.known_at is None or received < boot.asked_at:
                violations.append(f"seq {document['seq']} is trusted, and the time was not known")
            figures["worst_ms"] = max(figures["worst_ms"], round(abs(wrong) * 1000))
            if abs(wrong) > CORRECTED_WITHIN:
                violations.append(f"seq {document['seq']} is trusted and wrong by {wrong:.3f} s")
            figures["corrected"] += boot.known_at is not None and base["boot_ms"] / 1000 < boot.known_at - 0.5
        collect(document, taken)
    for (series, number), by_time in taken.items():
        times, restarts = sorted(by_time), boot_of({"boot": number}).restarts
        figures["readings"] += len(times)
        for before, after in zip(times, times[1:]):
            if any(before < began * 1000 + 100 and began * 1000 < after + 2000 for began in restarts):
                continue  # killed in between
            figures["pause_max_ms"] = max(figures["pause_max_ms"], after - before)
            if after - before > pause_seconds_max * 1000:
                violations.append(f"{series} was not read for {after - before} ms")
            if by_time[after] != by_time[before] + 1:
                violations.append(f"{series}: {by_time[after]} follows {by_time[before]}")
    if not figures["trusted"]:
        violations.append("no message with a trusted time came")
    return figures, violations


def collect(document, taken):
    """Of every ramp and boot: boot time in milliseconds -> value."""
    vectors = document.get("times", [])
    for entry in document.get("series", ()):
        samples = entry.get("samples")
        if not samples or entry["name"] != "fieldpost_simulated_value":
            continue
        offsets = vectors[samples["t"]]
        labels = json.dumps(entry["labels"], sort_keys=True)
        for moment, value in zip(offsets, samples["v"]):
            taken[labels, document["boot"]][document["time"]["boot_ms"] + moment] = value


if __name__ == "__main__":
    sys.exit(main())
