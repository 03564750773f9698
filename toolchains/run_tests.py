#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev test`: every test that can run here, and one closing line that adds them up.

Stages, in the order in which they are quickest to say no:
  rules   house rules: include directions, names, first lines (pytest tests/house_rules)
  unit    unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
  system  the shipped binary: golden files, TLS matrix, end to end with a real broker (pytest tests); it waits most of its time,
          so some of its tests run at once, and the stages below meanwhile; what it said follows theirs
  tsan    unit tests under ThreadSanitizer, of the rooms that have threads
  arm     the static aarch64 and armhf builds: looked into, held against their budget, and run under QEMU: the unit tests
          that a processor could fail (all of them: ./dev cross --all-tests), and readings over mutual TLS to a real broker;
          the aarch64 one also on a real ARM kernel in QEMU (pytest tests/vm)
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import emulation  # noqa: E402
import selection  # noqa: E402
import static_binary  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARM = ("aarch64", "armhf")
JOBS = str(os.cpu_count() or 2)
# Tests with a real broker wait for most of their time.
WAITING_JOBS = str(2 * (os.cpu_count() or 2))


class Tally:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skips = []

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures
        self.skips += other.skips

    def line(self):
        return f"{self.passed} passed, {len(self.failures)} failed, {len(self.skips)} skipped"


def say(text):
    print(f"\n== {text}", flush=True)


def configure(preset):
    """True if CMake is content; its own words are on the terminal if not."""
    log = ROOT / "build" / f"{preset}.configure.log"
    log.parent.mkdir(exist_ok=True)
    with open(log, "w", encoding="utf-8") as output:
        return subprocess.run(["cmake", "--preset", preset], cwd=ROOT, stdout=output, check=False).returncode == 0


def build(preset, targets=()):
    command = ["nice", "cmake", "--build", "--preset", preset, "-j", JOBS]
    if targets:
        command += ["--target", *targets]
    return configure(preset) and subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def registered_tests(preset):
    """A configured build's tests, built or not, as ctest describes them."""
    listing = subprocess.run(["ctest", "--test-dir", str(ROOT / "build" / preset), "--show-only=json-v1"], cwd=ROOT, check=True,
                             capture_output=True, text=True)
    return json.loads(listing.stdout)["tests"]


def read_results(path, label, tally):
    """One JUnit file, GoogleTest's or pytest's: they differ in how they spell a skipped test."""
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{label}: {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failures.append(name)
        elif skipped is not None:
            reason = (skipped.get("message") or skipped.text or "").strip().splitlines()
            tally.skips.append(f"{name}: {reason[-1] if reason else 'says not why'}")
        elif case.get("status", "run") == "run":
            tally.passed += 1
        else:
            tally.skips.append(f"{name}: disabled in its source")


def unit_tests(preset, label, arguments, select=selection.everything, without=()):
    tally = Tally()
    if not configure(preset):
        tally.failures.append(f"{label}: CMake does not configure {preset}")
        return tally
    try:
        tests, targets = select(registered_tests(preset))
    except selection.Stale as stale:
        tally.failures.append(f"{label}: {stale}")
        return tally
    if not build(preset, targets):
        tally.failures.append(f"{label}: the build of {preset} failed")
        return tally
    directory = ROOT / "build" / preset
    results = directory / "results"
    shutil.rmtree(results, ignore_errors=True)
    environment = dict(os.environ)
    if arguments.pattern or without:
        environment["GTEST_FILTER"] = (f"*{arguments.pattern}*" if arguments.pattern else "*") + "-" + ":".join(without)
    subprocess.run(["ctest", "--test-dir", str(directory), "--output-on-failure", "-j", JOBS, "--progress",
                    "-R", f"^({'|'.join(tests)})$"], cwd=ROOT, env=environment, check=False)
    for test in tests:
        try:
            read_results(results / f"{test}.xml", label, tally)
        except (OSError, xml.etree.ElementTree.ParseError):
            tally.failures.append(f"{label}: {test} died, hung or wrote no result")
    return tally


def python_tests(label, folders, arguments, environment, jobs=None, output=None):
    tally = Tally()
    result = ROOT / "build" / f"pytest-{label}.xml"
    result.parent.mkdir(exist_ok=True)
    result.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", f"--junitxml={result}", *folders]
    if jobs:
        command += ["-n", jobs, "--dist", "loadgroup"]
    if arguments.pattern:
        command += ["-k", arguments.pattern]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output, check=False).returncode
    try:
        read_results(result, label, tally)
    except (OSError, xml.etree.ElementTree.ParseError):
        tally.failures.append(f"{label}: pytest wrote no result (exit code {code})")
    if code not in (0, 5) and not tally.failures:  # 5: nothing was selected
        tally.failures.append(f"{label}: pytest ended with exit code {code}")
    return tally


