# SPDX-License-Identifier: Apache-2.0
"""A reader of SenML packs, written from RFC 8428 and not from the agent's code: strict about everything that the RFC says
MUST, in JSON and in CBOR (decoded by python3-cbor2), and resolving a pack to records that stand by themselves."""

import json
import math
import re
from dataclasses import dataclass

RELATIVE_BELOW = 2 ** 28
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*\Z")

# Section 6, table 4: the labels of CBOR.
CBOR_LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s",
               6: "t", 7: "ut", 8: "vd"}
NUMBERS = {"bt", "bv", "bs", "v", "s", "t", "ut"}
TEXTS = {"bn", "bu", "n", "u", "vs"}
VALUES = ("v", "vs", "vb", "vd")

# Section 12.1, as far as anybody here uses it.
UNITS = set("""m kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 l m/s m/s2 m3/s l/s W/m2 cd/m2
               bit bit/s lat lon pH dB dBW count / %RH %EL EL 1/s 1/min beat/min S/m B VA VAs var vars J/m kg/m3 deg""".split())


class Unreadable(ValueError):
    """No SenML pack; the text says what RFC 8428 forbids."""


@dataclass(frozen=True)
class Record:
    name: str
    value: object  # int or float, str, bool
    unit: str = None
    time: float = 0.0       # seconds, rounded to what milliseconds mean
    is_relative: bool = False  # to now


def is_cbor(payload):
    return bool(payload) and 0x80 <= payload[0] <= 0x9F


def is_pack(payload):
    return payload.startswith(b"[") or is_cbor(payload)


def read(payload):
    """The resolved records of a pack in either form."""
    return resolve(_from_cbor(payload) if is_cbor(payload) else _from_json(payload))


def _from_json(payload):
    def no_constants(word):
        raise Unreadable(f"{word} is no JSON")

    def no_repeats(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise Unreadable("a label stands twice in one record")
        return dict(pairs)
    try:
        pack = json.loads(payload.decode("utf-8"), parse_constant=no_constants, object_pairs_hook=no_repeats)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Unreadable(f"no JSON: {error}") from None
    if not isinstance(pack, list):
        raise Unreadable("a pack is an array")
    return pack


def _from_cbor(payload):
    import io

    import cbor2
    stream = io.BytesIO(payload)
    try:
        pack = cbor2.load(stream)
    except Exception as error:  # whatever the library raises
        raise Unreadable(f"no CBOR: {error}") from None
    if stream.tell() != len(payload):
        raise Unreadable("something follows the pack")
    if payload[0] == 0x9F or not isinstance(pack, list):
        raise Unreadable("a pack is an array of definite length")
    if cbor2.dumps(len(pack))[0] & 0x1F != payload[0] & 0x1F:
        raise Unreadable("the array's length is not in its shortest form")
    return [_named(record) for record in pack]


def _named(record):
    if not isinstance(record, dict):
        raise Unreadable("a record is a map")
    if any(isinstance(label, bool) or not isinstance(label, (int, str)) for label in record):
        raise Unreadable("a label is an integer or a text")
    unknown = [label for label in record if isinstance(label, int) and label not in CBOR_LABELS]
    if unknown:
        raise Unreadable(f"labels {unknown} mean nothing")
    if any(label in CBOR_LABELS.values() for label in record if isinstance(label, str)):
        raise Unreadable("a label that has an integer is written as a text")
    return {CBOR_LABELS.get(label, label): value for label, value in record.items()}


def resolve(pack):
    """Section 4.6. Raises Unreadable."""
    if not pack:
        raise Unreadable("an empty pack says nothing")
    base = {"bn": "", "bt": 0, "bu": None, "bv": 0}
    records = []
    for record in pack:
        _check(record)
        if record.get("bver", 10) != 10:
            raise Unreadable(f"version {record['bver']}, we know 10")
        for label in base:
            base[label] = record.get(label, base[label])
        if not any(label in record for label in VALUES):
            if "s" in record:
                continue
            if all(label.startswith("b") for label in record):
                continue  # base values alone
            raise Unreadable(f"{record} has no value")
        records.append(_resolved(record, base))
    return records


def _check(record):
    if not isinstance(record, dict):
        raise Unreadable("a record is an object")
    for label, value in record.items():
        if label.endswith("_"):
            raise Unreadable(f"{label} must be understood, and is not")
        if label in NUMBERS and (isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)):
            raise Unreadable(f"{label} is {value!r}, which is no number")
        if label in TEXTS and not isinstance(value, str):
            raise Unreadable(f"{label} is {value!r}, which is no text")
    if isinstance(record.get("vb", True), bool) is False:
        raise Unreadable("vb is no Boolean")
    if sum(label in record for label in VALUES) > 1:
        raise Unreadable("more than one value")


def _resolved(record, base):
    name = base["bn"] + record.get("n", "")
    if not NAME.match(name):
        raise Unreadable(f"{name!r} is not a name")
    value = next(record[label] for label in VALUES if label in record)
    unit = None
    if "v" in record:
        value = value + base["bv"]
        unit = record.get("u", base["bu"])
        if unit is not None and unit not in UNITS:
            raise Unreadable(f"{unit!r} is not in the registry of units")
    time = base["bt"] + record.get("t", 0)
    return Record(name=name, value=value, unit=unit, time=round(time, 3), is_relative=time < RELATIVE_BELOW)
