# SPDX-License-Identifier: Apache-2.0
"""One message of the agent, read from its payload: JSON (packaging/schema/), SenML, either in zstd, or the native segment behind
a line of JSON (packaging/decoders/). A consumer's view, written from the schema and not from the agent's code."""

import datetime
import importlib.util
import json
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.tools import senml
from tests.tools.senml_documents import document_of_pack

DECODER = Path(__file__).resolve().parents[2] / "packaging/decoders/fieldpost_segment.py"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SEGMENT_MAGIC = b"FPSG"


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
    epoch: str = None  # of the two numbers; None: they never had one


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
        payload = plain(payload)
        if is_native(payload):
            return _native(topic, payload)
        if senml.is_pack(payload):
            return _message(topic, document_of_pack(payload))
        return _message(topic, json.loads(payload))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None


def plain(payload):
    """Without zstd; ValueError if that is broken."""
    if not payload.startswith(ZSTD_MAGIC):
        return payload
    done = subprocess.run(["zstd", "-dc"], input=payload, capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"zstd: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def is_native(payload):
    return payload.partition(b"\n")[2].startswith(SEGMENT_MAGIC)


@lru_cache(maxsize=1)
def decoder():
    """The reference decoder that is shipped, as a module."""
    specification = importlib.util.spec_from_file_location("fieldpost_segment", DECODER)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _native(topic, payload):
    head, _, segment = payload.partition(b"\n")
    head = json.loads(head)
    if head["v"] != 1:
        raise ValueError(f"version {head['v']}, we know 1")
    content = decoder().decode(segment)
    names = [(series_text(entry["name"], entry["labels"]), entry) for entry in content["series"]]
    utc_start = utc_seconds(head["time"]["start"])
    first = content["first"]

    def sample(one):
        text, entry = names[one["series"]]
        since = (one["time"] - first) / 1e9
        return SampleReading(series=text, name=entry["name"], labels=tuple(entry["labels"]), kind=entry["kind"],
                             value=one["value"], boot_seconds=one["time"] / 1e9,
                             utc=None if utc_start is None else utc_start + since)
    message = Message(
        device=head["device"], epoch=content["epoch"], seq=content["seq"], lane=content["lane"], boot=content["boot"],
        samples=tuple(sample(one) for one in content["samples"]),
        summaries=tuple(SummaryReading(*names[one["series"]][:1], names[one["series"]][1]["name"], one["count"],
                                       one["min"], one["max"], one["last"]) for one in content["summaries"]),
        events=tuple(EventReading(event["name"], event["severity"], event["message"], event["value"])
                     for event in content["events"]),
        gaps=tuple(GapReport(gap["cause"], gap["lane"], gap["readings"], gap["first_seq"], gap["last_seq"],
                             f"{gap['epoch']:016x}" if gap["epoch"] else None) for gap in content["gaps"]),
        content=segment.hex(), first_seq=content["first_seq"] if content["first_seq"] != content["seq"] else 0,
        thinned=content["thinned"])
    return _of_its_topic(topic, message)


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
                             gap["last_seq"], gap["epoch"])
                   for gap in document.get("gaps", ())),
        content=_content(document), first_seq=document.get("first_seq", 0),
        thinned=document.get("thinned", False))
    return _of_its_topic(topic, message)


def _of_its_topic(topic, message):
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
