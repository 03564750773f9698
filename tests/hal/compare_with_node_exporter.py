#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our series with those of a real node_exporter, on this machine and on the captured trees.

    compare_with_node_exporter.py --survey build/.../hal_survey [--node-exporter PROGRAM] [--list]

Every series (name and labels) that both have must have the same HELP, TYPE and value. On the live
machine node_exporter is scraped between two surveys of ours: a counter must lie between the two, a
value that did not change between them must be equal. In a captured tree nothing moves, so all must be
equal. Of a family that both have, series that only one has are errors, too, unless DIFFERENCES says
why. --list prints those, and the families that only node_exporter has.

Exits with 77 (skipped) where there is no prometheus-node-exporter.
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

CAPTURED = pathlib.Path(__file__).resolve().parent.parent / "captured"

# (pattern of "what series", why). What: ours = only we have it, theirs = only they have it, type.
DIFFERENCES = [
    (r"type node_(vmstat|ethtool)_.*", "node_exporter says untyped; all of vmstat's and nearly all driver statistics are counters"),
    (r"theirs node_network_speed_bytes.*", "node_exporter shows the kernel's -1 (unknown) as -125000; we leave it out"),
    (r"(ours|theirs) node_network_info.*", "label adminstate came after node_exporter 1.5"),
    (r"theirs node_ethtool_.*", "statistics of the same name twice in one driver"),
]
# Debian's package leaves out more by default (the loopback, what is mounted below /run, /mnt and /media);
# these are upstream's defaults, zram as in
# later versions.
UPSTREAM_DEFAULTS = [
    "--collector.filesystem.mount-points-exclude="
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.netdev.device-exclude=^$",
    r"--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
]
# Families that node_exporter cannot read from a captured tree.
NOT_CAPTURED = re.compile(r"node_filesystem_.*|node_time_seconds|node_uname_info|node_os_info")

SERIES = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?P<labels>\{.*\})? (?P<value>\S+)$")


class Exposition:
    """help and type by family, values by series."""

    def __init__(self, text):
        self.help, self.type, self.values = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name, _, words = line[7:].partition(" ")
                self.help[name] = words
            elif line.startswith("# TYPE "):
                name, _, kind = line[7:].partition(" ")
                self.type[name] = kind
            elif line:
                match = SERIES.match(line)
                assert match, f"no exposition line: {line!r}"
                series = match["name"] + (match["labels"] or "")
                assert series not in self.values, f"{series} twice"
                self.values[series] = float(match["value"])


def family(series):
    return series.partition("{")[0]


def survey(program, root, drivers=()):
    done = subprocess.run([program, str(root), *drivers], check=True, capture_output=True, text=True)
    return Exposition(done.stdout)


