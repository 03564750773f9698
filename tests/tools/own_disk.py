# SPDX-License-Identifier: Apache-2.0
"""A disk of our own: ext4 with its journal on a loop device (a tmpfs where the kernel has none), which can be filled, made
read-only, pulled out and put back. Needs root."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MIB = 1 << 20
# EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32): what ext4 does by itself when its device is gone. 2: the journal's last is lost as well.
SHUTDOWN, WITHOUT_THE_JOURNAL = 0x8004587D, 2


class OwnDisk:
    """Mounted at `place` between start() and stop(); its image is a file of `folder`."""

    def __init__(self, folder, *, mib=16, inodes=256):
        self.place = folder / "mnt"
        self.place.mkdir(parents=True)
        self._image = folder / "image"
        self._mib, self._inodes = mib, inodes

    def start(self):
        self.make_image()
        self.mount()
        return self

    def stop(self):
        while os.path.ismount(self.place):
            subprocess.run(["umount", "-l", self.place], check=True)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def make_image(self):
        """Empty. A mount of the one before keeps that."""
        self._image.unlink(missing_ok=True)
        with open(self._image, "wb") as image:
            image.truncate(self._mib * MIB)
        run("mkfs.ext4", "-q", "-b", "1024", "-m", "0", "-N", self._inodes, "-E", "lazy_itable_init=0", self._image)

    def mount(self):
        run("mount", "-o", "loop,errors=remount-ro", self._image, self.place)

    def remount(self, option):
        run("mount", "-o", f"remount,{option}", self.place)

    def pull_out(self):
        """The device is gone: whoever has files open gets EIO, what was not written is lost, nothing is mounted."""
        directory = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN, WITHOUT_THE_JOURNAL.to_bytes(4, "little"))
        finally:
            os.close(directory)
        self._leave()

    def put_back(self):
        """What was pulled out, as a new device. Whoever has files of the dead one open keeps that, and nothing of it reaches us."""
        self.mount()

    def turn_read_only(self):
        """As ext4 does by itself after an error, although files are open for writing; only a new mount helps."""
        device = Path(os.path.realpath(run("findmnt", "-no", "SOURCE", self.place).strip())).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test of fieldpost")

    def mount_anew(self):
        self._leave()
        self.mount()

    def _leave(self):
        run("umount", "-l", self.place)
        copy = self._image.with_name("copy")
        shutil.copyfile(self._image, copy)
        copy.replace(self._image)

    def fill(self):
        """To the last byte."""
        with open(self.place / "ballast", "ab", buffering=0) as ballast:
            for size in (65536, 4096, 1024, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError:
                    pass
            try:
                os.fsync(ballast.fileno())
            except OSError:
                pass

    def use_up_inodes(self):
        crowd = self.place / "crowd"
        crowd.mkdir()
        for number in range(1 << 20):
            try:
                (crowd / str(number)).touch()
            except OSError:
                return

    def empty(self):
        """Takes away what fill() and use_up_inodes() made."""
        (self.place / "ballast").unlink(missing_ok=True)
        for path in (self.place / "crowd").glob("*"):
            path.unlink()
        if (self.place / "crowd").exists():
            (self.place / "crowd").rmdir()


def unavailable_because():
    """None, or why this machine cannot mount an image."""
    if os.geteuid() != 0:
        return "mounting a disk image needs root"
    with tempfile.TemporaryDirectory(prefix="fieldpost-probe-") as folder:
        try:
            with OwnDisk(Path(folder), mib=2, inodes=16):
                return None
        except (OSError, RuntimeError) as error:
            return f"no ext4 on a loop device here: {error}"


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
