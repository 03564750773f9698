#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign vm_clocks`: the static aarch64 binary on a real ARM kernel in QEMU, whose clock starts in 1970, is ten years off, is
stepped there and back, and learns the time late; readings are taken all the while, and bear the right time once it is known.

The broker and the consumer are on this machine, which knows the time; the board (tests/tools/arm_board.py) reaches nothing else. The
kernel's clock is set as an NTP client sets it: clock_settime, then adjtimex. Each round ends with the plug pulled: the next boot
starts in 1970 again, or ten years ahead, with the disk of the one before.
"""

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import processes  # noqa: E402
from tests.campaigns.clocks import Boot, judge  # noqa: E402
from tests.tools import arm_board  # noqa: E402
from tests.tools.agent import toml_text  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import boot_seconds, wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

BINARY = processes.ROOT / "build/cross-aarch64/agent/fieldpost"
INTERVAL_SECONDS = 1
PAUSE_SECONDS_MAX = 2 * INTERVAL_SECONDS
YEAR = 365.25 * 86400
PATIENCE = 120
TEN_YEARS_AHEAD = time.strftime("%Y-%m-%dT00:00:00", time.gmtime(time.time() + 10 * YEAR))
IN_1970 = "1970-01-01T00:00:00"


def main():
    arguments = parse_arguments()
    reason = arm_board.unavailable_because()
    if reason:
        sys.exit(f"vm_clocks: {reason}")
    if not os.access(arguments.binary, os.X_OK):
        sys.exit(f"vm_clocks: {arguments.binary} is not there: run ./dev build cross-aarch64 fieldpost")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with --seed {seed}), {arguments.count} rounds, {arguments.binary}", flush=True)
    with Scratch("vm") as scratch:
        figures, violations = campaign(arguments, scratch, random.Random(seed))
        for violation in violations:
            print(f"violation: {violation}")
        if violations:
            print(f"logs are left in {scratch.keep()}")
    print(processes.text_of({**figures, "violations": len(violations)}))
    return 1 if violations else 0


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign vm_clocks", description=__doc__.split("\n\n", maxsplit=1)[0], allow_abbrev=False)
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=processes.positive, default=3, help="rounds of all scenes on one board (3)")
    parser.add_argument("--steps", type=int, default=10, help="steps of the running board's clock in a round (10)")
    parser.add_argument("--scenes", type=lambda text: text.split(","), default=list(SCENES), help="only these: " + ", ".join(SCENES))
    parser.add_argument("--break", dest="break_", choices=("believe",), help="the kernel vouches for a wrong time, to see this campaign fail")
    parser.add_argument("--binary", type=Path, default=BINARY, help="agent for aarch64 (the built one)")
    arguments = parser.parse_args(words)
    if unknown := set(arguments.scenes) - set(SCENES):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    return arguments


def campaign(arguments, scratch, chance, pause_seconds_max=PAUSE_SECONDS_MAX):
    authority = CertificateAuthority(scratch.folder("ca"))
    # One name for the board, one for the consumer.
    certificate = authority.server("localhost", arm_board.HOST_ADDRESS)
    with Broker(scratch.folder("broker"), authority, certificate=certificate) as broker, \
            Consumer(broker, authority.client("consumer")) as consumer:
        stage = Stage(arguments, scratch, authority, broker, consumer, chance)
        try:
            for number in range(arguments.count):
                for name in arguments.scenes:
                    began = len(stage.messages())
                    SCENES[name](stage)
                    print(f"  round {number + 1} {name}: {len(stage.messages()) - began} messages, kernel {stage.board.kernel.release}", flush=True)
        except (TimeoutError, RuntimeError) as error:
            stage.violations.append(f"{error}; the agent says: {stage.last_words()}")
        finally:
            stage.board.power_off()
    found, said = judge(stage.messages(), lambda document: stage.boots[document["boot"]], pause_seconds_max)
    return Counter(boots=len(stage.boots), steps=stage.steps, **found), stage.violations + said


class Stage:
    """One board with its disk, and the truth about each of its boots."""

    def __init__(self, arguments, scratch, authority, broker, consumer, chance):
        self.broker, self.consumer, self.chance, self.steps_a_round = broker, consumer, chance, arguments.steps
        self.believed = arguments.break_ == "believe"
        self.boots, self.boot, self.steps, self.violations = {}, None, 0, []
        device = authority.client("vm-board")
        configuration = scratch.path / "agent.toml"
        configuration.write_text(configuration_text(broker.port), encoding="ascii")
        self.board = arm_board.ArmBoard(scratch.folder("board"), {
            "/bin/fieldpost": arguments.binary, "/etc/fieldpost/agent.toml": configuration, "/etc/fieldpost/ca.pem": authority.file,
            "/etc/fieldpost/device.pem": device.certificate_file, "/etc/fieldpost/device.key": device.key_file})

    def power_on(self, clock):
        self.board.power_on(clock)
        offset, error = self.board.boot_offset()
        self.boot = self.boots[self.board.boot_id()] = Boot(offset, error)
        if self.believed:
            self.board.set_clock(offset + 3600, synchronised=True)
        self.board.run("chmod 600 /etc/fieldpost/device.key; mkdir -p /state/fieldpost; "
                       "fieldpost run --config /etc/fieldpost/agent.toml </dev/null >/tmp/agent.log 2>&1 &")

    def set_clock(self, offset):
        """By hand, or by a clock that is wrong: the kernel does not vouch for it."""
        self.steps += 1
        self.board.set_clock(offset, synchronised=self.believed)

    def synchronise(self):
        """As NTP does, by a step."""
        self.steps += 1
        asked, known_at = boot_seconds(), self.board.clock()[0]
        self.board.set_clock(self.boot.offset, synchronised=True, error=max(0.005, 2 * self.boot.error))
        commits = self.log_lines("segment durable")
        wait_until(lambda: self.log_lines("segment durable") >= commits + 2, PATIENCE, "two commits: each looks at the clock", every=1)
        self.boot.note_known(asked, boot_seconds(), known_at)

    def learn_the_time_and_reconnect(self):
        self.synchronise()
        self.broker.start()
        self.consumer.wait_subscribed()
        self.wait_for_messages(trusted=True, more=12)

    def messages(self):
        return [(arrival.received, json.loads(arrival.payload)) for arrival in self.consumer.snapshot()]

    def wait_for_messages(self, trusted, more=5):
        """So many more of this boot."""
        def count():
            return sum(self.boots[document["boot"]] is self.boot and document["time"]["trusted"] == trusted for _, document in self.messages())
        wanted = count() + more
        wait_until(lambda: count() >= wanted, PATIENCE, f"{more} more {'trusted' if trusted else 'marked'} messages", every=0.5)

    def wait_for_log(self, text):
        wait_until(lambda: self.log_lines(text) > 0, PATIENCE, f"'{text}' in the agent's log", every=1)

    def log_lines(self, text):
        return int(self.board.run(f"grep -c '{text}' /tmp/agent.log || true"))

    def last_words(self):
        try:
            return self.board.run("grep -v 'segment durable' /tmp/agent.log | tail -n 15")
        except (OSError, TimeoutError, RuntimeError) as error:
            return str(error)


def late_time(stage):
    """Starts in 1970, connects all the same, sends marked readings; loses the broker; the time comes by a step; the rest is right."""
    stage.power_on(IN_1970)
    if len(stage.boots) == 1 and not stage.believed:  # later ones know from the disk that it is not 1970
        stage.wait_for_log("certificate accepted before its time")
    stage.wait_for_messages(trusted=stage.believed)
    stage.broker.stop()
    time.sleep(10)
    stage.learn_the_time_and_reconnect()


def stepped(stage):
    """The clock that was right goes ten years off and back, to 1970 and to 2038, while readings are taken and sent."""
    for number in range(stage.steps_a_round):
        away = (10 * YEAR, -10 * YEAR)[number] if number < 2 else stage.chance.choice(
            (3600, -3600, 2, -2, 10 * YEAR, -stage.boot.offset, 2**31 - time.time()))
        stage.set_clock(stage.boot.offset + away)
        time.sleep(stage.chance.uniform(0.5, 3))
        if stage.chance.random() < 0.4:
            stage.set_clock(stage.boot.offset)
            time.sleep(stage.chance.uniform(0.5, 2))
    stage.synchronise()
    stage.wait_for_messages(trusted=True)


def no_battery(stage):
    """The plug is pulled with readings unsent; the next boot is in 1970 again, without a broker at first."""
    stage.broker.stop()
    time.sleep(5)
    stage.board.power_off()
    stage.power_on(IN_1970)
    time.sleep(8)
    stage.learn_the_time_and_reconnect()


def ten_years_ahead(stage):
    """A clock that comes up ten years ahead takes the broker's certificate for expired, keeps everything, and sends it right later."""
    stage.board.power_off()
    stage.power_on(TEN_YEARS_AHEAD)
    stage.wait_for_log("expired at")
    time.sleep(5)
    stage.synchronise()
    stage.wait_for_messages(trusted=True, more=10)
    stage.board.power_off()


SCENES = {"late_time": late_time, "stepped": stepped, "no_battery": no_battery, "ten_years_ahead": ten_years_ahead}


def configuration_text(port):
    sections = {
        "device": {"name": "vm-board", "state_directory": "/state/fieldpost"},
        "outbox": {"flush_interval": "1s"},
        "log": {"level": "debug"},
        "control": {"socket": "/tmp/control.sock"},
        "broker": {"url": f"mqtts://{arm_board.HOST_ADDRESS}:{port}", "ca_file": "/etc/fieldpost/ca.pem",
                   "certificate_file": "/etc/fieldpost/device.pem", "key_file": "/etc/fieldpost/device.key", "backoff_max": "2s"},
        "source.ramp": {"driver": "simulated", "shape": "ramp", "series": 3, "interval": f"{INTERVAL_SECONDS}s"},
    }
    return "\n".join(f"[{name}]\n" + "".join(f"{key} = {toml_text(value)}\n" for key, value in keys.items()) for name, keys in sections.items())


if __name__ == "__main__":
    sys.exit(main())
