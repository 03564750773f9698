#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev bench store`: what a sample costs on its way to the disk and from there to the broker, beside others in the same
run: SQLite with a row a sample, raw records appended to a file, a mosquitto bridge, and Paho alone.

A drain of ours reads segments from the outbox, decodes them, writes JSON, encrypts, waits for the PUBACK and deletes. Paho
alone sends as many messages of the same size, ready-made, and does nothing else.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import trials  # noqa: E402
from tests.bench.bridge import drain_by_bridge  # noqa: E402
from tests.bench.table import Table  # noqa: E402
from tests.tools.agent import find_binary  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "build/release/tests/bench/store"


def main():
    parser = argparse.ArgumentParser(prog="./dev bench store", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--commits", type=int, default=360, help="of ten seconds each, to the disk (360)")
    parser.add_argument("--only", choices=["disk", "drain"], help="a part of it")
    arguments = parser.parse_args()
    if not os.access(PROGRAM, os.X_OK):
        sys.exit("store: build/release/tests/bench/store is not there: run ./dev build release store")
    if arguments.only != "drain":
        subprocess.run([PROGRAM, str(arguments.commits)], check=True)
    if arguments.only != "disk":
        drains()


def drains():
    table = Table()
    with Scratch("bench-store") as scratch:
        authority = CertificateAuthority(scratch.folder("ca"))
        ours = trials.drain(find_binary(), scratch, authority, table, lambda text: print(f"  {text}", flush=True))
        theirs, note = drain_by_bridge(scratch, authority)
        add(table, "mosquitto bridge, a message a reading", theirs, note, ours)
        theirs, note = drain_by_paho_alone(scratch, authority, ours)
        add(table, "Paho C and OpenSSL alone, ready-made payloads", theirs, note, ours)
    print("\n" + table.text())


def add(table, what, readings_a_second, note, ours):
    if readings_a_second is None:
        table.skip(f"here, now: {what}", note)
    else:
        table.add(f"here, now: {what}", readings_a_second, "readings/s", note=f"{note}; ours is {ours.a_second / readings_a_second:.2f} times it")


def drain_by_paho_alone(scratch, authority, ours):
    """Readings a second of one core, or None and why not."""
    program = scratch.path / "paho_alone"
    compiled = subprocess.run(["c++", "-O2", "-std=c++20", HERE / "paho_alone.cpp", "-o", program, "-lpaho-mqtt3as", "-lpthread"],
                              capture_output=True, text=True)
    if compiled.returncode != 0:
        return None, f"paho_alone.cpp: {compiled.stderr.splitlines()[0]} (libpaho-mqtt-dev is needed)"
    certificate = authority.client("paho-alone")
    size = ours.wire_bytes // ours.messages
    with Broker(scratch.folder("paho-broker"), authority) as broker:
        ran = subprocess.run([program, f"ssl://{broker.host}:{broker.port}", authority.file, certificate.certificate_file,
                              certificate.key_file, str(ours.messages), str(size)], capture_output=True, text=True, timeout=120)
    if ran.returncode != 0:
        return None, f"paho_alone ended with {ran.returncode} {ran.stderr.strip()}"
    cpu = float(ran.stdout)
    return ours.readings / cpu, f"{ours.messages:,} messages of {size:,} bytes, {cpu:.2f} s of CPU"


if __name__ == "__main__":
    sys.exit(main())
