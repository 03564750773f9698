#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes DIR/N.segment with the reference decoder and compares it with DIR/N.json, which the agent's own code
wrote. Also: a segment with any byte changed is refused. Exit code 1: something differs; 77: no zstd here."""

import importlib.util
import json
import shutil
import struct
import sys
from pathlib import Path

DECODER = Path(__file__).resolve().parents[3] / "packaging" / "decoders" / "fieldpost_segment.py"


def load_decoder():
    spec = importlib.util.spec_from_file_location("fieldpost_segment", DECODER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hexed(text):
    return text.encode("utf-8", "surrogateescape").hex()


def exact(value):
    if isinstance(value, int):
        return f"i{value}"
    return f"r{struct.unpack('<Q', struct.pack('<d', value))[0]}"


def labels(pairs):
    return [[hexed(name), hexed(value)] for name, value in pairs]


def description(decoder, segment):
    quality = decoder.QUALITIES.index
    part = segment["part"]
    return {
        "part": [str(part["first_seq"]), str(part["last_seq"]), part["number"], part["of"]] if part else [],
        "epoch": segment["epoch"], "seq": str(segment["seq"]), "first_seq": str(segment["first_seq"]),
        "thinned": segment["thinned"], "lane": segment["lane"], "boot": segment["boot"],
        "first": str(segment["first"]), "last": str(segment["last"]),
        "series": [{"name": hexed(s["name"]), "unit": hexed(s["unit"]), "kind": s["kind"], "labels": labels(s["labels"])}
                   for s in segment["series"]],
        "samples": [[s["series"], str(s["time"]), exact(s["value"]), quality(s["quality"])] for s in segment["samples"]],
        "summaries": [{
            "series": s["series"], "start": str(s["start"]), "end": str(s["end"]), "count": s["count"],
            "resets": s["resets"], "quality": quality(s["quality"]), "min": exact(s["min"]), "last": exact(s["last"]),
            "max": exact(s["max"]), "sum": exact(s["sum"]), "stddev": exact(s["stddev"]),
            "increase": exact(s["increase"]) if "increase" in s else "",
            "quantiles": [[exact(rank), exact(value)] for rank, value in s["quantiles"]]} for s in segment["summaries"]],
        "events": [{"name": hexed(e["name"]), "message": hexed(e["message"]), "severity": e["severity"],
                    "time": str(e["time"]), "value": exact(e["value"]), "labels": labels(e["labels"])}
                   for e in segment["events"]],
        "gaps": [{"cause": g["cause"], "lane": g["lane"], "readings": str(g["readings"]), "epoch": str(g["epoch"]),
                  "first_seq": str(g["first_seq"]), "last_seq": str(g["last_seq"]), "boot": hexed(g["boot"]),
                  "first": str(g["first"]), "last": str(g["last"])} for g in segment["gaps"]],
    }


def has_zstd():
    if shutil.which("zstd"):
        return True
    return any(importlib.util.find_spec(name) for name in ("zstandard", "compression"))


def main(folder):
    if not has_zstd():
        sys.exit(77)
    decoder = load_decoder()
    failures = 0
    files = sorted(Path(folder).glob("*.segment"))
    for path in files:
        data = path.read_bytes()
        expected = json.loads(path.with_suffix(".json").read_text())
        found = description(decoder, decoder.decode(data))
        for part, value in expected.items():
            if found[part] != value:
                failures += 1
                print(f"{path.name}: {part} differs")
    # A byte changed anywhere is refused; a few of them, for Python's CRC is slow.
    for place in range(0, len(data), max(1, len(data) // 20)):
        damaged = data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1:]
        try:
            decoder.decode(damaged)
        except decoder.Malformed:
            continue
        failures += 1
        print(f"byte {place} changed and nothing noticed")
    print(f"{len(files)} segments compared, {failures} differences")
    sys.exit(1 if failures or not files else 0)


if __name__ == "__main__":
    main(sys.argv[1])
