# SPDX-License-Identifier: Apache-2.0
"""Reads the agent's log: a fixed phrase, then key=value fields."""

import re

_FIELD = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|\S*)')


def fields_of(line):
    """{'lane': 'live', 'seq': '12'} of `... segment durable lane=live seq=12`."""
    fields = {}
    for key, value in _FIELD.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields[key] = value
    return fields


def complete_lines(path):
    """The lines that were written whole. A process killed with SIGKILL may leave half a line."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    end = text.rfind(b"\n")
    return text[:end + 1].decode("utf-8", errors="replace").splitlines()
