#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign cuts`: cuts the power of a store on a disk in memory, at any change of it, and looks at what may be left:
nothing durable may be lost, altered, doubled or renumbered, and gaps must count exactly what was dropped.

A tenth as many cuts follow with bytes of the database going bad and older copies of it put back in between: what that costs
must be told by gaps, and no number may be used twice; and a tenth on a disk that ignores one sync in ten and says nothing: there
the store must start and alter nothing, and what is lost is counted. The work is done by build/release/tests/campaigns/cuts, one process a core, each
with a seed of its own; a violation names its chain, and `cuts --chain N` repeats that one alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import processes  # noqa: E402

LIES_PER_THOUSAND = 100
BREAKS = ("no-sync", "early-promise", "early-delete", "late-marks", "forgets-handed-out")
FIGURES = ("cuts", "violations", "lost", "lost_and_told", "reused_numbers", "salvaged", "merged", "thinned")


def main():
    arguments = parse_arguments()
    seed = processes.begin("cuts", arguments, f"{arguments.count} cuts")
    tenth = max(1, arguments.count // 10)
    phases = (("honest", arguments.count, []), ("damaged", tenth, ["--damage", 1]), ("lying", tenth, ["--lies", LIES_PER_THOUSAND]))
    content, line = True, {}
    for number, (name, count, options) in enumerate(phases):
        share = -(-count // arguments.jobs)
        figures, ok = processes.run(arguments, [["--seed", (seed + number) * 1000 + part, "--count", share, *options]
                                                for part in range(arguments.jobs)])
        print(f"{name} disk: {processes.text_of(figures)}", flush=True)
        content &= ok and figures["cuts"] >= count
        line |= {f"{name}_{key}": figures[key] for key in FIGURES}
    print(processes.text_of(line))
    return 0 if content else 1


def parse_arguments():
    parser = processes.parser("cuts", __doc__, BREAKS)
    parser.add_argument("--count", type=processes.positive, default=50_000, help="cuts (50000); a tenth of them again with damage, and on a lying disk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
