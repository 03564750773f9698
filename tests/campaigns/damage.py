#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign damage`: inverts every byte of a store's files, cuts them at every length, and puts other things in their
place: the store starts, sends nothing wrong, uses no number twice, tells what is lost, and takes new readings.

The files are those of a store that was killed: outbox.db, state.db, the log of each, marks, mirror and reserve; once with a
log not yet written back, once with one that was. Besides: each bit of the small ones, sectors and blocks of garbage and zeros,
pages that changed places, and files that are gone, empty, another one, a directory, a FIFO or a link to nowhere. This is
done by build/release/tests/campaigns/damage in memory, one process a core; a violation names its trial, and `damage --only
TRIAL` repeats that one alone. Then places at random in the files of the real agent (damage_binary.py), which starts on them,
connected to a real broker.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import damage_binary  # noqa: E402

PROGRAM = Path(__file__).resolve().parents[2] / "build/release/tests/campaigns/damage"
BREAKS = ("no-crc", "no-marks", "no-gaps")
FIGURES = ("trials", "start_calls_max", "start_cpu_us_max", "lost", "lost_untold", "dropped_before_and_report_lost", "violations")


def main():
    arguments = parse_arguments()
    if not os.access(arguments.program, os.X_OK):
        sys.exit(f"damage: {arguments.program} is not there: run ./dev build release damage (it is for 64-bit targets only)")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    amount = f"{arguments.count} places" if arguments.count else "every place"
    print(f"seed {seed} (repeat with --seed {seed}), {amount}, {arguments.jobs} processes", flush=True)
    content, line = True, []
    for name, written_back in (("log", 0), ("written_back_log", 1)):
        figures, ok = run(arguments, seed, written_back)
        print(f"{name}: " + " ".join(f"{key}={value}" for key, value in figures.items()), flush=True)
        content &= ok and figures["trials"] >= arguments.count
        line += [f"{name}_{key}={figures[key]}" for key in FIGURES]
    if arguments.starts:
        figures, ok = damage_binary.run(random.Random(seed), arguments.starts)
        content &= ok
        line += [f"agent_{key}={value}" for key, value in figures.items()]
    print(" ".join(line))
    return 0 if content else 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev campaign damage", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=0, help="places of each of the two stores, at random (0: every one, half an hour)")
    parser.add_argument("--starts", type=int, default=200, help="starts of the real agent on damaged files (200)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--break", dest="break_", choices=BREAKS, help="break the store so, to see this campaign fail")
    parser.add_argument("--program", type=Path, default=PROGRAM, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(arguments, seed, written_back):
    """The sum of what all processes found, and whether each of them was content."""
    command = [str(arguments.program), "--seed", str(seed), "--count", str(arguments.count), "--parts", str(arguments.jobs),
               "--written-back", str(written_back)]
    if arguments.break_:
        command += ["--break", arguments.break_]
    running = [subprocess.Popen([*command, "--part", str(part)], stdout=subprocess.PIPE, text=True) for part in range(arguments.jobs)]
    total, content = Counter(trials=0), True
    for process in running:
        output = process.communicate()[0].splitlines()
        content &= process.returncode == 0
        figures = dict(re.findall(r"(\w+)=(\d+)", output[-1])) if output else {}
        for line in output[:-1] if figures else output:
            print(line)
        if "violations" not in figures:
            print(f"violation: a process ended with {process.returncode} and no figures")
            total["violations"] += 1
        for name, value in figures.items():
            total[name] = max(total[name], int(value)) if name.endswith("_max") or name == "bytes" else total[name] + int(value)
    return total, content


if __name__ == "__main__":
    sys.exit(main())
