# SPDX-License-Identifier: Apache-2.0
"""Turns arriving messages into one readable line each, for `./dev run`."""

import threading
import time

from tests.tools import message as wire


class LiveLine:
    """`arrival` runs on the consumer's thread; lines are held back until begin()."""

    def __init__(self):
        self._lock = threading.Lock()
        self._shown = False
        self._waiting = []
        self._newest = {}    # series -> (boot-time seconds, value)
        self._rates = {}     # series -> change a second

    def begin(self):
        with self._lock:
            print(f"  {'time':8} {'lane':5} {'seq':>6} {'series':>6} {'readings':>8}   what it says",
                  flush=True)
            self._shown = True
            for line in self._waiting:
                print(line, flush=True)
            self._waiting.clear()

    def end(self):
        with self._lock:
            self._shown = False
            self._waiting.clear()

    def arrival(self, arrival):
        try:
            lines = self._lines(wire.parse(arrival.topic, arrival.payload))
        except wire.Unreadable as error:
            lines = [f"  {arrival.topic}: not readable: {error}"]
        with self._lock:
            for line in lines:
                if self._shown:
                    print(line, flush=True)
                else:
                    self._waiting.append(line)

    def _lines(self, message):
        for sample in message.samples:
            previous = self._newest.get(sample.series)
            if previous and sample.boot_seconds > previous[0]:
                self._rates[sample.series] = ((sample.value - previous[1])
                                              / (sample.boot_seconds - previous[0]))
            self._newest[sample.series] = (sample.boot_seconds, sample.value)
        clock = time.strftime("%H:%M:%S")
        series = len({reading.series for reading in [*message.samples, *message.summaries]})
        head = f"  {clock} {message.lane:5} {message.seq:6} {series:6} {message.readings:8}"
        lines = []
        if message.samples or message.summaries:
            lines.append(f"{head}   {self._news()}")
        for event in message.events:
            lines.append(f"{head}   {event.severity}: {event.message}")
        for gap in message.gaps:
            lines.append(f"{head}   gap: {gap.readings} readings of lane {gap.lane} will not come, "
                         f"cause {gap.cause}")
        return lines

    def _news(self):
        parts = []
        idle = [rate for name, rate in self._rates.items()
                if name.startswith("node_cpu_seconds_total{") and 'mode="idle"' in name]
        if idle:
            parts.append(f"cpu {max(0.0, 100 * (1 - sum(idle) / len(idle))):.0f} %")
        total = self._value("node_memory_MemTotal_bytes")
        available = self._value("node_memory_MemAvailable_bytes")
        if total and available is not None:
            parts.append(f"memory {_amount(total - available)}B of {_amount(total)}B")
        load = self._value("node_load1")
        if load is not None:
            parts.append(f"load {load:.2f}")
        device = self._busiest_device()
        if device:
            received = self._rates[f'node_network_receive_bytes_total{{device="{device}"}}']
            sent = self._rates.get(f'node_network_transmit_bytes_total{{device="{device}"}}', 0)
            parts.append(f"{device} in {_amount(received)}B/s out {_amount(sent)}B/s")
        return ", ".join(parts) or "first readings"

    def _value(self, series):
        found = self._newest.get(series)
        return found[1] if found else None

    def _busiest_device(self):
        """The interface with the most traffic so far, loopback only if there is no other."""
        best = None
        for series, (_, value) in self._newest.items():
            if series.startswith("node_network_receive_bytes_total{") and series in self._rates:
                device = series.split('device="', 1)[1].split('"', 1)[0]
                rank = (device != "lo", value)
                if best is None or rank > best[0]:
                    best = (rank, device)
        return best[1] if best else None


def _amount(value):
    for unit in ("", "k", "M", "G", "T"):
        if abs(value) < 1000 or unit == "T":
            return f"{value:.0f} {unit}" if unit == "" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""
