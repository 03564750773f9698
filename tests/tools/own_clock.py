# SPDX-License-Identifier: Apache-2.0
"""A wall clock of its own for one program (tests/tools/clock_shim.cpp): 1970, ten years off, stepped, synchronised late. The
machine's clock, and everybody else's, stays as it is."""

import atexit
import functools
import platform
import shutil
import struct
import subprocess
import time
from pathlib import Path

from tests.tools.scratch import Scratch

SHIM_SOURCE = Path(__file__).resolve().with_suffix("").with_name("clock_shim.cpp")


def unavailable_because():
    """None when a program can be given a clock here, otherwise the reason, for SKIPPED."""
    if platform.machine() != "x86_64":
        return "the clock shim is written for x86_64"
    if shutil.which("g++") is None:
        return "needs g++ for the clock shim"
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not actions.exists() or "user_notif" not in actions.read_text():
        return "this kernel has no seccomp user notification"
    return None


def true_offset():
    """UTC at boot time 0, in seconds, by this machine's clock, which is the truth here."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = time.time()
    return now - (before + time.clock_gettime(time.CLOCK_BOOTTIME)) / 2


@functools.cache
def built_shim():
    """The folder of the shim, for as long as this process lives."""
    folder = Scratch("shim")
    atexit.register(folder.remove)
    subprocess.run(["g++", "-std=c++20", "-O1", "-o", folder.path / "clock_shim", SHIM_SOURCE], check=True)
    return folder


class OwnClock:
    """Begins as the true time, not synchronised."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self._shim = built_shim().path / "clock_shim"
        self._file = folder / "clock"
        self._offset = true_offset()
        self._synchronised = False
        self._error = 0.0
        self._file.write_bytes(bytes(24))
        self._write()
        trial = subprocess.run([self._shim, self._file, "/bin/date", "+%s"], capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            raise RuntimeError(f"the clock shim does not work here: {trial.stderr.strip()}")

    def wrap(self, binary):
        """A program that runs `binary` under this clock."""
        wrapper = self._file.with_name("fieldpost-with-its-own-clock")
        wrapper.write_text(f'#!/bin/sh\nexec "{self._shim}" "{self._file}" "{binary}" "$@"\n')
        wrapper.chmod(0o755)
        return wrapper

    def set(self, utc, synchronised=False, error=0.0):
        self._offset = utc - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._synchronised = synchronised
        self._error = error
        self._write()

    def step(self, seconds):
        """As settimeofday(2) does: the kernel no longer calls it synchronised."""
        self._offset += seconds
        self._synchronised = False
        self._write()

    def synchronise(self, error=0.005):
        self.set(time.time(), synchronised=True, error=error)

    def _write(self):
        # In place: the shim has it mapped. Not in one instant, so first "not synchronised", last the truth of it.
        with open(self._file, "r+b", buffering=0) as file:
            file.seek(8)
            file.write(struct.pack("<q", 0))
            file.seek(0)
            file.write(struct.pack("<q", round(self._offset * 1e9)))
            file.seek(16)
            file.write(struct.pack("<q", round(self._error * 1e6)))
            file.seek(8)
            file.write(struct.pack("<q", int(self._synchronised)))
