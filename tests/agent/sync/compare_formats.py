#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what the test has written of many segments, in every format, with decoders that are not ours, and compares it
with the JSON message of the same segment, reading by reading; and shows that a comparison with one value spoilt fails.
One line a segment, of JSON: "json", and in hexadecimal "senml_json", "senml_cbor", "births" and "data", lists of messages.
Exit code 77: a decoder is not installed here."""

import copy
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

try:
    import cbor2  # noqa: F401
    from google.protobuf import message  # noqa: F401
except ImportError:
    sys.exit(77)
if shutil.which("protoc") is None:
    sys.exit(77)

from tests.doubles.sparkplug_host import SparkplugHost  # noqa: E402
from tests.tools import senml  # noqa: E402
from tests.tools.senml_documents import document_of_pack  # noqa: E402

NOT_FINITE = ("NaN", "+Inf", "-Inf")


def number(value):
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def facts(documents, *, with_not_finite):
    """All that a message says, in an order and a form that do not depend on the format."""
    merged = {}
    found = []
    for one in documents:
        own = {key: one.get(key) for key in ("device", "epoch", "seq", "first_seq", "thinned", "lane", "boot")}
        own["boot_ms"] = one["time"]["boot_ms"]
        own.update(one["time"])
        merged.setdefault("own", own)
        if merged["own"] != own:
            raise ValueError("the parts do not agree about themselves")
        found += [("event", json.dumps(event, sort_keys=True)) for event in one.get("events", ())]
        found += [("gap", json.dumps(gap, sort_keys=True)) for gap in one.get("gaps", ())]
        for series in one.get("series", ()):
            found += readings(series, one["times"], with_not_finite)
    return merged["own"], sorted(found, key=lambda fact: (repr(fact[:-1]), repr(rounded(fact[-1]))))


def rounded(value):
    return float(value) if isinstance(value, int) else value


def same(want, got):
    """A metric of Sparkplug B has one datatype: an integer in a series of doubles is a double, and may be rounded."""
    return want == got or (want[:-1] == got[:-1] and isinstance(got[-1], float) and rounded(want[-1]) == got[-1])


def readings(series, times, with_not_finite):
    key = (series["name"], tuple(series["labels"].items()))
    found = []
    samples = series.get("samples")
    if samples:
        qualities = samples.get("q", [0] * len(samples["v"]))
        for at, value, quality in zip(times[samples["t"]], samples["v"], qualities):
            found += kept([(*key, at, number(value))], value, with_not_finite)
            if quality and (with_not_finite or value not in NOT_FINITE):
                found.append((*key, at, "quality", quality))
    summaries = series.get("summaries", {})
    for place in range(len(summaries.get("count", ()))):
        start, end = times[summaries["start"]][place], times[summaries["end"]][place]
        found.append((*key, start, end))
        no_increase = "increase" not in summaries or summaries["increase"][place] is None
        for column, values in summaries.items():
            value = None if column in ("start", "end", "window") else values[place]
            if value is None or (column == "q" and value == 0) or (column == "resets" and no_increase):
                continue
            found += kept([(*key, start, column, number(value))], value, with_not_finite)
    return found


def kept(found, value, with_not_finite):
    return found if with_not_finite or value not in NOT_FINITE else []


def spoilt(documents):
    """The same with one value changed; None if there is none."""
    other = copy.deepcopy(documents)
    for one in other:
        for series in one.get("series", ()):
            if "samples" in series:
                series["samples"]["v"][0] = 12345.678
                return other
    return None


class Comparison:
    def __init__(self):
        self.failures = 0
        self.compared = 0
        self.spoilt_seen = 0
        self.bytes = {}

    def compare(self, what, line, expected, actual, **options):
        self.compared += 1
        want, got = facts([expected], **options), facts(actual, **options)
        unequal = [pair for pair in zip(want[1], got[1]) if not same(*pair)][:2]
        if unequal or want[0] != got[0] or len(want[1]) != len(got[1]):
            self.failures += 1
            print(f"line {line}, {what}: {len(want[1])} facts, got {len(got[1])}; first unequal {unequal or (want[0], got[0])}"[:800])
        wrong = spoilt(actual)
        if wrong and facts(wrong, **options) == want:
            self.failures += 1
            print(f"line {line}, {what}: a spoilt copy was taken for right")
        self.spoilt_seen += wrong is not None

    def count(self, what, messages):
        self.bytes[what] = self.bytes.get(what, 0) + sum(len(one) // 2 for one in messages)


def main(path):
    comparison = Comparison()
    host = SparkplugHost("fieldpost", "gateway-1")
    for line, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        made = json.loads(text)
        for form in ("senml_json", "senml_cbor"):
            packs = [document_of_pack(bytes.fromhex(pack)) for pack in made[form]]
            comparison.compare(form, line, made["json"], packs, with_not_finite=False)
            comparison.count(form, made[form])
        for birth in made["births"]:
            host.take("spBv1.0/fieldpost/NBIRTH/gateway-1", bytes.fromhex(birth))
        before = len(host.documents)
        for data in made["data"]:
            host.take("spBv1.0/fieldpost/NDATA/gateway-1", bytes.fromhex(data))
        comparison.compare("sparkplug_b", line, made["json"], host.documents[before:], with_not_finite=True)
        comparison.count("sparkplug_b", made["data"])
    for violation in host.violations[:10]:
        print(violation)
    failures = comparison.failures + len(host.violations)
    print(f"{comparison.compared} messages compared, {comparison.spoilt_seen} spoilt ones seen, {failures} failures; bytes {comparison.bytes}")
    sys.exit(1 if failures or comparison.compared == 0 or comparison.spoilt_seen == 0 else 0)


if __name__ == "__main__":
    main(sys.argv[1])