def stage_rules(arguments):
    return python_tests("rules", ["tests/house_rules"], arguments, {})


def stage_unit(arguments):
    return unit_tests("debug", "unit", arguments)


def stage_system(arguments, output=None):
    """Of a release that is built."""
    environment = {"FIELDPOST_BINARY": str(ROOT / "build/release/agent/fieldpost")}
    probe = ROOT / "build/debug/tests/agent/link/link_probe"
    if probe.exists():
        environment["FIELDPOST_LINK_PROBE"] = str(probe)  # under sanitizers: the matrix is their best chance to speak
    return python_tests("system", ["tests", "--ignore=tests/house_rules", "--ignore=tests/vm"], arguments, environment, WAITING_JOBS, output)


def stage_tsan(arguments):
    return unit_tests("tsan", "tsan", arguments, selection.for_tsan)


# From the shipped binary through a real mosquitto that wants a client certificate to a consumer that counts; and who is refused.
PUBLISH = ("test_publish.py", "test_real_counters.py::test_the_kernels_own_values_arrive",
           "test_refusals.py::test_a_broker_with_the_wrong_name", "test_refusals.py::test_a_broker_of_an_unknown_authority",
           "test_refusals.py::test_no_client_certificate_where_the_broker_wants_one")


def publish(target, arguments):
    """Needs a built cross-`target`."""
    return python_tests(f"publish-{target}", [f"tests/end_to_end/{test}" for test in PUBLISH], arguments,
                        {"FIELDPOST_BINARY": str(emulation.startable(target))})


def stage_arm(arguments):
    tally = Tally()
    for target in ARM:
        missing = emulation.missing_emulator(target)
        if missing:
            tally.skips.append(f"{target}: {missing} is not installed (./dev setup cross)")
            continue
        preset = f"cross-{target}"
        tally.add(unit_tests(preset, target, arguments, selection.for_architecture, selection.SLOW_UNDER_QEMU))
        if build(preset, ["fieldpost"]):
            tally.failures += static_binary.StaticBinary(target, ROOT / "build" / preset / "agent/fieldpost").faults()
            tally.add(publish(target, arguments))
            if target == "aarch64":
                tally.add(python_tests("vm", ["tests/vm"], arguments, {}, WAITING_JOBS))
        else:
            tally.failures.append(f"{target}: the build of fieldpost failed")
    return tally


class Beside:
    """Stage system at its work while other stages are at theirs."""

    def __init__(self, arguments):
        self._log = open(ROOT / "build" / "system.log", "w+", encoding="utf-8")
        self._began = time.monotonic()
        self._result = concurrent.futures.ThreadPoolExecutor(1).submit(self._work, arguments)

    def _work(self, arguments):
        return stage_system(arguments, self._log), time.monotonic() - self._began

    def wait(self):
        """Its tally, and the seconds it took."""
        result = self._result.result()
        self._log.seek(0)
        print(self._log.read(), flush=True)
        return result


STAGES = {"rules": stage_rules, "unit": stage_unit, "system": stage_system, "tsan": stage_tsan, "arm": stage_arm}


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="pattern", metavar="NAME",
                        help="only tests whose name holds NAME: Suite.Case of GoogleTest (* and ? allowed), or pytest's -k")
    parser.add_argument("--fast", action="store_true", help="only rules and unit")
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this stage; may be given again")
    arguments = parser.parse_args()

    chosen = arguments.stage or (["rules", "unit"] if arguments.fast else list(STAGES))
    total, lines, began = Tally(), [], time.monotonic()

    def close(name, tally, seconds):
        total.add(tally)
        lines.append(f"  {name:<8}{tally.line()}  ({seconds:.0f} s)")

    beside = None
    for name in chosen:
        say(f"stage {name}")
        started = time.monotonic()
        if name != "system":
            tally = STAGES[name](arguments)
            close(name, tally, time.monotonic() - started)
        elif not build("release", ["fieldpost", "day_of_readings"]):
            total.failures.append("system: the build of release failed")
        else:
            beside = Beside(arguments)
            print("at work: build/system.log", flush=True)
    if beside:
        say("stage system")
        close("system", *beside.wait())
    say(f"{time.monotonic() - began:.0f} s in all")
    print("\n".join(lines))
    for reason in total.skips:
        print(f"SKIPPED {reason}")
    for failure in total.failures:
        print(f"FAILED  {failure}")
    if not total.passed and not total.failures:
        total.failures.append("nothing")
        print(f"FAILED  no test has a name with '{arguments.pattern}' in it" if arguments.pattern else "FAILED  no test ran")
    print(total.line())
    sys.exit(1 if total.failures else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
