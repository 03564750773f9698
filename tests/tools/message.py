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


def series_text(name, labels):
    """The series as Prometheus writes it, which is how tests name it."""
    if not labels:
        return name
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
    return f"{name}{{{inner}}}"


def _escaped(value):
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def parse(topic, payload):
    """Raises Unreadable when the payload is not a message, or not the one its topic promises."""
    return _parse(topic, bytes(payload))


@lru_cache(maxsize=20_000)
def _parse(topic, payload):
    try:
        document = json.loads(payload)
        return _message(topic, document)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None


def _message(topic, document):
    series = [(series_text(entry["name"], tuple(entry["labels"].items())), entry)
              for entry in document["series"]]
    message = Message(
        device=document["device"], epoch=document["epoch"], seq=document["seq"],
        lane=document["lane"], boot=document["boot"],
        samples=tuple(SampleReading(
            series=series[sample["s"]][0], name=series[sample["s"]][1]["name"],
            labels=tuple(series[sample["s"]][1]["labels"].items()),
            kind=series[sample["s"]][1]["kind"], value=sample["v"],
            boot_seconds=sample["t"] / 1e9, utc=sample["t"] / 1e9)
            for sample in document.get("samples", ())),
        summaries=(), 
        events=tuple(EventReading(e["name"], e["severity"], e["message"], e["value"])
                     for e in document.get("events", ())),
        gaps=tuple(GapReport(g["cause"], g["lane"], g["readings"], g["first_seq"], g["last_seq"])
                   for g in document.get("gaps", ())),
        content=json.dumps(document, sort_keys=True))
    return message
