#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign faults`: the n-th call of the system and the n-th allocation of the store fails, for each n on the path from
a reading to its acknowledgement: nothing durable is lost, nothing comes under two numbers, and it goes on after the fault.

Each call with each error that it may give (and reads and writes that do half), once, from there on, and for all of its kind;
each allocation of SQLite and zstd once and from there on; and at each use of operator new the process ends, as the agent
does for want of memory, and another one goes on. After half of them the power goes as well. Done by
build/release/tests/campaigns/faults in memory, one process a core; a violation names its trial, and `faults --only TRIAL`
repeats that one alone.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build/release/tests/campaigns/faults"
BREAKS = ("early-promise", "forgetful")


def main():
    arguments = parse_arguments()
    if not os.access(arguments.program, os.X_OK):
        sys.exit(f"faults: {arguments.program} is not there: run ./dev build release faults (it is for 64-bit targets only)")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    amount = f"{arguments.count} faults" if arguments.count else "every fault"
    print(f"seed {seed} (repeat with --seed {seed}), {amount}, {arguments.jobs} processes", flush=True)
    command = [str(arguments.program), "--seed", str(seed), "--count", str(arguments.count), "--parts", str(arguments.jobs)]
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
            total[name] = max(total[name], int(value)) if name.endswith("_max") else total[name] + int(value)
    print(" ".join(f"{key}={value}" for key, value in total.items()))
    return 0 if content and total["trials"] >= arguments.count else 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev campaign faults", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=0, help="faults at random (0: every one, a quarter of an hour)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--break", dest="break_", choices=BREAKS, help="break the store so, to see this campaign fail")
    parser.add_argument("--program", type=Path, default=PROGRAM, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
