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

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import damage_binary, processes  # noqa: E402

BREAKS = ("no-crc", "no-marks", "no-gaps", "half-salvaged")
FIGURES = ("trials", "set_aside", "salvaged", "start_calls_max", "start_cpu_us_max", "lost", "lost_untold", "dropped_before_and_report_lost", "violations")


def main():
    arguments = parse_arguments()
    seed = processes.begin("damage", arguments, f"{arguments.count} places" if arguments.count else "every place")
    content, line = True, {}
    for name, written_back in (("log", 0), ("written_back_log", 1)):
        figures, ok = processes.run(arguments, [["--seed", seed, "--count", arguments.count, "--part", part, "--parts", arguments.jobs,
                                                 "--written-back", written_back] for part in range(arguments.jobs)])
        print(f"{name}: {processes.text_of(figures)}", flush=True)
        content &= ok and figures["trials"] >= max(1, arguments.count)
        line |= {f"{name}_{key}": figures[key] for key in FIGURES}
    if arguments.starts:
        figures, ok = damage_binary.run(random.Random(seed), arguments.starts)
        content &= ok
        line |= {f"agent_{key}": value for key, value in figures.items()}
    print(processes.text_of(line))
    return 0 if content else 1


def parse_arguments():
    parser = processes.parser("damage", __doc__, BREAKS)
    parser.add_argument("--count", type=int, default=0, help="places of each of the two stores, at random (0: every one, half an hour)")
    parser.add_argument("--starts", type=int, default=200, help="starts of the real agent on damaged files (200)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
