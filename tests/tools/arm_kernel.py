# SPDX-License-Identifier: Apache-2.0
"""Debian's own arm64 kernel, its modules and a static busybox, for tests/tools/arm_board.py.

They come with apt and this machine's own list of sources, into an apt tree of their own: no foreign architecture is added to this
machine. What was fetched lies unpacked in ${FIELDPOST_CACHE:-~/.cache/fieldpost}/arm64-kernel and is not fetched again.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("linux-image-arm64", "busybox-static")


class Kernel:
    def __init__(self, root):
        self.image = next((root / "boot").glob("vmlinuz-*"))
        self.release = self.image.name.removeprefix("vmlinuz-")
        self.busybox = root / "bin/busybox"
        self._modules = {path.stem.replace("-", "_"): path for path in (root / "lib/modules").rglob("*.ko")}

    def modules(self, names):
        """The files of these modules and of all they need, in the order in which they must be loaded."""
        found = {}

        def add(name):
            path = self._modules.get(name.replace("-", "_"))
            if path is None or path in found:
                return  # built in
            needs = re.search(rb"\0depends=([^\0]*)\0", b"\0" + path.read_bytes())
            for needed in needs.group(1).decode().split(",") if needs else ():
                if needed:
                    add(needed)
            found[path] = None

        for name in names:
            add(name)
        return list(found)


def fetch():
    """Raises RuntimeError where it cannot be had."""
    place = Path(os.environ.get("FIELDPOST_CACHE") or Path.home() / ".cache/fieldpost") / "arm64-kernel"
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="arm64-kernel-") as folder:
            _unpack_packages(Path(folder))
            try:
                (Path(folder) / "root").rename(place)
            except OSError:
                pass  # another process was quicker
    return Kernel(place)


def _unpack_packages(folder):
    if shutil.which("apt-get") is None:
        raise RuntimeError("needs apt-get to fetch Debian's arm64 kernel")
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    options = ["-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64", "-o", f"Dir::State={folder}/state",
               "-o", f"Dir::State::status={folder}/status", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]

    def apt(program, *words):
        done = subprocess.run([program, *options, *words], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(words)}: {done.stderr.strip()[-300:]}")
        return done.stdout

    apt("apt-get", "update", "-qq")
    # linux-image-arm64 is empty and depends on the newest kernel.
    newest = re.search(r"Depends: (linux-image-[0-9]\S+)", apt("apt-cache", "depends", PACKAGES[0]))
    apt("apt-get", "download", "-qq", newest.group(1), *PACKAGES[1:])
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
