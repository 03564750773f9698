#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign fleet`: many real agents on this machine, one broker, one `fieldpost fleet serve`. A first job reaches all of
them; a second one, which fails on some devices, must stop at its threshold; the server is killed in the middle of both.

What is judged is what the devices' own handlers wrote down: each device runs a job at most once, what the server counts as
succeeded or failed did run with that end, and who is counted as cancelled never ran it.
"""

import argparse
import contextlib
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import processes  # noqa: E402
from tests.tools.agent import Agent  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import wait_until  # noqa: E402
from tests.tools.fleet import FleetServer  # noqa: E402
from tests.tools.process_figures import cpu_seconds, memory_kib  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

START_SECONDS_MAX = 300
JOB_SECONDS_MAX = 600


def main():
    arguments = parse_arguments()
    binary, seed = processes.begin_with_agent("fleet", arguments, f"{arguments.agents} agents")
    with Scratch("fleet") as scratch:
        passed = campaign(binary, scratch, arguments, random.Random(seed))
        if not passed:
            print(f"logs and database are left in {scratch.keep()}")
    return 0 if passed else 1


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign fleet", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--agents", type=int, default=200, help="real agents (200)")
    parser.add_argument("--failures", type=float, default=10, help="percent of them on which the second job fails (10)")
    parser.add_argument("--threshold", type=float, default=5, help="percent at which it must stop (5)")
    parser.add_argument("--min-executed", type=int, default=20, help="but not before so many have finished (20)")
    parser.add_argument("--rate", type=int, default=60, help="devices a minute at first (60)")
    parser.add_argument("--count", type=int, default=2, help="kills of the server in each job (2)")
    parser.add_argument("--binary", help="default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


class Device:
    """One agent, its handlers, and what they wrote down."""

    def __init__(self, binary, folder, broker, certificate, name, fails):
        self.name = name
        self.fails = fails
        folder.mkdir(parents=True)
        self._ran = folder / "ran"
        handlers = folder / "handlers"
        handlers.mkdir(mode=0o700)
        for handler, code in (("good.sh", 0), ("bad.sh", 1 if fails else 0)):
            file = handlers / handler
            file.write_text(f'#!/bin/sh\necho "$FIELDPOST_JOB" >> {self._ran}\nexit {code}\n')
            file.chmod(0o700)
        self.agent = Agent(binary, folder, name=name, broker=broker, certificate=certificate, flush_interval=60,
                           sections={"self": {"enabled": False}, "cloud": {"presence": True}, "jobs": {"handlers_directory": handlers},
                                     "broker": {"url": broker.url, "ca_file": broker.ca.file, "certificate_file": certificate.certificate_file,
                                                "key_file": certificate.key_file, "backoff_max": "5s"}})

    def runs(self, job):
        return self._ran.read_text().split().count(job) if self._ran.exists() else 0


class Meter:
    """Memory and CPU of the server, over all of its lives."""

    def __init__(self, server):
        self._server = server
        self._done = threading.Event()
        self._cpu_before = 0.0
        self._cpu = 0.0
        self._pid = None
        self.peak_pss_kib = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def cpu(self):
        return self._cpu_before + self._cpu

    def _watch(self):
        while not self._done.wait(0.2):
            # Between two lives there is nothing to measure.
            with contextlib.suppress(OSError, AttributeError):
                pid = self._server.pid
                if pid != self._pid:
                    self._cpu_before, self._cpu, self._pid = self.cpu, 0.0, pid
                self._cpu = cpu_seconds(pid)
                self.peak_pss_kib = max(self.peak_pss_kib, memory_kib(pid)["Pss"])


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    names = [f"gw-{number:03}" for number in range(arguments.agents)]
    failing = set(chance.sample(names, max(1, round(arguments.agents * arguments.failures / 100))))
    began = time.monotonic()
    with Broker(scratch.folder("broker"), authority) as broker:
        server = FleetServer(binary, scratch.folder("server"), broker, authority.client("fleet"))
        devices = [Device(binary, scratch.path / "devices" / name, broker, authority.client(name), name, name in failing) for name in names]
        with server, Meter(server) as meter, contextlib.ExitStack() as stack:
            try:
                figures, violations = trial(server, devices, arguments, chance, stack)
            except (TimeoutError, RuntimeError) as error:
                print(f"VIOLATION: {error}")
                return False
    print_figures(figures | {"agents": len(devices), "server_peak_pss_kib": meter.peak_pss_kib, "server_cpu_s": f"{meter.cpu:.2f}",
                             "lasted_s": f"{time.monotonic() - began:.0f}", "violations": len(violations)})
    for violation in violations:
        print(f"VIOLATION: {violation}")
    return not violations


def trial(server, devices, arguments, chance, stack):
    for device in devices:
        stack.callback(device.agent.abandon)
        device.agent.start()

    def online():
        return sum(row["online"] == "yes" for row in server.devices().values()) == len(devices)
    wait_until(online, START_SECONDS_MAX, f"{len(devices)} agents being there", every=1)
    print(f"  {len(devices)} agents are there", flush=True)
    server.ask("group", "add", "all-of-them", "gw-*")
    good = rollout(server, "good", {"operation": "good.sh"}, ["--rate", "1000"], arguments, chance)
    bad = rollout(server, "bad", {"operation": "bad.sh"}, plan(arguments), arguments, chance)
    time.sleep(2)  # whoever should not have heard of it has the time to show it
    violations = judge(good, "good", devices) + judge(bad, "bad", devices)
    counts = good["counts"]
    if good["state"] != "COMPLETED" or counts["succeeded"] != len(devices):
        violations.append(f"the good job ended {good['state']} with {counts}")
    counts = bad["counts"]
    finished = counts["succeeded"] + counts["failed"]
    if bad["state"] != "STOPPED":
        violations.append(f"the job that fails on {arguments.failures:g} % was not stopped at {arguments.threshold:g} %: {bad['state']} with {counts}")
    elif not counts["canceled"]:
        violations.append("the rollout stopped when nobody was left to be spared")
    reason = bad.get("reason", "")
    pss = [memory_kib(device.agent.pid)["Pss"] for device in devices if device.agent.running]
    return {"good_reached": good["counts"]["succeeded"], "reached": finished, "succeeded": counts["succeeded"], "failed": counts["failed"],
            "cancelled": counts["canceled"], "stopped_at_percent": reason.split(" ")[0] if reason else "never",
            "stopped_at_finished": reason.split(" of ")[1].split(" ")[0] if " of " in reason else "-",
            "agent_pss_kib": round(sum(pss) / max(1, len(pss)))}, violations


def plan(arguments):
    return ["--rate", str(arguments.rate), "--increment", "2", "--increment-after", "20", "--rate-max", str(max(600, arguments.rate)),
            "--abort-threshold", str(arguments.threshold), "--min-executed", str(arguments.min_executed)]


def rollout(server, name, document, options, arguments, chance):
    """The job when it is over. The server is killed on the way."""
    server.create(name, document, "--group", "all-of-them", *options)
    for _ in range(arguments.count):
        time.sleep(chance.uniform(0.3, 3.0))
        server.kill()
        time.sleep(chance.uniform(0.0, 1.0))
        server.start()
    shown = {}
    end = time.monotonic() + JOB_SECONDS_MAX
    while time.monotonic() < end:
        job = server.job(name)
        if job["counts"] != shown:
            shown = job["counts"]
            print(f"  {name}: " + ", ".join(f"{key} {count}" for key, count in shown.items() if count), flush=True)
        if job["over"]:
            print(f"  {name}: {job['state']} {job.get('reason', '')}", flush=True)
            return job
        time.sleep(1)
    raise TimeoutError(f"job {name} is not over after {JOB_SECONDS_MAX} s: {shown}")


def judge(job, name, devices):
    """The server's counts against what the handlers wrote."""
    violations = [f"{device.name} ran {name} {device.runs(name)} times" for device in devices if device.runs(name) > 1]
    ran = [device for device in devices if device.runs(name)]
    failed = sum(device.fails and name == "bad" for device in ran)
    for key, wanted in (("failed", failed), ("succeeded", len(ran) - failed), ("canceled", len(devices) - len(ran))):
        if job["counts"][key] != wanted:
            violations.append(f"the server counts {job['counts'][key]} {key} of {name}, the devices' handlers say {wanted}")
    return violations


def print_figures(figures):
    print(" ".join(f"{name}={value}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
