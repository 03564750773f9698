#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev bench`: measures the agent in the real thing (mosquitto on loopback, mutual TLS, a consumer) and
prints each figure beside its budget (design, section 14) and beside what others need. A budget that is
missed is printed as MISSED; the exit code stays 0 unless --strict is given, because a figure is no fault.

The figures "elsewhere" without "here, now" were measured on 20 Nov 2026 on a like machine (2 vCPU EPYC,
Debian 12, shared cores): they tell the order of magnitude, and may be off by 30 %.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import trials  # noqa: E402
from tests.bench.bridge import drain_by_bridge  # noqa: E402
from tests.bench.peers import Collectd, NodeExporter  # noqa: E402
from tests.bench.steady import SteadyState  # noqa: E402
from tests.bench.table import Table  # noqa: E402
from tests.tools import history as judge  # noqa: E402
from tests.tools import message as wire  # noqa: E402
from tests.tools.agent import REPOSITORY, Agent, find_binary, run_binary  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import Child, wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

SERIES = 500
WARM_UP_SECONDS = 15
FLUSH_SECONDS = 10.0  # the default, which the budget is about
MIB = 1 << 20

# How the programs of tests/bench/CMakeLists.txt want to be called; none is asked without a row here.
PART_ARGUMENTS = {"hal_read": [["bare", "2000"], ["drivers", "2000"]]}


def main():
    arguments = parse_arguments()
    try:
        binary = Path(arguments.binary) if arguments.binary else find_binary()
    except FileNotFoundError as error:
        sys.exit(f"bench: {error}")
    describe(binary)
    table = Table()
    with Scratch("bench") as scratch:
        authority = CertificateAuthority(scratch.folder("ca"))
        if arguments.only in (None, "steady"):
            measure(binary, scratch, authority, arguments, table)
        if arguments.only in (None, "trials"):
            measure_trials(binary, scratch, authority, arguments, table)
    if arguments.only in (None, "parts"):
        run_parts(binary, table)
    measure_size(binary, table)
    print("\n" + table.text() + "\n", flush=True)
    if table.missed:
        print(f"{len(table.missed)} of the budgets MISSED: "
              + "; ".join(line.what for line in table.missed))
    return 1 if arguments.strict and table.missed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="length of the measurement (120)")
    parser.add_argument("--binary", help="agent to measure; default: FIELDPOST_BINARY, else the built one")
    parser.add_argument("--no-peers", action="store_true", help="leave collectd and node_exporter out")
    parser.add_argument("--only", choices=["steady", "trials", "parts"], help="a part of it")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a budget is missed")
    return parser.parse_args()


