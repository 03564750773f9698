# SPDX-License-Identifier: Apache-2.0
"""The agent in steady state: what a process costs between two instants, and what it got done."""

import time
from dataclasses import dataclass

from tests.tools.process_figures import cpu_seconds, memory_kib, peak_rss_kib, written_bytes


@dataclass
class Reckoning:
    seconds: float
    cpu: float               # seconds of the agent's process
    durable_readings: int
    acknowledged_readings: int
    body_bytes: int          # of segments in the outbox, before SQLite's pages
    written_bytes: int       # by the process, to the storage layer
    wire_bytes: int          # TLS records sent
    received_bytes: int
    pss_kib: int
    rss_kib: int
    peak_rss_kib: int

    @property
    def cpu_ms_per_1000(self):
        return 1000 * self.cpu / self.acknowledged_readings * 1000 if self.acknowledged_readings else 0


class SteadyState:
    """begin(), let it run, end()."""

    def __init__(self, agent):
        self._agent = agent

    def begin(self):
        self._status = self._agent.status()
        self._written = written_bytes(self._agent.pid)
        self._at = time.monotonic()
        self._cpu = cpu_seconds(self._agent.pid)

    def end(self):
        pid = self._agent.pid
        cpu = cpu_seconds(pid) - self._cpu
        seconds = time.monotonic() - self._at
        memory = memory_kib(pid)
        written = written_bytes(pid) - self._written
        status = self._agent.status()

        def grown(part, key):
            return status[part][key] - self._status[part][key]
        return Reckoning(
            seconds=seconds, cpu=cpu,
            durable_readings=grown("store", "durable_readings"),
            acknowledged_readings=grown("store", "acknowledged_readings"),
            body_bytes=grown("store", "body_bytes"), written_bytes=written,
            wire_bytes=grown("link", "bytes_sent"), received_bytes=grown("link", "bytes_received"),
            pss_kib=memory["Pss"], rss_kib=memory["Rss"], peak_rss_kib=peak_rss_kib(pid))
