#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who fills a binary: bytes by library, from the link map that stands beside every shipped program.

    toolchains/sizes.py build/cross-aarch64/agent/fieldpost.map            by library
    toolchains/sizes.py build/cross-aarch64/agent/fieldpost.map libstdc    its object files, largest first
"""
import collections
import re
import sys

SECTION = re.compile(r"^ (\.[\w.]+|COMMON)?\S*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (.+)$")
IN_FILE = (".text", ".rodata", ".data", ".eh_frame", ".gcc_except_table", ".init_array", ".ARM.extab", ".ARM.exidx", ".tdata", ".sdata",
           ".srodata")


def members(path):
    """(library, object, section, bytes) of everything the linker kept and wrote into the file."""
    lines = open(path, encoding="utf-8", errors="replace").read().split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("Linker script and memory map"))
    pending = ""
    for line in lines[start:]:
        if re.match(r"^ \.\S+$", line):  # a long section name pushes the numbers to the next line
            pending = line
            continue
        joined, pending = (pending + line if pending else line), ""
        match = SECTION.match(joined)
        if not match or not int(match[3], 16) or int(match[2], 16) == 0:
            continue
        section = match[1] or ""
        if not section.startswith(IN_FILE):
            continue
        archive = re.match(r".*?([^/]+)\.a\((.+)\)$", match[4])
        library, member = (archive[1], archive[2]) if archive else ("program", match[4].rsplit("/", 1)[-1])
        yield library, member, section, int(match[3], 16)


def print_largest(totals):
    for name, size in totals.most_common(60):
        print(f"{size:>10,} {name}")
    print(f"{sum(totals.values()):>10,} in all")


def by_library(path):
    totals = collections.Counter()
    for library, _, _, size in members(path):
        totals[library] += size
    print_largest(totals)


def by_object(path, wanted):
    totals = collections.Counter()
    for library, member, _, size in members(path):
        if wanted in library:
            totals[member] += size
    print_largest(totals)


def main():
    if len(sys.argv) == 2:
        by_library(sys.argv[1])
    elif len(sys.argv) == 3:
        by_object(sys.argv[1], sys.argv[2])
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # `| head` has seen enough
        sys.exit(0)
