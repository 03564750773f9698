#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference decoder of Fieldpost's native segment, versions 1 to 3. The format is described byte by byte in
agent/store/README.md; this was written from that text and shares no code with the agent.

As a program: fieldpost_segment.py FILE... prints one JSON document a segment. As a module: decode(bytes).
Needs Python 3.8; zstd bodies need Python 3.14, the module zstandard, or the program zstd.

Times are integers, nanoseconds since boot. A value is an int or a float as it was stored."""

import json
import struct
import subprocess
import sys

LANES = ("alert", "event", "live", "bulk")
KINDS = ("counter", "gauge", "state")
QUALITIES = ("good", "suspect", "substituted")
SEVERITIES = ("info", "warn", "critical", "resolved")
CAUSES = ("quota", "age", "damage", "memory", "oversize", "refused", "thinned")
HEADER = struct.Struct("<4sBBBBIIIQQqqIIII16s")
FIRST_SEQ = struct.Struct("<Q")
PART = struct.Struct("<QQBB")
PARTS_MAX = 64
BODY_BYTES_MAX = 16 << 20


class Malformed(ValueError):
    """The bytes are not a segment; the text says what is wrong."""


def _crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _unzstd(data, size):
    try:
        from compression import zstd
        return zstd.decompress(data)
    except ImportError:
        pass
    try:
        import zstandard
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except ImportError:
        pass
    done = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise Malformed("zstd: " + done.stderr.decode(errors="replace").strip())
    return done.stdout


def _signed(number):
    """The 64-bit two's complement of what may have wrapped."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


class _Reader:
    def __init__(self, data):
        self._data = data
        self._at = 0

    def left(self):
        return len(self._data) - self._at

    def bytes(self, count):
        if count > self.left():
            raise Malformed("the body ends too soon")
        self._at += count
        return self._data[self._at - count:self._at]

    def u8(self):
        return self.bytes(1)[0]

    def u64(self):
        return struct.unpack("<Q", self.bytes(8))[0]

    def double(self):
        return struct.unpack("<d", self.bytes(8))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if value >> 64:
            raise Malformed("a number of more than 64 bits")
        return value

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def raw_text(self):
        return self.bytes(self.varint())

    def text(self):
        return self.raw_text().decode("utf-8", "surrogateescape")

    def name(self, names):
        number = self.u8()
        if number >= len(names):
            raise Malformed("a number without a meaning")
        return names[number]


def _integers(reader, count, start, of_deltas):
    values = []
    step = zeros = 0
    for _ in range(count):
        if zeros:
            zeros -= 1
            token = 0
        else:
            token = reader.zigzag()
            if token == 0:
                zeros = reader.varint()
        step = _signed(step + token) if of_deltas else token
        start = _signed(start + step)
        values.append(start)
    if zeros:
        raise Malformed("a run longer than its column")
    return values


def _xor_bits(reader, count):
    bits = []
    previous = 0
    while len(bits) < count:
        head = reader.u8()
        same = 1
        if head == 0:
            same += reader.varint()
        else:
            leading, length = head >> 4, head & 15
            if length == 0 or leading + length > 8:
                raise Malformed("a XOR that does not fit")
            middle = int.from_bytes(reader.bytes(length), "little")
            previous ^= middle << (8 * (8 - leading - length))
        bits += [previous] * same
    if len(bits) != count:
        raise Malformed("a run longer than its column")
    return bits


def _double_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits & ((1 << 64) - 1)))[0]


