# SPDX-License-Identifier: Apache-2.0
"""Records of name, time and value, as SenML and Sparkplug B give them, put together again to the document of
packaging/schema/: so that one judge reads every format, and formats can be compared reading by reading. Written from the
rules for names in agent/sync/README.md."""

import datetime
import json
import re
from dataclasses import dataclass

OWN = "fieldpost"
SUMMARY_COLUMNS = ("window", "count", "min", "max", "mean", "last", "stddev", "increase", "resets", "summary_quality")
QUALITIES = {"good": 0, "suspect": 1, "substituted": 2}


@dataclass(frozen=True)
class Flat:
    name: str         # below the device
    value: object
    offset_ms: int    # from the message's first reading
    unit: str = None  # None: not said


def unfolded(text):
    """":XX" is a byte."""
    raw = re.sub(rb":([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode(errors="replace")


def split_name(name):
    """(series, labels, attribute or None)."""
    series, *rest = name.split("/")
    attribute = rest.pop() if len(rest) % 2 else None
    if not re.fullmatch(r"([A-Za-z0-9_.\-]|:[0-9A-F]{2})*(/.*)?", name.replace("/", "")):
        raise ValueError(f"{name} is not folded")
    labels = {unfolded(rest[at]): unfolded(rest[at + 1]) for at in range(0, len(rest), 2)}
    return unfolded(series), labels, attribute


def document(device, records, start_ms, known):
    """The JSON message that says the same; `start_ms` is UTC of the first reading, if `known`."""
    own = {}
    series = {}
    events, gaps = [], []
    for record in records:
        name, labels, attribute = split_name(record.name)
        if name == OWN and attribute == "event":
            event = json.loads(record.value)
            if event["t"] != record.offset_ms:
                raise ValueError(f"an event at {record.offset_ms} ms calls itself of {event['t']} ms")
            events.append(event)
        elif name == OWN and attribute == "gap":
            gaps.append(json.loads(record.value))
        elif name == OWN and not labels:
            if attribute in own:
                raise ValueError(f"{record.name} stands twice")
            own[attribute] = record.value
        else:
            key = (name, tuple(labels.items()))
            series.setdefault(key, []).append((attribute, record))
    times = _Times()
    result = {"v": 1, "device": device, "epoch": own["epoch"], "seq": own["seq"], "lane": own["lane"], "boot": own["boot"],
              "time": {"boot_ms": round(own["boot_time"] * 1000), "start": _rfc3339(start_ms) if known else None,
                       "error_ms": round(own["time_error"] * 1000) if "time_error" in own else None,
                       "trusted": own["time_trusted"]}}
    for key in ("first_seq", "thinned", "part", "parts"):
        if key in own:
            result[key] = own[key]
    if series:
        result["series"] = [_series(name, labels, records, times) for (name, labels), records in series.items()]
        result["times"] = times.vectors
    if events:
        result["events"] = events
    if gaps:
        result["gaps"] = gaps
    return result


class _Times:
    def __init__(self):
        self.vectors = []

    def number(self, offsets):
        if offsets not in self.vectors:
            self.vectors.append(offsets)
        return self.vectors.index(offsets)


def _series(name, labels, records, times):
    # Unit and kind are not said by these formats.
    entry = {"name": name, "labels": dict(labels), "unit": "", "kind": "gauge"}
    offsets, values, qualities = [], [], []
    summaries = []
    for attribute, record in records:
        if attribute is None:
            offsets.append(record.offset_ms)
            values.append(_json_value(record.value))
            qualities.append(0)
        elif attribute == "quality":
            if not offsets or offsets[-1] != record.offset_ms:
                raise ValueError(f"{name}: a quality without its reading")
            qualities[-1] = QUALITIES[record.value]
        elif attribute == "window":
            summaries.append({"start": record.offset_ms, "end": record.offset_ms + round(record.value * 1000)})
        elif attribute in SUMMARY_COLUMNS or re.fullmatch(r"p[0-9.]+", attribute):
            if not summaries or summaries[-1]["start"] != record.offset_ms:
                raise ValueError(f"{name}/{attribute} without its window")
            column = "q" if attribute == "summary_quality" else attribute
            summaries[-1][column] = QUALITIES[record.value] if column == "q" else _json_value(record.value)
        else:
            raise ValueError(f"{name}/{attribute} is not known")
    if values:
        entry["samples"] = {"t": times.number(offsets), "v": values}
        if any(qualities):
            entry["samples"]["q"] = qualities
    if summaries:
        columns = sorted({column for summary in summaries for column in summary} - {"start", "end"})
        entry["summaries"] = {"start": times.number([summary["start"] for summary in summaries]),
                              "end": times.number([summary["end"] for summary in summaries]),
                              **{column: [summary.get(column, 0 if column == "q" else None) for summary in summaries]
                                 for column in columns}}
    return entry


def _json_value(value):
    """As the schema writes what JSON's readers may round."""
    if isinstance(value, int) and abs(value) > 2 ** 53:
        return str(value)
    if isinstance(value, float) and value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return value


def _rfc3339(unix_ms):
    at = datetime.datetime.fromtimestamp(unix_ms // 1000, datetime.timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03}Z"
