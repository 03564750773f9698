#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign disks`: the real agent on a real ext4 that fills up, turns read-only, is pulled out, swapped, forbidden, slow or
gives errors, and comes back: sampling never pauses, what was durable arrives, losses are told to the reading, and the agent
says what to do and recovers by itself.

Each scene runs with the link up and with the link away while it lasts, so that something durable and unacknowledged is at stake.
Errors that no real disk gives on command are given by strace to the running agent. Sampling is judged by the readings' own
times, as in the campaign `brokers`. Needs root, a loop device and strace.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns.brokers import INTERVAL_SECONDS, Watch, widest_gap  # noqa: E402
from tests.tools import failing_calls, own_disk, schema  # noqa: E402
from tests.tools import history as judge  # noqa: E402
from tests.tools import message as wire  # noqa: E402
from tests.tools.agent import Agent, find_binary, ramp_source  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.delivery import Delivery  # noqa: E402
from tests.tools.failing_calls import FailingCalls  # noqa: E402
from tests.tools.own_disk import OwnDisk  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

FLUSH_SECONDS = 0.2
RECOVERY_SECONDS_MAX = 60
GAP_INTERVALS_MAX = 2
DELIVERY_SECONDS_MAX = 60
SAID_SECONDS_MAX = 15      # until the disk was needed for more than there is room left, at the latest
PSS_GROWTH_KIB_MAX = 8192  # 4 MiB of readings may wait in memory, and are encoded once there is room
AWAY_SECONDS = (3, 20)     # the longer, the further the attempts to open the disk are apart
UNSAID = None


# A scene: what is done before the start, what is done to the running agent, and what makes it good again. `says` are words of
# the one line in the log and of `fieldpost status`; UNSAID: the agent has nothing to complain of, for it can go on.

def full_from_the_start(trial):
    trial.disk.fill()
    yield
    yield
    trial.disk.empty()


def full(trial):
    yield
    trial.disk.fill()
    yield
    trial.disk.empty()


def full_until_memory_overflows(trial):
    trial.disk.fill()
    yield
    yield
    trial.wait_for_drops()
    trial.disk.empty()


def without_inodes_from_the_start(trial):
    trial.disk.use_up_inodes()
    yield
    yield
    trial.disk.empty()


def read_only_from_the_start(trial):
    trial.disk.remount("ro")
    yield
    yield
    trial.disk.remount("rw")


def read_only(trial):
    yield
    trial.disk.turn_read_only()
    yield
    trial.disk.mount_anew()


def pulled_out(trial):
    yield
    trial.disk.pull_out()
    yield
    trial.disk.put_back()


def swapped_for_an_empty_one(trial):
    yield
    trial.disk.pull_out()
    yield
    trial.disk.make_image()
    trial.disk.mount()
    trial.agent.state_directory.parent.mkdir()


def unmounted_with_files_open(trial):
    yield
    own_disk.run("umount", "-l", trial.disk.place)
    yield
    trial.disk.mount()


def directory_deleted(trial):
    yield
    shutil.rmtree(trial.agent.state_directory)
    yield


def directory_moved_away(trial):
    yield
    trial.agent.state_directory.parent.rename(trial.disk.place / "aside")
    yield
    (trial.disk.place / "aside").rename(trial.agent.state_directory.parent)


def forbidden_from_the_start(trial):
    own_disk.run("chattr", "+i", trial.agent.state_directory)
    yield
    yield
    own_disk.run("chattr", "-i", trial.agent.state_directory)


def forbidden(trial):
    yield
    own_disk.run("chattr", "-R", "+i", trial.agent.state_directory)
    yield
    own_disk.run("chattr", "-R", "-i", trial.agent.state_directory)


def calls_fail(calls, what, *, of_files=False):
    def scene(trial):
        yield
        with trial.failing(calls, what, of_files=of_files):
            yield
    return scene


IS_ILL_FROM_THE_START = ("full_from_the_start", "full_until_memory_overflows", "without_inodes_from_the_start", "read_only_from_the_start",
                         "forbidden_from_the_start")
