# SPDX-License-Identifier: Apache-2.0
"""A bad road: a network namespace whose only link is shaped packet by packet in user space (the kernels we test on have no
netem): loss, delay, a rate with a bounded queue, and a cut that nobody is told of. Two TUN devices, and a process between them."""

import ctypes
import fcntl
import heapq
import itertools
import multiprocessing
import os
import random
import select
import shutil
import struct
import subprocess
import time
from pathlib import Path

TUNSETIFF = 0x400454CA
IFF_TUN_WITHOUT_HEADER = 0x1001
QUEUE_SECONDS = 0.25  # of the rate; what comes beyond is dropped, as a modem does
QUEUE_BYTES_MIN = 32 * 1024


def unavailable_because():
    """None when such a link can be made here, otherwise the reason, for SKIPPED."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if shutil.which("ip") is None:
        return "needs the ip tool (package iproute2)"
    if not Path("/dev/net/tun").exists():
        return "this kernel has no TUN device"
    try:
        os.close(_open_tun(f"fpt{os.getpid()}"[:15]))
    except OSError as error:
        return f"no TUN device can be made here: {error}"
    return None


class ShapedLink:
    """`outside_address` is this machine's end, `inside_address` the namespace's. "Up" is towards this machine."""

    def __init__(self, seed=1):
        number = os.getpid() % 16384
        stem, last = f"198.19.{(number >> 6) & 255}", (number & 63) * 4
        self.outside_address, self.inside_address = f"{stem}.{last + 1}", f"{stem}.{last + 2}"
        self.name = f"fieldpost-l{os.getpid()}"
        self._outside, self._inside = f"fpo{os.getpid()}"[:15], f"fpi{os.getpid()}"[:15]
        self._seed = seed
        self._shape = multiprocessing.Array(ctypes.c_double, [0.0, 0.0, 0.0, 0.0])  # loss, delay, rate, is cut
        self._carried = multiprocessing.Array(ctypes.c_uint64, [0, 0, 0, 0])  # bytes up, down; packets dropped, carried
        self._process = None

    def __enter__(self):
        ends = [_open_tun(self._outside), _open_tun(self._inside)]
        try:
            _ip("netns", "add", self.name)
            _ip("link", "set", self._inside, "netns", self.name)
            _ip("addr", "add", self.outside_address, "peer", self.inside_address, "dev", self._outside)
            _ip("link", "set", self._outside, "up")
            _ip("-n", self.name, "addr", "add", self.inside_address, "peer", self.outside_address, "dev", self._inside)
            _ip("-n", self.name, "link", "set", self._inside, "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
            self._process = multiprocessing.get_context("fork").Process(
                target=_carry, args=(*ends, self._shape, self._carried, self._seed), daemon=True)
            self._process.start()
        except Exception:
            self.__exit__()
            raise
        finally:
            for end in ends:
                os.close(end)
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self._process.kill()
            self._process.join()
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def shape(self, loss=0.0, delay=0.0, rate=0.0):
        """Each packet is lost with probability `loss`; `delay` seconds one way; `rate` bytes a second each way (0: as it comes)."""
        self._shape[0], self._shape[1], self._shape[2] = loss, delay, rate

    def cut(self):
        """Packets vanish without an answer, as behind a pulled cable further away."""
        self._shape[3] = 1.0

    def mend(self):
        self._shape[3] = 0.0

    @property
    def bytes_up(self):
        """IP bytes that came out at this machine's end."""
        return self._carried[0]

    @property
    def packets_dropped(self):
        return self._carried[2]

    @property
    def packets_carried(self):
        return self._carried[3]


class _Direction:
    def __init__(self):
        self.free_at = 0.0  # when the last packet taken has left


def _carry(outside, inside, shape, carried, seed):
    chance = random.Random(seed)
    order = itertools.count()
    flying = []  # due, order, to, packet, where to count
    routes = {inside: (outside, _Direction(), 0), outside: (inside, _Direction(), 1)}
    poll = select.poll()
    for end in routes:
        os.set_blocking(end, False)
        poll.register(end, select.POLLIN)
    while True:
        now = time.monotonic()
        wait = 100 if not flying else max(0, min(100, (flying[0][0] - now) * 1000))
        for end, _ in poll.poll(wait):
            to, direction, counter = routes[end]
            for _ in range(64):
                try:
                    packet = os.read(end, 65536)
                except BlockingIOError:
                    break
                loss, delay, rate, is_cut = shape[0], shape[1], shape[2], shape[3]
                now = time.monotonic()
                if is_cut or chance.random() < loss:
                    carried[2] += 1
                    continue
                if rate:
                    direction.free_at = max(now, direction.free_at)
                    if (direction.free_at - now) * rate > max(QUEUE_BYTES_MIN, rate * QUEUE_SECONDS):
                        carried[2] += 1
                        continue
                    direction.free_at += len(packet) / rate
                due = (direction.free_at if rate else now) + delay
                heapq.heappush(flying, (due, next(order), to, packet, counter))
        now = time.monotonic()
        while flying and flying[0][0] <= now:
            _, _, to, packet, counter = heapq.heappop(flying)
            if shape[3]:
                carried[2] += 1
                continue
            try:
                os.write(to, packet)
            except OSError:
                continue  # the other end has gone down
            carried[counter] += len(packet)
            carried[3] += 1


def _open_tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_WITHOUT_HEADER))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10)
