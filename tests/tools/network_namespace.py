# SPDX-License-Identifier: Apache-2.0
"""A network of our own that can be cut: a namespace joined to this machine by one veth pair."""

import os
import shutil
import subprocess


def unavailable_because():
    """None when namespaces can be made here, otherwise the reason, for SKIPPED."""
    if os.geteuid() != 0:
        return "needs root for ip netns"
    if shutil.which("ip") is None:
        return "needs the ip tool (package iproute2)"
    trial = subprocess.run(["ip", "netns", "add", f"fieldpost-try-{os.getpid()}"],
                           capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        return f"ip netns add does not work here: {trial.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", f"fieldpost-try-{os.getpid()}"], check=False)
    return None


class NetworkNamespace:
    """`inside_address` lives in the namespace, `outside_address` on this machine; nothing else is
    routed. Both are from 198.18.0.0/15, which RFC 2544 keeps for tests."""

    def __init__(self, number=None):
        number = os.getpid() % 16384 if number is None else number
        self.name = f"fieldpost-{os.getpid()}"
        self._outside = f"fp{os.getpid()}o"[:15]
        self._inside = f"fp{os.getpid()}i"[:15]
        network = f"198.18.{(number >> 6) & 255}.{(number & 63) * 4}"
        stem, last = network.rsplit(".", 1)
        self.outside_address = f"{stem}.{int(last) + 1}"
        self.inside_address = f"{stem}.{int(last) + 2}"

    def __enter__(self):
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._outside, "type", "veth", "peer", "name", self._inside,
                "netns", self.name)
            _ip("addr", "add", f"{self.outside_address}/30", "dev", self._outside)
            _ip("link", "set", self._outside, "up")
            _ip("-n", self.name, "addr", "add", f"{self.inside_address}/30", "dev", self._inside)
            _ip("-n", self.name, "link", "set", self._inside, "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self._outside], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def cut(self):
        """Packets vanish without an answer, as with a pulled cable further away: the inner end goes
        down, our end stays up and routed."""
        _ip("-n", self.name, "link", "set", self._inside, "down")

    def mend(self):
        _ip("-n", self.name, "link", "set", self._inside, "up")


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10)
