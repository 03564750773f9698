# SPDX-License-Identifier: Apache-2.0
"""A directory for one run: short (Unix socket paths have 108 bytes), private, and gone afterwards."""

import os
import shutil
import tempfile
from pathlib import Path


class Scratch:
    """Use as a context manager. `keep()` leaves the directory for a person to look at."""

    def __init__(self, purpose):
        self.path = Path(tempfile.mkdtemp(prefix=f"fieldpost-{purpose}-"))
        os.chmod(self.path, 0o700)
        self._kept = False

    def keep(self):
        self._kept = True
        return self.path

    def folder(self, name):
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def remove(self):
        if not self._kept:
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
