#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev cross`: the shipped binary for each target, built, looked into, and run.

For each target: builds the static binary and its unit tests; refuses one that has an interpreter or a dynamic section
(it would need something of the system it lands on) or is larger than its budget; runs, under QEMU's user emulation, a probe
that touches every dependency, the unit tests that a processor could fail, and the binary itself: its version, and readings
over mutual TLS to a real broker and consumer. Ends with a table; sizes are bytes.
"""
import argparse
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import emulation  # noqa: E402
import run_tests  # noqa: E402
import selection  # noqa: E402
import sizes  # noqa: E402
import static_binary  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADINGS = ["target", "bytes", "budget", "text", "rodata", "data", "bss", "interpreter", "dynamic", "unit tests", "mTLS publish", "took"]
WORDS = {"target", "interpreter", "dynamic", "unit tests", "mTLS publish"}  # columns that are no numbers


class Arguments:
    pattern = None


def starting_fault(target, built, *words):
    """What is wrong if the built program does not start, or does not end well."""
    name = f"{target}: {built} {' '.join(words)}".rstrip()
    try:
        done = subprocess.run([str(emulation.startable(target, built)), *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{name} did not run: {error}"]
    return [f"{name} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}"] if done.returncode else []


def one_target(target, select):
    """(row of the table, sentences of what is wrong). `select` picks unit tests; None: build and look only."""
    preset = f"cross-{target}"
    run_tests.say(f"{target}: building")
    started = time.monotonic()
    if not run_tests.build(preset, ["fieldpost", "dependency_probe"]):
        return None, [f"{target}: the build failed"]
    binary = static_binary.StaticBinary(target, ROOT / "build" / preset / "agent" / "fieldpost")
    cells = [f"{binary.size:,}", f"{binary.budget:,}" if binary.budget else "-",
             *(f"{binary.sections.get(name, 0):,}" for name in static_binary.SECTIONS),
             "HAS ONE" if binary.interpreter else "none", "HAS ONE" if binary.dynamic else "none"]
    faults = binary.faults()
    outcomes = ["not run", "not run"]
    missing = emulation.missing_emulator(target)
    if missing:
        faults.append(f"{target}: {missing} is not installed, so nothing of it was run (./dev setup cross)")
    else:
        faults += starting_fault(target, "agent/fieldpost", "version") + starting_fault(target, "toolchains/probe/dependency_probe")
    if select and not missing:
        run_tests.say(f"{target}: unit tests")
        tally = run_tests.unit_tests(preset, target, Arguments, select)
        run_tests.say(f"{target}: readings over mutual TLS")
        published = run_tests.publish(target, Arguments)
        outcomes = [tally.line(), "FAILED" if published.failures else f"ok ({published.line()})"]
        faults += tally.failures + published.failures
        for reason in tally.skips + published.skips:
            print(f"SKIPPED {reason}")
    return [target, *cells, *outcomes, f"{time.monotonic() - started:.0f} s"], faults


def main():
    parser = argparse.ArgumentParser(prog="./dev cross", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=" ".join(emulation.EMULATORS) + " (all of them by default)")
    parser.add_argument("--no-tests", action="store_true", help="build and look into the binary, and let it say its version; no more")
    parser.add_argument("--all-tests", action="store_true", help="every unit test that QEMU can show, not only those of architecture")
    parser.add_argument("--by-library", action="store_true", help="also who fills each binary")
    arguments = parser.parse_args()
    unknown = [target for target in arguments.targets if target not in emulation.EMULATORS]
    if unknown:
        parser.error(f"no target '{unknown[0]}'; there are {', '.join(emulation.EMULATORS)}")
    select = selection.for_qemu if arguments.all_tests else selection.for_architecture
    if arguments.all_tests:
        for name, why in selection.NOT_UNDER_QEMU.items():
            print(f"SKIPPED {name}: {why}")

    rows, faults = [HEADINGS], []
    targets = arguments.targets or list(emulation.EMULATORS)
    for target in targets:
        row, wrong = one_target(target, None if arguments.no_tests else select)
        faults += wrong
        if row:
            rows.append(row)
    run_tests.say("binaries")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if heading in WORDS else cell.rjust(width)
                        for heading, cell, width in zip(HEADINGS, row, widths)).rstrip())
    if arguments.by_library:
        for target in targets:
            print(f"\n{target}")
            sizes.by_library(ROOT / f"build/cross-{target}/agent/fieldpost.map")
    for fault in faults:
        print(f"FAILED  {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
