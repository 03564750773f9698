# SPDX-License-Identifier: Apache-2.0
"""One message of the agent, read from its JSON payload (packaging/schema/). A consumer's view,
written from the schema and not from the agent's code."""

import datetime
import json
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
    utc: object  # seconds since 1970, or None while the time is not known

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
    first_seq: int = 0  # 0: seq
    thinned: bool = False

    @property
    def is_merged(self):
        return bool(self.first_seq)

    def covers(self, epoch, lane, seq):
        """Whether it takes the place of this number of this lane."""
        return (self.epoch, self.lane) == (epoch, lane) and (self.first_seq or self.seq) <= seq <= self.seq

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
    if document["v"] != 1:
        raise ValueError(f"version {document['v']}, we know 1")
    boot_ms = document["time"]["boot_ms"]
    utc_start = utc_seconds(document["time"]["start"])
    times = document.get("times", ())
    samples = []
    summaries = []
    for entry in document.get("series", ()):
        labels = tuple(entry["labels"].items())
        text = series_text(entry["name"], labels)
        if "samples" in entry:
            samples += _samples(entry, text, labels, times, boot_ms, utc_start)
        if "summaries" in entry:
            summaries += _summaries(entry, text)
    message = Message(
        device=document["device"], epoch=document["epoch"], seq=document["seq"],
        lane=document["lane"], boot=document["boot"], samples=tuple(samples),
        summaries=tuple(summaries),
        events=tuple(EventReading(event["name"], event["severity"], event["message"],
                                  _number(event["value"]))
                     for event in document.get("events", ())),
        gaps=tuple(GapReport(gap["cause"], gap["lane"], gap["readings"], gap["first_seq"],
                             gap["last_seq"])
                   for gap in document.get("gaps", ())),
        content=_content(document), first_seq=document.get("first_seq", 0),
        thinned=document.get("thinned", False))
    if topic.split("/")[-2:] != [message.device, message.lane]:
        raise ValueError(f"topic {topic} of a message of {message.device}, lane {message.lane}")
    return message


def _samples(entry, text, labels, times, boot_ms, utc_start):
    offsets = times[entry["samples"]["t"]]
    values = entry["samples"]["v"]
    if len(offsets) != len(values):
        raise ValueError(f"{text}: {len(offsets)} times for {len(values)} values")
    return [SampleReading(series=text, name=entry["name"], labels=labels, kind=entry["kind"],
                          value=_number(value), boot_seconds=(boot_ms + offset) / 1000,
                          utc=None if utc_start is None else utc_start + offset / 1000)
            for offset, value in zip(offsets, values)]


def _summaries(entry, text):
    columns = entry["summaries"]
    return [SummaryReading(text, entry["name"], count, _number(columns["min"][at]),
                           _number(columns["max"][at]), _number(columns["last"][at]))
            for at, count in enumerate(columns["count"])]


def _number(value):
    """Integers beyond 2^53 come as digits, doubles without a JSON form as words."""
    if isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value


def utc_seconds(text):
    if text is None:
        return None
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _content(document):
    """What must be equal in a duplicate: everything but UTC, which may have become known, or better
    known, between the two sendings."""
    fixed = {**document, "time": {"boot_ms": document["time"]["boot_ms"]}}
    return json.dumps(fixed, sort_keys=True)
