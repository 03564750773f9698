# SPDX-License-Identifier: Apache-2.0
"""One message of the agent, read from its JSON payload (packaging/schema/). A consumer's view,
written from the schema and not from the agent's code."""

import json
import time
from dataclasses import dataclass
from functools import lru_cache


class Unreadable(Exception):
    """The payload is not what the schema promises; the text says where."""


@dataclass(frozen=True)
class SampleReading:
    series: str   # name{label="value",...}
    name: str
    labels: tuple
    kind: str
    value: object  # int or float, exactly as it came
    boot_seconds: float
    utc: float

    @property
    def is_ramp(self):
        return self.name == "fieldpost_simulated_value" and ("shape", "ramp") in self.labels


@dataclass(frozen=True)
class SummaryReading:
    series: str
    name: str
    count: int
    minimum: object
    maximum: object
    last: object


@dataclass(frozen=True)
class EventReading:
    name: str
    severity: str
    message: str
    value: object


@dataclass(frozen=True)
class GapReport:
    cause: str
    lane: str
    readings: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True)
class Message:
    device: str
    epoch: str
    seq: int
    lane: str
    boot: str
    samples: tuple
    summaries: tuple
    events: tuple
    gaps: tuple
    content: str

    @property
    def identity(self):
        return (self.device, self.epoch, self.seq)

    @property
    def readings(self):
        return len(self.samples) + len(self.summaries) + len(self.events)
