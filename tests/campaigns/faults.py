#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign faults`: the n-th call of the system and the n-th allocation of the store fails, for each n on the path from
a reading to its acknowledgement: nothing durable is lost, nothing comes under two numbers, and it goes on after the fault.

Each call with each error that it may give (and reads and writes that do half), once, from there on, and for all of its kind;
each allocation of SQLite and zstd once and from there on; and at each use of operator new the process ends, as the agent
does for want of memory, and another one goes on. After half of them the power goes as well. Done by
build/release/tests/campaigns/faults in memory, one process a core; a violation names its trial, and `faults --only TRIAL`
repeats that one alone. Then, with strace, calls of the real agent (faults_binary.py), connected to a real broker.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import faults_binary, processes  # noqa: E402
from tests.tools import failing_calls  # noqa: E402

BREAKS = ("early-promise", "forgetful")


def main():
    arguments = parse_arguments()
    seed = processes.begin("faults", arguments, f"{arguments.count} faults" if arguments.count else "every fault")
    figures, content = processes.run(arguments, [["--seed", seed, "--count", arguments.count, "--part", part, "--parts", arguments.jobs]
                                                 for part in range(arguments.jobs)])
    content = content and figures["trials"] >= max(1, arguments.count)
    line = processes.text_of(figures)
    if arguments.binary or arguments.every_of_binary:
        if reason := failing_calls.unavailable_because():
            sys.exit(f"faults: {reason}")
        print(f"violations so far: {figures['violations']}; now the real agent", flush=True)
        of_binary, is_well = faults_binary.run(random.Random(seed), 0 if arguments.every_of_binary else arguments.binary)
        content = content and is_well
        line += "".join(f" agent_{name}={value}" for name, value in of_binary.items())
    print(line)
    return 0 if content else 1


def parse_arguments():
    parser = processes.parser("faults", __doc__, BREAKS)
    parser.add_argument("--count", type=int, default=0, help="faults at random (0: every one, a quarter of an hour)")
    parser.add_argument("--binary", type=int, default=200, help="faults at random of the real agent (200; 0: none)")
    parser.add_argument("--every-of-binary", action="store_true", help="every fault of the real agent (about an hour)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