def describe(binary):
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    print(f"machine  {os.cpu_count()} x {model.group(1) if model else platform.machine()}, "
          f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
    version = run_binary(binary, "version").stdout.strip().splitlines()
    print(f"agent    {version[0] if version else '?'}, {binary}")
    if b"__asan_init" in binary.read_bytes():
        print("         built with sanitizers: these figures say nothing about the shipped agent; "
              "build the release preset")
    print(flush=True)


def say(text):
    print(f"  {text}", flush=True)


def measure_trials(binary, scratch, authority, arguments, table):
    """A trial that fails is said in its place; the others go on."""
    for name, trial in [("drain over mutual TLS", lambda: drain_beside_a_bridge(binary, scratch, authority, arguments, table)),
                        ("sample to consumer, alert lane", lambda: trials.alarms(binary, scratch, authority, table, say)),
                        ("start with a full outbox", lambda: trials.full_outbox(binary, scratch, table, say))]:
        try:
            trial()
        except (TimeoutError, RuntimeError) as error:
            table.skip(name, str(error).splitlines()[0])


def drain_beside_a_bridge(binary, scratch, authority, arguments, table):
    ours = trials.drain(binary, scratch, authority, table, say).a_second
    if arguments.no_peers:
        return
    say("the same by a mosquitto bridge")
    theirs, note = drain_by_bridge(scratch, authority)
    if theirs is None:
        table.skip("here, now: mosquitto bridge", note)
    else:
        table.add("here, now: mosquitto bridge, QoS 1, mutual TLS", theirs, "readings/s",
                  note=f"one message a reading: {note}; ours is {ours / theirs:.1f} times it")


def measure(binary, scratch, authority, arguments, table):
    certificate = authority.client("bench")
    children = []
    with Broker(scratch.folder("broker"), authority) as broker, \
            Consumer(broker, authority.client("consumer"), topics=("fieldpost/#",)) as consumer:
        try:
            real = Agent(binary, scratch.folder("real"), name="bench-real", broker=broker,
                         certificate=certificate, flush_interval=FLUSH_SECONDS, default_sources=True,
                         sections={"sampling": {"interval": "1s"}, "log": {"level": "info"}})
            children.append(real.start())
            wait_until(lambda: consumer.count > 0, 40, "the first message of the agent")
            series = wire.parse(consumer.arrivals[0].topic, consumer.arrivals[0].payload).samples
            # Without the agent's series about itself, which have an interval of their own.
            series = {sample.series for sample in series if not sample.name.startswith("fieldpost_")}
            say(f"agent on this machine's counters: {len(series)} series at 1 s, flush {FLUSH_SECONDS:g} s, mutual TLS")

            # A file of its own: two processes of one file share its pages, and PSS would count them half.
            own_binary = Path(shutil.copy(binary, scratch.path / "fieldpost"))
            padded = Agent(own_binary, scratch.folder("padded"), name="bench-500", broker=broker,
                           certificate=authority.client("bench-500"), flush_interval=FLUSH_SECONDS,
                           default_sources=True, sections={
                               "sampling": {"interval": "1s"}, "log": {"level": "info"},
                               **filler(SERIES - len(series))}) if len(series) < SERIES else None
            if padded:
                children.append(padded.start())
                say(f"a second agent, filled up with simulated sines to {SERIES} series, for memory")

            peers = [] if arguments.no_peers else start_peers(scratch, authority, broker, table)
            children += peers
            say(f"warming up, {WARM_UP_SECONDS} s")
            time.sleep(WARM_UP_SECONDS)
            floor = start_floor(real, series, scratch, arguments.seconds)
            children.append(floor)
            states = [SteadyState(agent) for agent in (real, padded) if agent]
            for state in [*states, *peers]:
                state.begin()
            say(f"measuring, {arguments.seconds} s")
            # In step with the flush, so that both ends of the window lie at the same point of it.
            time.sleep(max(FLUSH_SECONDS, arguments.seconds // FLUSH_SECONDS * FLUSH_SECONDS))
            figures = [state.end() for state in states]
            bench_lines(table, figures[0], figures[-1], max(SERIES, len(series)), bare_figures(floor, scratch))
            for peer in peers:
                values, cpu, pss = peer.end()
                theirs = 1e6 * cpu / max(values, 1)
                table.add(f"here, now: {peer.name}", theirs, "ms",
                          note=f"{values} values, PSS {pss / 1024:.1f} MiB; ours is "
                               f"{figures[0].cpu_ms_per_1000 / theirs:.2f} of it, memory {figures[-1].pss_kib / pss:.2f}")
            for agent in (real, padded):
                if agent:
                    check_nothing_lost(agent, consumer)
        finally:
            for child in children:
                stop = getattr(child, "abandon", child.stop)
                stop()


def filler(count):
    return {"source.filler": {"driver": "simulated", "shape": "sine", "series": count}} if count > 0 else {}


def start_peers(scratch, authority, broker, table):
    peers = []
    makers = [(Collectd, lambda: Collectd(scratch.folder("collectd"), broker, authority.client("collectd"),
                                          authority.client("collectd-counter"))),
              (NodeExporter, lambda: NodeExporter(scratch.folder("node_exporter")))]
    for kind, make in makers:
        if kind.program() is None:
            table.skip(f"here, now: {kind.name}", f"{kind.package} is not installed")
            continue
        peer = make()
        try:
            peer.start()
            peers.append(peer)
            say(f"beside it: {peer.name}")
        except (RuntimeError, TimeoutError) as error:
            table.skip(f"here, now: {kind.name}", f"did not run: {error}")
    return peers


def start_floor(agent, series, scratch, seconds):
    """The bare loop on the very files that the agent keeps open, at the agent's interval."""
    program = scratch.path / "bare_loop"
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    subprocess.run([compiler, "-std=c++20", "-O2", "-o", program,
                    Path(__file__).parent / "bare_loop.cpp"], check=True, timeout=120)
    files = set()
    for link in Path(f"/proc/{agent.pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith(("/proc/", "/sys/")) and os.path.isfile(target) and "/self/" not in target:
            files.add(target)
    mounts = {label[1] for name in series for label in re.findall(r'(mountpoint)="([^"]*)"', name)}
    options = ["--links"] if any("node_network_" in name for name in series) else []
    for mount in sorted(mounts):
        options += ["--statvfs", mount]
    say(f"beside it: a bare loop over the same {len(files)} files, {len(mounts)} file systems"
        + (" and one rtnetlink dump" if options[:1] == ["--links"] else ""))
    return Child([program, 1000, seconds + 30, *options, *sorted(files)],
                 error_file=scratch.path / "bare_loop.log", output_file=scratch.path / "bare_loop.out")


def bare_figures(floor, scratch):
    """CPU seconds a tick, and numbers a tick; the first ticks fill caches and are left out."""
    if not floor.running:
        raise RuntimeError(f"bare loop ended: {(scratch.path / 'bare_loop.log').read_text()}")
    rows = [line.split() for line in (scratch.path / "bare_loop.out").read_text().splitlines()
            if len(line.split()) == 4]
    first, last = rows[2], rows[-1]
    ticks = int(last[0]) - int(first[0])
    return ((int(last[2]) - int(first[2])) / 1e9 / ticks, (int(last[1]) - int(first[1])) / ticks)


def bench_lines(table, real, padded, series, bare):
    bare_cpu, bare_numbers = bare
    # The same readings are the measure of both: what the agent got acknowledged in the window.
    bare_per_1000 = 1e6 * bare_cpu / (real.acknowledged_readings / real.seconds)
    table.add("CPU per 1,000 samples, read to PUBACK, mutual TLS", real.cpu_ms_per_1000, "ms", 1.0,
              elsewhere="collectd mqtt+mTLS 27.6, Fluent Bit 9.4, netdata 3.0 (sends nothing)",
              note=f"real counters only, {real.acknowledged_readings} readings in {real.seconds:.0f} s")
    table.add("  the bare loop that only reads and parses", bare_per_1000, "ms",
              note=f"same files, same ticks, {bare_numbers:.0f} numbers a tick, reckoned to the agent's readings")
    table.add("  agent against the bare loop", real.cpu_ms_per_1000 / bare_per_1000, "x", 2.5)
    if padded is not real:
        table.add(f"  filled up with simulated series to {series}", padded.cpu_ms_per_1000, "ms")
    table.add(f"PSS at {series} series, 1 s, TLS up", padded.pss_kib / 1024, "MiB", 4.0,
              elsewhere="collectd 4.8 MB, Fluent Bit 6.4, Greengrass lite 12-16",
              note=f"RSS {padded.rss_kib / 1024:.1f}, peak {padded.peak_rss_kib / 1024:.1f} MiB")
    table.add("bytes a sample in the outbox (segments)", real.body_bytes / max(1, real.durable_readings), "B", 0.5,
              elsewhere="a row in SQLite 23")
    table.add("bytes a sample written to flash", real.written_bytes / max(1, real.durable_readings), "B", 1.0,
              elsewhere="rows in SQLite 64-8,300",
              note="by /proc/PID/io, WAL and checkpoints included; 0 on a tmpfs")
    table.add("bytes a sample on the wire (TLS records sent)", real.wire_bytes / max(1, real.acknowledged_readings), "B",
              elsewhere="collectd 75.9 before TLS, Fluent Bit remote write 18.6")


def check_nothing_lost(agent, consumer):
    """A fast agent that loses readings would be no feat. Log level info names no segments, so the check
    is by the holes in seq."""
    arrivals = [arrival for arrival in consumer.snapshot() if f"/{agent.name}/" in arrival.topic]
    verdict = judge.check(judge.History(agent.runs, arrivals, FLUSH_SECONDS))
    say(f"{agent.name}: {verdict.figures['received_readings']} readings at the consumer, "
        f"{verdict.figures['duplicates']} duplicates, "
        + ("no hole, order held" if verdict.ok else f"VIOLATIONS\n{verdict}"))


def measure_size(binary, table):
    with Scratch("size") as scratch:
        stripped = scratch.path / "fieldpost"
        subprocess.run(["strip", "-o", stripped, binary], check=True, timeout=60)
        table.add(f"stripped binary, {platform.machine()}", stripped.stat().st_size / MIB, "MiB",
                  note=str(binary))
    cross = REPOSITORY / "build" / "cross-aarch64" / "agent" / "fieldpost"
    if cross.exists():
        table.add("stripped static binary, aarch64", cross.stat().st_size / MIB, "MiB", 3.0,
                  elsewhere="node_exporter 13.7 MB, Fluent Bit 7.8 + 8.7, collectd 0.4 + 7.9",
                  note="3 MiB with everything to come")
    else:
        table.skip("stripped static binary, aarch64", "not built: ./dev cross aarch64")


def run_parts(binary, table):
    """The micro benches of the rooms: the programs of tests/bench/CMakeLists.txt, built beside the agent."""
    listed = re.findall(r"^fieldpost_program\((\w+)", (Path(__file__).parent / "CMakeLists.txt").read_text(),
                        re.MULTILINE)
    folder = binary.parent.parent / "tests" / "bench"
    said = ""
    for name in listed:
        program = folder / name
        for arguments in PART_ARGUMENTS.get(name, [[]]):
            print("part     " + " ".join([name, *arguments]), flush=True)
            if not os.access(program, os.X_OK):
                print(f"         SKIPPED: not built in {folder}")
                continue
            try:
                answer = subprocess.run([program, *arguments], timeout=300, check=False, capture_output=True, text=True)
                print(answer.stdout + answer.stderr, end="", flush=True)
                said += answer.stdout
                if answer.returncode != 0:
                    print(f"         ended with {answer.returncode}")
            except subprocess.TimeoutExpired:
                print("         did not end within 300 s")
    part_lines(said, table)


def part_lines(said, table):
    """Those figures of the parts that have a budget; a part that words them otherwise is said to be missing."""
    bare = re.search(r"^bare: .* ([0-9.]+) ms CPU per 1000", said, re.MULTILINE)
    drivers = re.search(r"^drivers: .* ([0-9.]+) ms CPU per 1000", said, re.MULTILINE)
    if bare and drivers:
        table.add("reading only, per 1,000 samples", float(drivers.group(1)), "ms",
                  note=f"a bare loop over the same files {bare.group(1)} ms, ratio "
                       f"{float(drivers.group(1)) / float(bare.group(1)):.2f}; both without pause, caches warm")
    else:
        table.skip("reading only, per 1,000 samples", "not measured yet: hal_read said nothing that is understood here")
    commit = re.search(r"^every sample changes(?: +[0-9.]+){6} +([0-9]+)", said, re.MULTILINE)
    if commit:
        table.add("ingest to durable, one core", 1e9 / float(commit.group(1)), "samples/s", 5_000_000, at_least=True,
                  elsewhere="SQLite rows 2,300,000; raw blobs 24,000,000",
                  note="CPU of encoding, compressing and committing (FULL) 5,000 samples at a time")
    else:
        table.skip("ingest to durable, one core", "not measured yet: store said nothing that is understood here")


if __name__ == "__main__":
    sys.exit(main())
