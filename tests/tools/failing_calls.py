# SPDX-License-Identifier: Apache-2.0
"""Lets system calls of a running process fail or take their time, by strace; and gives them back."""

import shutil
import subprocess
from pathlib import Path

from tests.tools.child import Child, wait_until


class FailingCalls:
    """From start() to stop(): `calls` of the process `pid` get `what` ("error=EIO", "delay_exit=3000000"); with `paths`, only
    those that have to do with one of these files."""

    def __init__(self, pid, calls, what, folder, *, paths=()):
        self._pid = pid
        self._command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]
        for path in paths:
            self._command += ["-P", path]
        self._errors = folder / "strace.err"
        self._child = None

    def start(self):
        self._child = Child([*self._command, "-p", self._pid], error_file=self._errors)
        wait_until(self._holds_all, 30, f"strace holding process {self._pid}")
        return self

    def _holds_all(self):
        if not self._child.running:
            raise RuntimeError(f"strace ended: {self._errors.read_text()}")
        threads = list(Path(f"/proc/{self._pid}/task").glob("*/status"))
        return threads and all(f"TracerPid:\t{self._child.pid}\n" in path.read_text() for path in threads)

    def stop(self):
        """The process goes on by itself."""
        if self._child is not None:
            self._child.stop(20)
            self._child = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


def unavailable_because():
    if not shutil.which("strace"):
        return "strace is not installed"
    probe = subprocess.run(["strace", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"],
                           capture_output=True, text=True, check=False)
    return f"strace may not trace here: {probe.stderr.strip()}" if probe.returncode != 0 else None
