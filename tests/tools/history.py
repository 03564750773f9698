# SPDX-License-Identifier: Apache-2.0
"""The judge: compares what the agent said was durable with what a consumer received.

It knows three things: the agent's own "segment durable" log lines (written after the commit), the
instants at which the agent was started and ended, and every message that arrived. From these it proves,
or refutes, the promises of DESIGN section 1:

  P1  nothing durable is lost; what a kill takes is at most `flush_interval` old
  P2  what is missing is reported as a gap, with its count
  P3  a duplicate is recognised by (device, epoch, seq) and is the same message; seq is never used
      twice for other content; order in each lane holds

A simulated source of shape "ramp" makes the values themselves evidence: each read gives exactly 1
more, so a run's values are consecutive from the first to the last.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.tools import message as wire

VIOLATIONS_SHOWN = 20


@dataclass(frozen=True)
class DurableSegment:
    """One "segment durable" line of the agent's log."""
    epoch: str
    seq: int
    lane: str
    readings: int


@dataclass
class Run:
    """One life of the agent's process, in boot-time seconds."""
    started: float
    ended: float
    killed: bool
    durable: list = field(default_factory=list)
    ramp_series: int = 0  # how many ramp series this run's configuration has
    asked_to_stop: float = None  # an orderly stop reads no more from here on, and may take seconds
    late: float = 0.0  # seconds by which the agent itself said, last of all, that readings wait for the disk


@dataclass
class History:
    runs: list
    arrivals: list
    flush_interval: float


@dataclass
class Verdict:
    violations: list
    figures: dict

    @property
    def ok(self):
        return not self.violations

    def __str__(self):
        shown = self.violations[:VIOLATIONS_SHOWN]
        hidden = len(self.violations) - len(shown)
        text = "\n".join(f"  - {violation}" for violation in shown)
        if hidden:
            text += f"\n  - and {hidden} more"
        return text or "  no violation"


def check(history, *, durable_slack=1.5, start_allowance=5.0):
    """Judges a history. `durable_slack` is what a commit may take on a busy machine beyond
    `flush_interval`; a run shorter than `start_allowance` may have left nothing at all."""
    judge = _Judge(history)
    judge.read_arrivals()
    judge.compare_durable()
    judge.look_for_holes()
    judge.follow_ramps(durable_slack, start_allowance)
    return judge.verdict()


