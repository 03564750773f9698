#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign cuts`: cuts the power of a store on a disk in memory, at any change of it, and looks at what may be left:
nothing durable may be lost, altered, doubled or renumbered, and gaps must count exactly what was dropped.

A tenth as many cuts follow with bytes of the database going bad and older copies of it put back in between: what that costs
must be told by gaps, and no number may be used twice; and a tenth on a disk that ignores one sync in ten and says nothing: there
the store must start and alter nothing, and what is lost is counted. The work is done by build/release/tests/campaigns/cuts, one process a core, each
with a seed of its own; a violation names its chain, and `cuts --chain N` repeats that one alone.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build/release/tests/campaigns/cuts"
LIES_PER_THOUSAND = 100
BREAKS = ("no-sync", "early-promise", "early-delete", "late-marks", "forgets-handed-out")


def main():
    arguments = parse_arguments()
    if not os.access(arguments.program, os.X_OK):
        sys.exit(f"cuts: {arguments.program} is not there: run ./dev build release cuts (it is for 64-bit targets only)")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with --seed {seed} --jobs {arguments.jobs}), {arguments.count} cuts, {arguments.jobs} processes", flush=True)
    extra = ["--break", arguments.break_] if arguments.break_ else []
    phases = (("honest", arguments.count, []), ("damaged", max(1, arguments.count // 10), ["--damage", "1"]),
              ("lying", max(1, arguments.count // 10), ["--lies", str(LIES_PER_THOUSAND)]))
    content, line = True, []
    for number, (name, count, options) in enumerate(phases):
        figures, ok = run(arguments, seed + number, count, [*options, *extra])
        print(f"{name} disk: " + " ".join(f"{key}={value}" for key, value in figures.items()), flush=True)
        content &= ok and figures["cuts"] >= count
        line += [f"{name}_{key}={figures[key]}" for key in ("cuts", "violations", "lost", "lost_and_told", "reused_numbers", "merged", "thinned")]
    print(" ".join(line))
    return 0 if content else 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev campaign cuts", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=50_000, help="cuts (50000); a tenth of them again with damage, and on a lying disk")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--break", dest="break_", choices=BREAKS, help="break the store so, to see this campaign fail")
    parser.add_argument("--program", type=Path, default=PROGRAM, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(arguments, seed, count, extra):
    """The sum of what all processes found, and whether each of them was content."""
    share = -(-count // arguments.jobs)
    running = [subprocess.Popen([str(arguments.program), "--seed", str(seed * 1000 + number), "--count", str(share), *extra],
                                stdout=subprocess.PIPE, text=True) for number in range(arguments.jobs)]
    total, content = Counter(cuts=0), True
    for process in running:
        output = process.communicate()[0].splitlines()
        content &= process.returncode == 0
        for line in output[:-1]:
            print(line)
        figures = dict(re.findall(r"(\w+)=(\d+)", output[-1])) if output else {}
        if "violations" not in figures:
            print(f"violation: a process ended with {process.returncode} and no figures")
            total["violations"] += 1
        total.update({name: int(value) for name, value in figures.items()})
    return total, content


if __name__ == "__main__":
    sys.exit(main())
