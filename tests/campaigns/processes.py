# SPDX-License-Identifier: Apache-2.0
"""What the drivers of campaigns share: how they begin; and those of campaigns in C++ their arguments, a process a core, what these
say while they are at work (program.hpp), and the sum of their figures."""

import argparse
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.tools.agent import find_binary

ROOT = Path(__file__).resolve().parents[2]
PROGRESS_SECONDS = 10
# Of these the sum says nothing: the worst of all processes counts.
WORST = re.compile(r"(^|_)(max|worst)(_ms)?$")


def parser(name, document, breaks):
    """With what each of them takes; --count is the campaign's own. The first paragraph of its docstring describes it."""
    made = argparse.ArgumentParser(prog=f"./dev campaign {name}", description=document.split("\n\n", maxsplit=1)[0], allow_abbrev=False)
    made.add_argument("--seed", type=int, help="default: random, printed")
    made.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="processes (one a core)")
    made.add_argument("--break", dest="break_", choices=breaks, help="break something so, to see this campaign fail")
    made.add_argument("--program", type=Path, default=ROOT / "build/release/tests/campaigns" / name, help=argparse.SUPPRESS)
    return made


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def begin(name, arguments, amount):
    """Says what is done; gives the seed."""
    if not os.access(arguments.program, os.X_OK):
        sys.exit(f"{name}: {arguments.program} is not there: run ./dev build release {name} (most are for 64-bit targets only)")
    seed = seed_of(arguments)
    print(f"seed {seed} (repeat with --seed {seed} --jobs {arguments.jobs}), {amount}, {arguments.jobs} processes", flush=True)
    return seed


def begin_with_agent(name, arguments, amount):
    """The same for a campaign with the real agent: gives its binary and the seed. SIGTERM ends it in order."""
    try:
        binary = Path(arguments.binary) if arguments.binary else find_binary()
    except FileNotFoundError as error:
        sys.exit(f"{name}: {error}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: ended by SIGTERM"))
    seed = seed_of(arguments)
    print(f"seed {seed} (repeat with --seed {seed}), {amount}, {binary}", flush=True)
    return binary, seed


def seed_of(arguments):
    return arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)


def run(arguments, options):
    """One process for each list of `options`. Violations are printed as they are found. Gives the sum of all figures, and whether
    each process was content."""
    broken = ["--break", arguments.break_] if arguments.break_ else []
    said = queue.Queue()
    processes = [subprocess.Popen([arguments.program, *map(str, words), *broken], stdout=subprocess.PIPE, text=True) for words in options]

    def listen(number, process):
        for line in process.stdout:
            said.put((number, line.rstrip("\n")))
        said.put((number, None))

    listeners = [threading.Thread(target=listen, args=pair, daemon=True) for pair in enumerate(processes)]
    try:
        for listener in listeners:
            listener.start()
        last = listen_to_all(said, len(processes))
        content = all([process.wait() == 0 for process in processes])
    finally:
        for process in processes:
            process.kill()
    total = Counter()
    for process, line in zip(processes, last):
        figures = figures_of(line)
        if "violations" not in figures:
            print(f"violation: a process ended with {process.returncode} and no figures", flush=True)
            figures, content = {"violations": 1}, False
        add(total, figures)
    return total, content


def listen_to_all(said, count):
    """Until the last of them has ended; gives the last line of each."""
    last, done, ended, violations = [""] * count, [(0, 0)] * count, 0, 0
    shown = time.monotonic()
    while ended < count:
        number, line = said.get()
        if line is None:
            ended += 1
            continue
        if match := re.fullmatch(r"progress: (\d+)/(\d+)", line):
            done[number] = tuple(map(int, match.groups()))
        elif figures_of(line):
            last[number] = line
        else:
            violations += line.startswith("violation: ")
            print(line, flush=True)
        if time.monotonic() - shown >= PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"  {sum(one for one, _ in done)} of {sum(all_ for _, all_ in done)} done, {violations} violations", file=sys.stderr, flush=True)
    return last


def figures_of(line):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)} if re.fullmatch(r"(\w+=\d+ ?)+", line) else {}


def add(total, figures):
    """Adds figures to the `total` of all: sums, and the worst of what is measured."""
    for name, value in figures.items():
        total[name] = max(total[name], value) if WORST.search(name) else total[name] + value


def text_of(figures):
    return " ".join(f"{name}={value}" for name, value in figures.items())