class _Judge:
    def __init__(self, history):
        self._history = history
        self._violations = []
        self._first = {}          # identity -> message, in order of first arrival
        self._duplicates = 0
        self._order_violations = 0
        self._lost = []
        self._gaps = {}           # identity of the bearing message and index -> gap
        self._oldest_lost = 0.0   # seconds before a kill
        self._lost_in_memory = 0

    def _violation(self, text):
        self._violations.append(text)

    def read_arrivals(self):
        newest_in_lane = {}
        for position, arrival in enumerate(self._history.arrivals):
            try:
                message = wire.parse(arrival.topic, arrival.payload)
            except wire.Unreadable as error:
                self._violation(f"message {position + 1} on {arrival.topic} is not readable: {error}")
                continue
            known = self._first.get(message.identity)
            if known is not None:
                self._duplicates += 1
                if known.content != message.content:
                    self._violation(f"{_name(message)} came twice with different content: "
                                    "its seq was reused")
                continue
            self._first[message.identity] = message
            for index, gap in enumerate(message.gaps):
                self._gaps[(*message.identity, index)] = (message.epoch, gap)
            lane = (message.device, message.epoch, message.lane)
            newest = newest_in_lane.get(lane, 0)
            if message.seq <= newest:
                self._order_violations += 1
                self._violation(f"{_name(message)} arrived after seq {newest} of the same lane")
            newest_in_lane[lane] = max(newest, message.seq)

    def compare_durable(self):
        received = {(message.epoch, message.seq): message for message in self._first.values()}
        logged = {}
        for run in self._history.runs:
            for segment in run.durable:
                key = (segment.epoch, segment.seq)
                if key in logged:
                    self._violation(f"seq {segment.seq} of epoch {segment.epoch} was made durable "
                                    "twice: its seq was reused")
                logged[key] = segment
        for key, segment in sorted(logged.items()):
            message = received.get(key)
            if message is None:
                if not self._reported(*key):
                    self._lost.append(segment)
                    self._violation(f"LOST: seq {segment.seq} of epoch {segment.epoch}, lane "
                                    f"{segment.lane}, {segment.readings} readings: durable, neither "
                                    "received nor reported as a gap")
                continue
            if message.lane != segment.lane:
                self._violation(f"{_name(message)} was durable in lane {segment.lane}")
            if message.readings != segment.readings:
                self._violation(f"{_name(message)} bears {message.readings} readings, "
                                f"{segment.readings} were durable")
        self._durable = logged

    def look_for_holes(self):
        """seq counts from 1 within an epoch over all lanes: also a segment whose log line fell
        victim to the kill must arrive."""
        seqs = defaultdict(set)
        for message in self._first.values():
            seqs[message.epoch].add(message.seq)
        for epoch, present in seqs.items():
            for seq in range(1, max(present)):
                if seq not in present and not self._reported(epoch, seq) \
                        and (epoch, seq) not in self._durable:
                    self._violation(f"hole: seq {seq} of epoch {epoch} never came and no gap "
                                    "reports it")

    def follow_ramps(self, durable_slack, start_allowance):
        by_run = self._ramp_samples_by_run()
        missing = 0
        for number, run in enumerate(self._history.runs, start=1):
            if not run.ramp_series:
                continue
            series = by_run[number]
            if not series:
                if run.ended - run.started > self._history.flush_interval + start_allowance:
                    self._violation(f"run {number} lived {run.ended - run.started:.1f} s and nothing "
                                    "of it arrived")
                continue
            if len(series) != run.ramp_series:
                self._violation(f"run {number}: {len(series)} ramp series arrived, "
                                f"{run.ramp_series} were read")
            for name, samples in series.items():
                missing += self._follow_one(number, name, samples)
            self._measure_tail(number, run, series, durable_slack)
        reported = sum(gap.readings for _, gap in self._gaps.values())
        if missing > reported:
            self._violation(f"LOST: {missing} ramp values are missing, gaps report {reported}")
        self._missing_values = missing

    def _ramp_samples_by_run(self):
        by_run = defaultdict(lambda: defaultdict(list))
        strangers = 0
        for message in sorted(self._first.values(), key=lambda m: (m.epoch, m.seq)):
            for sample in message.samples:
                if not sample.is_ramp:
                    continue
                number = self._run_at(sample.boot_seconds)
                if number is None:
                    strangers += 1
                    continue
                by_run[number][sample.series].append(sample)
        if strangers:
            self._violation(f"{strangers} samples bear a time at which no agent was running")
        for series in by_run.values():
            for samples in series.values():
                samples.sort(key=lambda sample: sample.boot_seconds)
        return by_run

    def _run_at(self, boot_seconds):
        for number, run in enumerate(self._history.runs, start=1):
            # Times in messages are rounded to milliseconds.
            if run.started - 2e-3 <= boot_seconds <= run.ended + 2e-3:
                return number
        return None

    def _follow_one(self, number, name, samples):
        """The values must be 0, 1, 2, ... in the order of their times."""
        missing = 0
        expected = 0
        for sample in samples:
            if sample.value < expected:
                self._violation(f"run {number}: {name} gave {sample.value} where {expected} was due: "
                                "taken twice or altered")
            missing += max(0, sample.value - expected)
            expected = max(expected, sample.value + 1)
        if missing and not self._gaps:
            self._violation(f"LOST: run {number}: {missing} values of {name} are missing below "
                            f"{expected}")
        return missing

    def _measure_tail(self, number, run, series, durable_slack):
        newest = max(samples[-1].boot_seconds for samples in series.values())
        end = run.ended if run.asked_to_stop is None else run.asked_to_stop
        age = end - newest
        # The newest reading may itself be as old as the source's interval.
        pace = max(_pace(samples) for samples in series.values())
        # A disk that holds up commits is not the agent's fault if the agent said so; it says so again only
        # when the delay has doubled.
        promised = max(self._history.flush_interval, 2 * run.late)
        allowed = durable_slack + pace + (promised if run.killed else 0)
        if run.killed:
            self._oldest_lost = max(self._oldest_lost, age)
            self._lost_in_memory += sum(int((end - samples[-1].boot_seconds) / pace) if pace else 0
                                        for samples in series.values())
        if age > allowed:
            self._violation(f"run {number} ended {age:.2f} s after its newest reading that arrived; "
                            f"promised are {self._history.flush_interval:g} s, allowed {allowed:g} s")

    def _reported(self, epoch, seq):
        return any(gap_epoch == epoch and gap.first_seq <= seq <= gap.last_seq
                   for gap_epoch, gap in self._gaps.values() if gap.last_seq)

    def verdict(self):
        messages = self._first.values()
        return Verdict(self._violations, {
            "runs": len(self._history.runs),
            "kills": sum(run.killed for run in self._history.runs),
            "durable_segments": len(self._durable),
            "durable_readings": sum(segment.readings for segment in self._durable.values()),
            "received_segments": len(self._first),
            "received_readings": sum(message.readings for message in messages),
            # Durable as well, but the kill came between the commit and its log line.
            "unlogged_readings": sum(message.readings for message in messages
                                     if (message.epoch, message.seq) not in self._durable),
            "lost_readings": sum(segment.readings for segment in self._lost),
            "duplicates": self._duplicates,
            "lost": len(self._lost),
            "missing_values": self._missing_values,
            "order_violations": self._order_violations,
            "epochs": len({(message.device, message.epoch) for message in messages}),
            "gap_records": len(self._gaps),
            "gap_readings": sum(gap.readings for _, gap in self._gaps.values()),
            # Both about what a kill took from memory before it was due to be durable: how old it was at
            # most, and how many readings that were, reckoned from the source's own pace.
            "lost_in_memory_s": self._oldest_lost,
            "lost_in_memory": self._lost_in_memory,
            "said_late_s": max((run.late for run in self._history.runs), default=0.0),
        })


def _pace(samples):
    """Seconds between two reads of a source, by its samples."""
    if len(samples) < 2:
        return 0.0
    return (samples[-1].boot_seconds - samples[0].boot_seconds) / (len(samples) - 1)


def _name(message):
    return f"seq {message.seq} of epoch {message.epoch}, lane {message.lane},"
