# SPDX-License-Identifier: Apache-2.0
"""A board of its own: a real ARM kernel in QEMU (no KVM), with a serial console, a clock without a battery, an ext4 disk that
survives its power cuts, and a network that reaches loopback of this machine and nothing else."""

import gzip
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.tools import arm_kernel
from tests.tools.child import Child, wait_until

EMULATOR = "qemu-system-aarch64"
COMPILER = "aarch64-linux-gnu-g++"
CLOCK_SOURCE = Path(__file__).resolve().with_name("guest_clock.cpp")
# As QEMU's user network names this machine's loopback.
HOST_ADDRESS = "10.0.2.2"
MODULES = ("virtio_mmio", "virtio_net", "virtio_blk", "crc32c_generic", "ext4")
DISK_MEBIBYTES = 64
BOOT_SECONDS_MAX = 120

# The shell at the other end of the console: one line is one command; what it printed ends with a mark and its exit code.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
stty -echo -onlcr
for module in $(cat /modules/order); do insmod /modules/$module || echo "no $module"; done
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
mkdir /state; mount -t ext4 -o noatime /dev/vda /state || echo "no disk"
echo; echo "@0@"
while read -r line; do
  eval "$line"
  echo; echo "@$?@"
done
"""


def unavailable_because():
    """None where a board can be made, otherwise the reason, for SKIPPED."""
    for program, package in ((EMULATOR, "qemu-system-arm"), (COMPILER, "g++-aarch64-linux-gnu"), ("mke2fs", "e2fsprogs")):
        if shutil.which(program) is None and not Path("/sbin", program).exists():
            return f"needs {program} (package {package})"
    try:
        arm_kernel.fetch()
    except RuntimeError as error:
        return str(error)
    return None


class ArmBoard:
    """`files`: what lies on it besides, by path."""

    def __init__(self, folder, files):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.kernel = arm_kernel.fetch()
        self._disk = folder / "disk"
        with open(self._disk, "wb") as disk:
            disk.truncate(DISK_MEBIBYTES << 20)
        subprocess.run([shutil.which("mke2fs") or "/sbin/mke2fs", "-q", "-t", "ext4", self._disk], check=True)
        clock = folder / "guest_clock"
        subprocess.run([COMPILER, "-std=c++20", "-Os", "-static", "-s", "-o", clock, CLOCK_SOURCE], check=True)
        modules = self.kernel.modules(MODULES)
        self._archive = folder / "initramfs.gz"
        contents = {"/init": INIT.encode(), "/bin/busybox": self.kernel.busybox.read_bytes(), "/bin/guest_clock": clock.read_bytes(),
                    "/modules/order": "\n".join(path.name for path in modules).encode(),
                    **{f"/modules/{path.name}": path.read_bytes() for path in modules},
                    **{name: Path(path).read_bytes() for name, path in files.items()}}
        self._archive.write_bytes(gzip.compress(initramfs(contents, ("/proc", "/sys", "/dev", "/tmp")), 1))
        self._child = self._console = None
        self._received = b""

    def power_on(self, clock="1970-01-01T00:00:00"):
        """Returns when the shell answers."""
        path = self.folder / "console.sock"
        path.unlink(missing_ok=True)
        self._child = Child([shutil.which(EMULATOR), "-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-display", "none", "-monitor", "none",
                             "-nodefaults", "-rtc", f"base={clock}", "-chardev", f"socket,id=console,path={path},server=on,wait=on",
                             "-serial", "chardev:console", "-kernel", self.kernel.image, "-initrd", self._archive,
                             "-append", "console=ttyAMA0 quiet panic=-1", "-no-reboot",
                             "-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net",
                             "-drive", f"file={self._disk},format=raw,if=none,id=disk,cache=writethrough",
                             "-device", "virtio-blk-device,drive=disk"],
                            error_file=self.folder / "qemu.err", output_file=self.folder / "qemu.out")
        self._console = socket.socket(socket.AF_UNIX)
        wait_until(lambda: self._console.connect_ex(str(path)) == 0, 30, "QEMU's console")
        self._received = b""
        self._answer(BOOT_SECONDS_MAX)
        return self

    def power_off(self):
        """Pulls the plug."""
        if self._child is not None:
            self._child.kill()
            self._console.close()
            self._child = None

    def __enter__(self):
        return self.power_on()

    def __exit__(self, *_):
        self.power_off()

    def run(self, command, seconds=60):
        """What it printed; raises RuntimeError where it fails."""
        self._console.sendall(command.encode() + b"\n")
        printed, code = self._answer(seconds)
        if code != 0:
            raise RuntimeError(f"{command}: ended with {code}: {printed}")
        return printed

    def _answer(self, seconds):
        end = time.monotonic() + seconds
        while True:
            match = re.search(rb"\n@(\d+)@\r?\n", self._received)
            if match:
                printed = self._received[:match.start()].decode(errors="replace").strip()
                self._received = self._received[match.end():]
                with open(self.folder / "console.log", "a", encoding="utf-8") as log:
                    log.write(printed + "\n")
                return printed, int(match.group(1))
            self._console.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = self._console.recv(65536)
            except TimeoutError:
                piece = b""
            if not piece:
                raise TimeoutError(f"the board did not answer within {seconds:g} s; it said: {self._received[-2000:].decode(errors='replace')}")
            self._received += piece

    # Its clock. The truth is this machine's own.

    def boot_offset(self):
        """UTC at its boot time 0, in seconds, by this machine's clock; and how far that may be off. The best of some looks."""
        looks = []
        for _ in range(5):
            before = time.time()
            boot = int(self.run("guest_clock").split()[0]) / 1e9
            after = time.time()
            looks.append(((after - before) / 2, (before + after) / 2 - boot))
        error, offset = min(looks)
        return offset, error

    def set_clock(self, offset, synchronised=False, error=0.005):
        """UTC becomes `offset` seconds more than its boot time."""
        self.run(f"guest_clock {round(offset * 1e9)}" + (f" {round(error * 1e6)}" if synchronised else ""))

    def boot_id(self):
        return self.run("cat /proc/sys/kernel/random/boot_id")

    def clock(self):
        """(boot time, UTC) in seconds."""
        return tuple(int(word) / 1e9 for word in self.run("guest_clock").split())


def initramfs(contents, folders):
    """A newc archive; all files may be run."""
    names = {parent for name in (*contents, *folders) for parent in map(str, Path(name + "/_").parents) if parent not in ("/", *contents)}
    entries = [(name, 0o040755, b"") for name in sorted(names)] + [(name, 0o100755, content) for name, content in contents.items()]
    archive = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("/TRAILER!!!", 0, b"")], start=1):
        name = name[1:].encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        for piece in (b"070701" + b"".join(b"%08X" % field for field in fields) + name, content):
            archive += piece + bytes(-len(piece) % 4)
    return bytes(archive)