def scrape(node_exporter, arguments):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([node_exporter, f"--web.listen-address=127.0.0.1:{port}", *UPSTREAM_DEFAULTS, *arguments],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    return Exposition(answer.read().decode())
            except OSError:
                time.sleep(0.1)
        sys.exit("node_exporter does not answer")
    finally:
        process.terminate()
        process.wait()


class Comparison:
    def __init__(self, place):
        self.place, self.errors, self.explained, self.compared, self.moving = place, [], {}, 0, 0

    def differ(self, what, series, detail=""):
        line = f"{what} {series}"
        for pattern, why in DIFFERENCES:
            if re.fullmatch(pattern, line):
                self.explained.setdefault(why, []).append(line)
                return
        self.errors.append(f"{line} {detail}".rstrip())

    def run(self, before, theirs, after, skip):
        ours = {name for name in before.type if name.startswith("node_") and not (skip and skip.fullmatch(name))}
        families = ours & set(theirs.type)
        for name in sorted(families):
            if before.help[name] != theirs.help[name]:
                self.differ("help", name, f"{before.help[name]!r} is not {theirs.help[name]!r}")
            if before.type[name] != theirs.type[name]:
                self.differ("type", name, f"{before.type[name]} is not {theirs.type[name]}")
        for series in sorted(set(before.values) | set(theirs.values)):
            if family(series) not in families:
                continue
            if series not in theirs.values:
                self.differ("ours", series)
            elif series not in before.values:
                self.differ("theirs", series)
            else:
                self.compare_value(series, before, theirs.values[series], after)
        self.only_theirs = sorted(n for n in set(theirs.type) - ours if n.startswith("node_"))

    def compare_value(self, series, before, value, after):
        first, last = before.values[series], after.values.get(series)
        self.compared += 1
        if last is None:
            self.moving += 1  # the device went away meanwhile
        elif first == last:
            # A gauge may go up and come back between our two readings; a counter cannot.
            if value == first:
                return
            if before.type[family(series)] == "gauge" and self.place == "/" and is_fleeting(series):
                self.moving += 1
            else:
                self.differ("value", series, f"{first} is not {value}")
        elif before.type[family(series)] == "counter":
            self.moving += 1
            if not first <= value <= last:
                self.differ("value", series, f"{value} is not between {first} and {last}")
        else:
            self.moving += 1


def is_fleeting(series):
    return family(series).startswith(("node_memory_", "node_procs_", "node_disk_io_now", "node_load", "node_filefd_allocated",
                                      "node_filesystem_"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--survey", required=True, help="the program hal_survey")
    parser.add_argument("--node-exporter", default=os.environ.get("FIELDPOST_NODE_EXPORTER", "prometheus-node-exporter"))
    parser.add_argument("--list", action="store_true", help="also print what only node_exporter has")
    parser.add_argument("--result", type=pathlib.Path, help="where to leave the outcome as JUnit XML, for ./dev test")
    options = parser.parse_args()
    code = compare(options)
    if options.result:
        leave_result(options.result, code)
    return code


def leave_result(path, code):
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = {0: "", 77: '<skipped message="no prometheus-node-exporter (set FIELDPOST_NODE_EXPORTER to one)"/>'}
    path.write_text('<testsuite><testcase classname="NodeExporter" name="comparison">'
                    + inner.get(code, '<failure message="see the output"/>') + "</testcase></testsuite>\n", encoding="utf-8")


def compare(options):
    node_exporter = shutil.which(options.node_exporter)
    if node_exporter is None:
        print("SKIPPED: no prometheus-node-exporter (set FIELDPOST_NODE_EXPORTER to one)")
        return 77

    comparisons = []
    for _ in range(3):  # others mount and unmount, make links and remove them, while we look
        live = Comparison("/")
        before = survey(options.survey, "/", ["ethtool"])
        theirs = scrape(node_exporter, ["--collector.ethtool"])
        live.run(before, theirs, survey(options.survey, "/", ["ethtool"]), None)
        if not live.errors:
            break
    comparisons.append(live)
    for root in sorted(path for path in CAPTURED.iterdir() if path.is_dir()):
        captured = Comparison(root.name)
        ours = survey(options.survey, root)
        theirs = scrape(node_exporter, [
            f"--path.procfs={root}/proc", f"--path.sysfs={root}/sys", f"--path.udev.data={root}/run/udev/data",
            "--no-collector.netdev.netlink"])
        captured.run(ours, theirs, ours, NOT_CAPTURED)
        comparisons.append(captured)

    failed = False
    for comparison in comparisons:
        print(f"{comparison.place}: {comparison.compared} series in both, of which {comparison.moving} moved; "
              f"{sum(map(len, comparison.explained.values()))} known differences, {len(comparison.errors)} errors")
        for why, lines in comparison.explained.items():
            print(f"  known ({len(lines)}): {why}; e.g. {lines[0]}")
        for error in comparison.errors:
            print(f"  ERROR: {error}")
            failed = True
        if comparison.compared < 200:
            print(f"  ERROR: only {comparison.compared} series could be compared")
            failed = True
        if options.list:
            print("  only in node_exporter:", " ".join(comparison.only_theirs))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
