#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign brokers`: gives the agent one broker after the other that does not behave (brokers_fakes.py), then a good one
each time, and proves that nothing was lost, that sampling never paused, and that neither memory nor descriptors grew.

Sampling is judged by the readings' own times: a ramp is read every 100 ms, and no two neighbours may lie two intervals apart.
A process that does nothing but wake every 100 ms tells how late this machine itself was meanwhile; so much is excused.
"""

import argparse
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns.brokers_fakes import BROKERS, REASON_CODES, Switchboard, answers_with_every_reason, descriptors  # noqa: E402
from tests.tools import history as judge  # noqa: E402
from tests.tools import message as wire  # noqa: E402
from tests.tools import schema  # noqa: E402
from tests.tools.agent import Agent, find_binary, ramp_source  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import boot_seconds  # noqa: E402
from tests.tools.consumer import Arrival, Consumer  # noqa: E402
from tests.tools.delivery import Delivery  # noqa: E402
from tests.tools.process_figures import memory_kib  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

FLUSH_SECONDS = 0.2
INTERVAL_SECONDS = 0.1
PSS_GROWTH_KIB_MAX = 1024       # from the first good broker to the last
PSS_PEAK_GROWTH_KIB_MAX = 8192  # while a bad one does its worst, and while the backlog goes out after it
REASON_SECONDS = 90             # for all reasons, a burst at a time with a pause after each
DELIVERY_SECONDS_MAX = 120

WAKER = """
import sys, threading, time
late = 0.0
end = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
while not end.is_set():
    before = time.monotonic()
    time.sleep(0.1)
    late = max(late, time.monotonic() - before - 0.1)
