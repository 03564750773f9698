# SPDX-License-Identifier: Apache-2.0
"""Reads the agent's log: a fixed phrase, then key=value fields."""

import datetime
import re
import time

_FIELD = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|\S*)')


def fields_of(line):
    """{'lane': 'live', 'seq': '12'} of `... segment durable lane=live seq=12`."""
    fields = {}
    for key, value in _FIELD.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields[key] = value
    return fields


def boot_seconds_of(line):
    """When a line was written, on the clock of the agent's samples."""
    written = datetime.datetime.fromisoformat(line.split(" ", 1)[0].replace("Z", "+00:00")).timestamp()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - (time.time() - written)


def complete_lines(path):
    """The lines that were written whole. A process killed with SIGKILL may leave half a line."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    end = text.rfind(b"\n")
    return text[:end + 1].decode("utf-8", errors="replace").splitlines()