def _values(reader, count):
    head = reader.u8()
    method, exponent, mixed = head & 7, (head >> 3) & 15, head >> 7
    types = int.from_bytes(reader.bytes((count + 7) // 8), "little") if mixed else 0
    if method in (0, 2):
        numbers = _integers(reader, count, 0, of_deltas=False)
    elif method in (1, 3):
        numbers = _integers(reader, count, 0, of_deltas=True)
    elif method == 4:
        numbers = _xor_bits(reader, count)
    elif method == 5:
        numbers = [reader.u64() for _ in range(count)]
    else:
        raise Malformed("an unknown method")
    scaled = method in (2, 3)
    values = []
    for place, number in enumerate(numbers):
        is_double = (types >> place) & 1 if mixed else method >= 2
        if not is_double:
            values.append(_signed(number))
        elif scaled:
            values.append(float(number) / float(10 ** exponent))
        else:
            values.append(_double_of(number))
    return values


def _labels(reader):
    return [(reader.text(), reader.text()) for _ in range(reader.varint())]


def _series(reader):
    series = []
    key = b""
    for _ in range(reader.varint()):
        shared = reader.varint()
        if shared > len(key):
            raise Malformed("a series that shares more than there is")
        key = key[:shared] + reader.raw_text()
        part = _Reader(key)
        series.append({"name": part.text(), "unit": part.text(), "kind": part.name(KINDS), "labels": _labels(part)})
    return series


def _samples(reader, count, first):
    instants = _integers(reader, reader.varint(), first, of_deltas=True)
    lists = [[instants[number] for number in _integers(reader, reader.varint(), -1, of_deltas=True)]
             for _ in range(reader.varint())]
    runs = reader.varint()
    series = _integers(reader, runs, -1, of_deltas=True)
    chosen = _integers(reader, runs, 0, of_deltas=False)
    samples = []
    for number, times in zip(series, chosen):
        times = lists[times]
        for time, value in zip(times, _values(reader, len(times))):
            samples.append({"series": number, "time": time, "value": value})
    if len(samples) != count:
        raise Malformed("the samples are not as many as the header says")
    place = 0
    while place < count:
        quality = reader.name(QUALITIES)
        for _ in range(reader.varint()):
            samples[place]["quality"] = quality
            place += 1
    return samples


def _summaries(reader, count, first):
    series = _integers(reader, count, -1, of_deltas=False)
    starts = _integers(reader, count, first, of_deltas=False)
    lengths, counts, resets, flags = (_integers(reader, count, 0, of_deltas=False) for _ in range(4))
    ranks = [[reader.double() for _ in range(reader.varint())] for _ in range(reader.varint())]
    chosen = _integers(reader, count, 0, of_deltas=False)
    summaries = []
    for place in range(count):
        of_this = ranks[chosen[place]]
        run = _values(reader, 3 + len(of_this))
        summaries.append({
            "series": series[place], "start": starts[place], "end": _signed(starts[place] + lengths[place]),
            "count": counts[place], "min": run[0], "last": run[1], "max": run[2],
            "quantiles": list(zip(of_this, run[3:])), "resets": resets[place],
            "quality": QUALITIES[flags[place] & 3]})
    for name in ("sum", "stddev"):
        for summary, value in zip(summaries, _values(reader, count)):
            summary[name] = value
    with_increase = [summary for summary, flag in zip(summaries, flags) if flag & 4]
    if with_increase:
        for summary, value in zip(with_increase, _values(reader, len(with_increase))):
            summary["increase"] = value
    return summaries


def _event(reader, first):
    return {"name": reader.text(), "labels": _labels(reader), "severity": reader.name(SEVERITIES),
            "time": _signed(first + reader.zigzag()), "value": reader.double(), "message": reader.text()}


def _gap(reader):
    gap = {"cause": reader.name(CAUSES), "lane": reader.name(LANES), "readings": reader.varint(), "epoch": reader.u64(),
           "first_seq": reader.varint()}
    gap["last_seq"] = (gap["first_seq"] + reader.varint()) & ((1 << 64) - 1)
    gap["boot"], gap["first"], gap["last"] = reader.text(), reader.zigzag(), reader.zigzag()
    return gap


def decode(data):
    """The segment as a dictionary. Raises Malformed."""
    if len(data) < HEADER.size:
        raise Malformed("too short")
    (magic, version, lane, compression, flags, crc, stored_bytes, body_bytes, epoch, seq, first, last,
     samples, summaries, events, gaps, boot) = HEADER.unpack_from(data)
    if magic != b"FPSG":
        raise Malformed("does not begin with FPSG")
    if crc != crc32c(data[:8] + data[12:]):
        raise Malformed("the CRC is wrong")
    if version not in (1, 2, 3) or lane >= len(LANES) or compression > 1 or flags > (version > 1) or (version == 3 and not flags):
        raise Malformed("a version or field that is not known here")
    first_seq, start = seq, HEADER.size
    part = None
    if version > 1:
        if len(data) < HEADER.size + FIRST_SEQ.size + (PART.size if version == 3 else 0):
            raise Malformed("too short")
        (first_seq,), start = FIRST_SEQ.unpack_from(data, HEADER.size), HEADER.size + FIRST_SEQ.size
    if version == 3:
        run_first, run_last, number, of = PART.unpack_from(data, start)
        start += PART.size
        if not 1 <= number <= of or not 2 <= of <= PARTS_MAX or run_first > first_seq or run_last < seq:
            raise Malformed("a part of nothing")
        part = {"number": number, "of": of, "first_seq": run_first, "last_seq": run_last}
    if first_seq > seq:
        raise Malformed("a number is out of range")
    body = data[start:]
    if len(body) != stored_bytes or body_bytes > BODY_BYTES_MAX:
        raise Malformed("the body's length is wrong")
    if compression:
        body = _unzstd(body, body_bytes)
    if len(body) != body_bytes:
        raise Malformed("the body's length is wrong")
    reader = _Reader(body)
    text = boot.hex()
    segment = {"epoch": f"{epoch:016x}", "seq": seq, "first_seq": first_seq, "thinned": bool(flags), "part": part,
               "lane": LANES[lane], "first": first, "last": last,
               "boot": "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))}
    try:
        segment["series"] = _series(reader)
        segment["samples"] = _samples(reader, samples, first) if samples else []
        segment["summaries"] = _summaries(reader, summaries, first) if summaries else []
        segment["events"] = [_event(reader, first) for _ in range(events)]
        segment["gaps"] = [_gap(reader) for _ in range(gaps)]
    except IndexError:
        raise Malformed("a number points outside its list") from None
    if reader.left():
        raise Malformed("bytes are left over")
    return segment


def main(paths):
    if not paths:
        sys.exit("usage: fieldpost_segment.py FILE...")
    for path in paths:
        with open(path, "rb") as file:
            try:
                print(json.dumps(decode(file.read())))
            except Malformed as error:
                sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
