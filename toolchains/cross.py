#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev cross`: the shipped binary for each target, built, looked into, and run.

For each target: builds the static binary and its unit tests; refuses one that has an interpreter or a dynamic section
(it would need something of the system it lands on) or is larger than its budget; lets it say its version and runs the
unit tests under QEMU's user emulation. Ends with a table of sizes in bytes.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run_tests  # noqa: E402
import sizes  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
EMULATORS = {"aarch64": "qemu-aarch64-static", "armhf": "qemu-arm-static", "armel": "qemu-arm-static",
             "riscv64": "qemu-riscv64-static", "x86_64": None}
BUDGET_BYTES = {"aarch64": 5 * 512 * 1024}  # 2.5 MiB


class Arguments:
    pattern = None


def inspect(path):
    """Sizes of the sections that matter, and what a static binary must not have."""
    text = subprocess.run(["readelf", "-SlW", str(path)], capture_output=True, text=True, check=True).stdout
    sections = {name: int(size, 16) for name, size in
                re.findall(r"^\s*\[\s*\d+\] (\.\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", text, re.MULTILINE)}
    faults = []
    if re.search(r"^\s*INTERP\s", text, re.MULTILINE):
        faults.append("has an interpreter")
    if re.search(r"^\s*DYNAMIC\s", text, re.MULTILINE) or ".dynamic" in sections:
        faults.append("has a dynamic section")
    if ".symtab" in sections:
        faults.append("is not stripped")
    return sections, faults


def one_target(target, with_tests):
    """(row of the table, sentences of what is wrong)"""
    preset = f"cross-{target}"
    run_tests.say(f"{target}: building")
    started = time.monotonic()
    if not run_tests.build(preset, () if with_tests else ("fieldpost",)):
        return None, [f"{target}: the build failed"]
    program = ROOT / "build" / preset / "agent" / "fieldpost"
    sections, faults = inspect(program)
    size = program.stat().st_size
    budget = BUDGET_BYTES.get(target)
    if budget and size > budget:
        faults.append(f"is {size:,} bytes, {size - budget:,} over its budget of {budget:,}"
                      f" (toolchains/sizes.py {program.relative_to(ROOT)}.map tells who)")
    command = [str(program), "version"]
    if EMULATORS[target]:
        command.insert(0, EMULATORS[target])
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if said.returncode != 0:
            faults.append(f"`fieldpost version` ended with {said.returncode}: {said.stderr.strip()[-200:]}")
    except (OSError, subprocess.TimeoutExpired) as error:
        faults.append(f"`fieldpost version` did not run: {error}")
    outcome = "not run"
    if with_tests:
        run_tests.say(f"{target}: unit tests")
        tally = run_tests.unit_tests(preset, target, Arguments)
        outcome = tally.line()
        faults += tally.failures
        for reason in tally.skips:
            print(f"SKIPPED {reason}")
    row = [target, f"{size:,}", *(f"{sections.get(name, 0):,}" for name in (".text", ".rodata", ".data", ".bss")),
           f"{budget:,}" if budget else "-", outcome, f"{time.monotonic() - started:.0f} s"]
    return row, [fault if fault.startswith(target) else f"{target}: the binary {fault}" for fault in faults]


def main():
    parser = argparse.ArgumentParser(prog="./dev cross", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=" ".join(EMULATORS) + " (all of them by default)")
    parser.add_argument("--no-tests", action="store_true", help="only the binary")
    parser.add_argument("--by-library", action="store_true", help="also who fills each binary")
    arguments = parser.parse_args()
    unknown = [target for target in arguments.targets if target not in EMULATORS]
    if unknown:
        parser.error(f"no target '{unknown[0]}'; there are {', '.join(EMULATORS)}")

    rows, faults = [["target", "bytes", "text", "rodata", "data", "bss", "budget", "unit tests", "took"]], []
    targets = arguments.targets or list(EMULATORS)
    for target in targets:
        row, wrong = one_target(target, not arguments.no_tests)
        faults += wrong
        if row:
            rows.append(row)
    run_tests.say("binaries")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if column in (0, 7) else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))))
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