print(late)
"""


def main():
    arguments = parse_arguments()
    try:
        binary = Path(arguments.binary) if arguments.binary else find_binary()
    except FileNotFoundError as error:
        sys.exit(f"brokers: {error}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("brokers: ended by SIGTERM"))
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with --seed {seed}), {len(arguments.brokers)} brokers, {arguments.count} rounds, "
          f"{arguments.seconds:g} s each, {binary}", flush=True)
    with Scratch("brokers") as scratch:
        passed = campaign(binary, scratch, arguments, random.Random(seed))
        if not passed:
            print(f"logs and outbox are left in {scratch.keep()}")
    return 0 if passed else 1


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign brokers", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="order of the brokers; default: random, printed")
    parser.add_argument("--count", type=int, default=1, help="rounds over all brokers (1)")
    parser.add_argument("--seconds", type=float, default=15.0, help="with each of them (15); answers_with_every_reason gets what it needs")
    parser.add_argument("--brokers", type=lambda text: text.split(","), default=list(BROKERS), help="only these: " + ", ".join(BROKERS))
    parser.add_argument("--binary", help="agent; default: FIELDPOST_BINARY, else the built one")
    arguments = parser.parse_args(words)
    unknown = set(arguments.brokers) - set(BROKERS)
    if unknown:
        parser.error(f"no such broker: {', '.join(sorted(unknown))}")
    return arguments


class Watch:
    """Memory of the agent, twice a second; and how late the machine itself is."""

    def __init__(self, agent):
        self._agent = agent
        self.peak_kib = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._waker = subprocess.Popen([sys.executable, "-c", WAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self.machine_late = float(self._waker.communicate("")[0])

    def _look(self):
        while not self._end.wait(0.5):
            self.peak_kib = max(self.peak_kib, self.pss_kib())

    def pss_kib(self):
        """Of what the agent has made itself. With its program file PSS would fall and rise with every other process that runs
        the same file."""
        fields = memory_kib(self._agent.pid)
        return fields.get("Pss_Anon", fields["Anonymous"])


class Trial:
    """One agent, all brokers; what was found on the way."""

    def __init__(self, agent, board, delivery, arguments):
        self.agent, self.board, self.delivery, self.arguments = agent, board, delivery, arguments
        self.violations = []
        self.pss_before = self.pss_after = self.descriptors_before = self.descriptors_after = 0
        self.codes = 0

    def run(self, watch, chance):
        self.agent.start()
        self.agent.wait_for_log("link up", seconds=30)
        self.good("at the beginning")
        # What a second connection makes once and keeps (session ticket, resolver) is no growth.
        self.good("after the first loss")
        time.sleep(3)
        self.pss_before, self.descriptors_before = self.settled(watch)
        watch.peak_kib = self.pss_before
        for round_number in range(1, self.arguments.count + 1):
            names = list(self.arguments.brokers)
            chance.shuffle(names)
            for name in names:
                self.bad(name, round_number, watch)
        self.pss_after, self.descriptors_after = self.settled(watch)

    def bad(self, name, round_number, watch):
        broker = BROKERS[name]
        before = self.board.connections
        self.board.turn_to(broker)
        seconds = max(self.arguments.seconds, REASON_SECONDS) if broker is answers_with_every_reason and self.arguments.seconds >= 15 \
            else self.arguments.seconds
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.agent.running:
                raise RuntimeError(f"the agent ended under {name}:\n{self.agent.last_words()}")
            time.sleep(0.2)
        connections = self.board.connections - before
        if connections == 0:
            self.violations.append(f"{name}: the agent never came in {seconds:g} s: nothing was tried")
        if broker is answers_with_every_reason:
            self.codes = max(self.codes, min(len(REASON_CODES), self.board.memory.get("codes", 0)))
        self.good(name)
        missing = len(self.delivery.missing())
        print(f"  round {round_number} {name:36} {connections:4} connections, {watch.pss_kib()} KiB of its own (peak {watch.peak_kib}), "
              f"{descriptors(self.agent.pid)} descriptors, {missing} segments on their way", flush=True)

    def good(self, after):
        self.board.turn_to(None)
        try:
            self.delivery.wait(DELIVERY_SECONDS_MAX)
        except TimeoutError as error:
            self.violations.append(f"{after}: {str(error).splitlines()[0]}")

    def settled(self, watch):
        """PSS and descriptors at rest: the smallest of some looks."""
        looks = []
        for _ in range(10):
            time.sleep(0.3)
            looks.append((watch.pss_kib(), descriptors(self.agent.pid)))
        return min(pss for pss, _ in looks), min(count for _, count in looks)


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    taken = []

    def take(topic, payload):
        taken.append(Arrival(boot_seconds(), topic, bytes(payload)))

    with Broker(scratch.folder("broker"), authority) as broker, Consumer(broker, authority.client("consumer")) as consumer:
        board = Switchboard(authority, broker.port, take)
        agent = Agent(binary, scratch.folder("agent"), url=f"mqtts://localhost:{board.port}", ca_file=authority.file,
                      certificate=authority.client("proof-1"), flush_interval=FLUSH_SECONDS,
                      sections={**ramp_source(series=10), "self": {"enabled": False},
                                "broker": {"acknowledge_timeout": "2s", "connect_timeout": "3s", "keep_alive": "5s",
                                           "backoff_max": "2s"}})
        trial = Trial(agent, board, Delivery(agent, Everything(consumer, taken)), arguments)
        try:
            with Watch(agent) as watch:
                trial.run(watch, chance)
            agent.stop()
        finally:
            agent.abandon()
        try:
            Delivery(agent, Everything(consumer, taken)).settle(min(30, DELIVERY_SECONDS_MAX), lives=2)
        except TimeoutError as error:
            trial.violations.append(str(error).splitlines()[0])
        finally:
            agent.abandon()
        arrivals = Everything(consumer, taken).snapshot()
    trial.violations += board.surprises
    return report(trial, watch, arrivals)


class Everything:
    """What the consumer received, and what brokers of ours have acknowledged, in order of arrival."""

    def __init__(self, consumer, taken):
        self._consumer, self._taken = consumer, taken

    def snapshot(self):
        return sorted(self._consumer.snapshot() + list(self._taken), key=lambda arrival: arrival.received)


def widest_gap(arrivals, runs):
    """The largest distance of neighbouring readings of one ramp in one life, in seconds."""
    times = defaultdict(set)
    for arrival in arrivals:
        for sample in wire.parse(arrival.topic, arrival.payload).samples:
            if sample.is_ramp:
                times[sample.series].add(sample.boot_seconds)
    widest = 0.0
    for of_series in times.values():
        ordered = sorted(of_series)
        for before, after in zip(ordered, ordered[1:]):
            if any(run.started <= before and after <= run.ended for run in runs):
                widest = max(widest, after - before)
    return widest


def report(trial, watch, arrivals):
    verdict = judge.check(judge.History(trial.agent.runs, arrivals, FLUSH_SECONDS))
    verdict.violations += trial.violations + schema.violations(arrivals)
    figures = verdict.figures
    widest = widest_gap(arrivals, trial.agent.runs)
    missed = max(0, round((widest - watch.machine_late) / INTERVAL_SECONDS) - 1)
    if missed:
        verdict.violations.append(f"sampling paused: {widest * 1000:.0f} ms between two readings that are due every "
                                  f"{INTERVAL_SECONDS * 1000:.0f} ms; the machine itself was {watch.machine_late * 1000:.0f} ms late at most")
    if figures["gap_records"]:
        verdict.violations.append(f"{figures['gap_records']} gaps: nothing had to be dropped")
    if trial.pss_after - trial.pss_before > PSS_GROWTH_KIB_MAX:
        verdict.violations.append(f"memory grew by {trial.pss_after - trial.pss_before} KiB, allowed are {PSS_GROWTH_KIB_MAX}")
    if watch.peak_kib - trial.pss_before > PSS_PEAK_GROWTH_KIB_MAX:
        verdict.violations.append(f"memory rose by {watch.peak_kib - trial.pss_before} KiB meanwhile, allowed are {PSS_PEAK_GROWTH_KIB_MAX}")
    if trial.descriptors_after > trial.descriptors_before:
        verdict.violations.append(f"{trial.descriptors_before} descriptors became {trial.descriptors_after}")
    if figures["received_readings"] == 0 or trial.board.connections < 2:
        verdict.violations.append("nothing was tried")
    print(f"brokers={len(trial.arguments.brokers)} rounds={trial.arguments.count} connections={trial.board.connections} "
          f"reason_codes={trial.codes} readings={figures['ramp_received']} "
          f"counts_add_up={'yes' if figures['adds_up'] else 'NO'} lost={figures['lost'] + figures['missing_values']} "
          f"duplicates={figures['duplicates']} order_violations={figures['order_violations']} gaps={figures['gap_records']} "
          f"readings_missed_in_a_row={missed} widest_gap={widest * 1000:.0f}ms machine_late_max={watch.machine_late * 1000:.0f}ms "
          f"pss_anon_before={trial.pss_before}KiB pss_anon_after={trial.pss_after}KiB pss_anon_peak={watch.peak_kib}KiB "
          f"descriptors_before={trial.descriptors_before} descriptors_after={trial.descriptors_after} "
          f"violations={len(verdict.violations)}", flush=True)
    if not verdict.ok:
        print(verdict)
    return verdict.ok


if __name__ == "__main__":
    sys.exit(main())