SYNCS = "fdatasync,fsync"
WRITES = "write,pwrite64,writev,pwritev"
# What fills memory and disk soon: values that do not compress, or so many ramps that 4 MiB hold them for ten seconds.
NOISE = {"source.noise": {"driver": "simulated", "shape": "noise", "series": 500, "interval": "100ms"},
         "series": [{"match": "fieldpost_simulated_value", "labels": {"instance": "noise"}, "lane": "bulk"}]}
FLOOD = ramp_source(series=1000, interval="50ms")
SECTIONS = {"full": NOISE, "full_until_memory_overflows": FLOOD}
SCENES = {
    "full_from_the_start": (full_from_the_start, ("is full", "free some space")),
    "full": (full, ("is full", "free some space")),
    "full_until_memory_overflows": (full_until_memory_overflows, ("is full", "free some space")),
    "without_inodes_from_the_start": (without_inodes_from_the_start, ("no inodes left", "delete files")),
    "read_only_from_the_start": (read_only_from_the_start, ("read-only", "remount")),
    "read_only": (read_only, ("read-only", "remount")),
    "pulled_out": (pulled_out, ("is not there", "make it")),
    "swapped_for_an_empty_one": (swapped_for_an_empty_one, ("is not there", "make it")),
    "unmounted_with_files_open": (unmounted_with_files_open, ("is not there", "make it")),
    "directory_deleted": (directory_deleted, UNSAID),
    "directory_moved_away": (directory_moved_away, ("is not there", "make it")),
    "forbidden_from_the_start": (forbidden_from_the_start, ("may not be written", "give it to the user")),
    "forbidden": (forbidden, ("may not be written", "give it to the user")),
    "one_sync_fails": (calls_fail(SYNCS, "error=EIO:when=1"), UNSAID),
    "every_sync_fails": (calls_fail(SYNCS, "error=EIO"), ("cannot be used", "check")),
    "every_write_fails": (calls_fail(WRITES, "error=EIO", of_files=True), ("cannot be used", "check")),
    "every_write_finds_it_full": (calls_fail(WRITES, "error=ENOSPC", of_files=True), ("is full", "free some space")),
    "every_sync_takes_3_seconds": (calls_fail(SYNCS, "delay_exit=3000000"), UNSAID),
    "stale": (calls_fail(f"openat,read,pread64,fstat,newfstatat,{WRITES},{SYNCS}", "error=ESTALE", of_files=True),
              ("cannot be used", "check")),
}


def main():
    arguments = parse_arguments()
    try:
        binary = Path(arguments.binary) if arguments.binary else find_binary()
    except FileNotFoundError as error:
        sys.exit(f"disks: {error}")
    for reason in (own_disk.unavailable_because(), failing_calls.unavailable_because()):
        if reason:
            sys.exit(f"disks: {reason}")
    if "FIELDPOST_OWN_MOUNTS" not in os.environ:
        # What we mount goes with us, however we end.
        os.environ["FIELDPOST_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("disks: ended by SIGTERM"))
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with --seed {seed}), {len(arguments.scenes)} scenes, {arguments.count} rounds, {binary}", flush=True)
    with Scratch("disks") as scratch:
        passed = campaign(binary, scratch, arguments, random.Random(seed))
        if not passed:
            print(f"logs are left in {scratch.keep()}")
    return 0 if passed else 1


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign disks", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="how long each disk is away; default: random, printed")
    parser.add_argument("--count", type=int, default=1, help="rounds over all scenes, with the link up and away (1)")
    parser.add_argument("--jobs", type=int, default=3, help="scenes at a time (3)")
    parser.add_argument("--away", type=lambda text: tuple(map(float, text.split(","))), default=AWAY_SECONDS,
                        help=f"seconds at least and at most ({AWAY_SECONDS[0]},{AWAY_SECONDS[1]})")
    parser.add_argument("--scenes", type=lambda text: text.split(","), default=list(SCENES), help="only these: " + ", ".join(SCENES))
    parser.add_argument("--links", type=lambda text: text.split(","), default=["up", "away"], help="up, away or both")
    parser.add_argument("--binary", help="agent; default: FIELDPOST_BINARY, else the built one")
    arguments = parser.parse_args(words)
    unknown = set(arguments.scenes) - set(SCENES)
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    return arguments


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    certificates = authority.client("proof-1"), authority.client("consumer")
    trials = [Trial(binary, scratch, authority, certificates, scene, link, round_number, chance.uniform(*arguments.away))
              for round_number in range(1, arguments.count + 1) for scene in arguments.scenes for link in arguments.links]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for trial in pool.map(run_one, trials):
            print(trial.line(), flush=True)
    return report(trials)


