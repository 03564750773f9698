# SPDX-License-Identifier: Apache-2.0
"""Ports of loopback for tests that run at the same time."""

import random
import socket

_claims = []


def free_port(address="127.0.0.1"):
    """A port nobody listens on now and no other test takes, as long as this process lives: whoever gets it keeps it over restarts.

    It lies below those that the kernel gives to connections and to who asks for any: one of these may be taken while a broker is
    away for a moment. The claim is a socket whose name is the port's."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as bounds:
        lowest = int(bounds.read().split()[0])
    for port in random.SystemRandom().sample(range(10_000, max(lowest, 10_100)), 100):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0fieldpost-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise RuntimeError("no free port among a hundred")