def run_one(trial):
    try:
        trial.run()
    except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        trial.violations.append(f"{type(error).__name__}: {error}")
    return trial


class Trial:
    """One scene, one link, one disk, one agent."""

    def __init__(self, binary, scratch, authority, certificates, scene, link, round_number, away):
        self.name = f"{scene}-{link}-{round_number}"
        self._is_ill = scene in IS_ILL_FROM_THE_START
        self._scene, self._says = SCENES[scene]
        self._is_up = link == "up"
        self._away = away
        self._folder = scratch.folder(self.name)
        self._certificate = certificates[1]
        self.violations = []
        self.figures = {}
        self.recovered = self.widest = self.late = 0.0
        self.grown = self.arrived_meanwhile = self.complaints = 0
        self.disk = OwnDisk(self._folder)
        self.broker = Broker(self._folder / "broker", authority)
        self.agent = Agent(binary, self._folder / "agent", broker=self.broker, certificate=certificates[0],
                           flush_interval=FLUSH_SECONDS, sections={
                               **ramp_source(series=10), **SECTIONS.get(scene, {}), "self": {"enabled": False},
                               "outbox": {"quota": "1MiB", "thin_window": "0s"},
                               "broker": {"backoff_max": "2s"},
                               "device": {"state_directory": self.disk.place / "var" / "fieldpost"}})
        self.agent.state_directory = self.disk.place / "var" / "fieldpost"

    def failing(self, calls, what, *, of_files):
        paths = []
        if of_files:
            paths = [self.agent.state_directory, *self.agent.state_directory.iterdir()]
        return FailingCalls(self.agent.pid, calls, what, self._folder, paths=paths)

    def run(self):
        with self.disk, self.broker, Consumer(self.broker, self._certificate) as consumer:
            self.agent.state_directory.mkdir(parents=True)
            try:
                self._live(consumer)
                arrivals = consumer.snapshot()
            finally:
                self.agent.abandon()
        self._judge(arrivals)

    def _live(self, consumer):
        scene = self._scene(self)
        next(scene)
        self.agent.start()
        with Watch(self.agent) as watch:
            if self._is_ill:
                self.agent.wait_until_up()
            else:
                consumer.wait_for_count(5, 60)
            time.sleep(1)
            watch.peak_kib = before = watch.pss_kib()
            if not self._is_up:
                self.broker.stop()
                count = len(self.agent.durable_segments())
                if not self._is_ill:
                    wait_until(lambda: len(self.agent.durable_segments()) > count + 3, 30, "segments without a broker")
            arrived = consumer.count
            next(scene)
            self._look()
            self.arrived_meanwhile = consumer.count - arrived
            count = len(self.agent.durable_segments())
            next(scene, None)
            mended = time.monotonic()
            wait_until(lambda: len(self.agent.durable_segments()) > count and self.agent.status()["store"]["disk_ok"], 2 * RECOVERY_SECONDS_MAX,
                       "recovery once the disk is back", every=0.2)
            self.recovered = time.monotonic() - mended
            time.sleep(1.5)
            self.grown = watch.peak_kib - before
        self.late = watch.machine_late
        if not self._is_up:
            # Whatever it called durable must be on the disk that a next start finds.
            self.agent.kill()
            self.agent.start()
            self.broker.start()
            consumer.wait_subscribed()
        try:
            Delivery(self.agent, consumer).settle(DELIVERY_SECONDS_MAX, lives=2)
        except TimeoutError as error:
            self.violations.append(str(error).splitlines()[0])

    def wait_for_drops(self):
        wait_until(lambda: any(lane["dropped_readings"] > 0 for lane in self.agent.status()["store"]["lanes"].values()), 60,
                   "readings dropped from memory", every=0.3)

    def _look(self):
        """While the disk is away: what it says to a person."""
        end = time.monotonic() + self._away
        pages = []
        while time.monotonic() < end or (self._says and not self._is_said(pages) and time.monotonic() < end + SAID_SECONDS_MAX):
            if not self.agent.running:
                raise RuntimeError(f"the agent ended:\n{self.agent.last_words()}")
            pages.append(self.agent.command("status", "--socket", self.agent.socket).stdout)
            time.sleep(0.5)
        lines = complaints(self.agent)
        self.complaints = len(lines)
        if self._says and not any(all(word in line for word in self._says) for line in lines):
            self.violations.append(f"no line of the log says {' and '.join(self._says)}: {lines}")
        if self._says and not self._is_said(pages):
            self.violations.append(f"`fieldpost status` does not say {' and '.join(self._says)}: {pages[-1:]}")
        # What is acknowledged makes room on a full disk, and it may be full once more.
        recoveries = sum("outbox can be written again" in line for line in self.agent.log_lines())
        if self.complaints > (1 + recoveries if self._says else 0):
            self.violations.append(f"{self.complaints} lines complain of one disk: {lines}")

    def _is_said(self, pages):
        return any("DISK:" in line and all(word in line for word in self._says) for page in pages for line in page.splitlines())

    def _judge(self, arrivals):
        verdict = judge.check(judge.History(self.agent.runs, arrivals, FLUSH_SECONDS), start_allowance=RECOVERY_SECONDS_MAX)
        self.figures = figures = verdict.figures
        self.violations += verdict.violations + schema.violations(arrivals)
        # Where readings were lost the times have holes; there the values show that all of them were taken.
        self.widest = widest_gap(arrivals, self.agent.runs) if not figures["missing_values"] else 0.0
        if self.widest - self.late > GAP_INTERVALS_MAX * INTERVAL_SECONDS:
            self.violations.append(f"sampling paused: {self.widest * 1000:.0f} ms between two readings; the machine itself was "
                                   f"{self.late * 1000:.0f} ms late at most")
        # With the link up a message may have arrived whose acknowledgement the lost database never saw; and what is told of noise, which
        # has no values to count by, is judged by tests/end_to_end/test_thinning.py.
        told, lost = figures["gap_readings"], figures["missing_values"]
        if told < lost or (told > lost and not self._is_up and "source.noise" not in self.agent.sections):
            self.violations.append(f"{lost} readings are missing, gaps tell {told}")
        if self.recovered > RECOVERY_SECONDS_MAX:
            self.violations.append(f"recovered only after {self.recovered:.0f} s")
        if self.grown > PSS_GROWTH_KIB_MAX:
            self.violations.append(f"memory rose by {self.grown} KiB, allowed are {PSS_GROWTH_KIB_MAX}")
        if figures["received_readings"] == 0:
            self.violations.append("nothing was tried")

    def line(self):
        return (f"  {self.name:40} away {self._away:4.1f} s, back after {self.recovered:4.1f} s, {self.figures.get('ramp_received', 0)} readings, "
                f"{self.arrived_meanwhile} messages meanwhile, missing {self.figures.get('missing_values', '?')}, told "
                f"{self.figures.get('gap_readings', '?')}, gap {self.widest * 1000:.0f} ms, +{self.grown} KiB"
                + "".join(f"\n    violation: {violation}" for violation in self.violations))


def complaints(agent):
    return [line for line in agent.log_lines() if "outbox cannot be written" in line]


def report(trials):
    def total(name):
        return sum(trial.figures.get(name, 0) for trial in trials)
    violations = sum(len(trial.violations) for trial in trials)
    print(f"disks={len(trials)} readings={total('ramp_received')} missing={total('missing_values')} told={total('gap_readings')} "
          f"lost_untold={total('lost')} duplicates={total('duplicates')} order_violations={total('order_violations')} "
          f"arrived_while_away={sum(trial.arrived_meanwhile for trial in trials)} "
          f"recovered_after_max={max(trial.recovered for trial in trials):.1f}s widest_gap={max(trial.widest for trial in trials) * 1000:.0f}ms "
          f"machine_late_max={max(trial.late for trial in trials) * 1000:.0f}ms "
          f"pss_anon_growth_max={max(trial.grown for trial in trials)}KiB violations={violations}", flush=True)
    return violations == 0


if __name__ == "__main__":
    sys.exit(main())
