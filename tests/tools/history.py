# SPDX-License-Identifier: Apache-2.0
"""The judge: compares what the agent said was durable with what a consumer received.

It knows three things: the agent's own "segment durable" log lines (written after the commit), the
instants at which the agent was started and ended, and every message that arrived. From these it proves,
or refutes, the promises of DESIGN section 1:

  P1  nothing durable is lost; what a kill takes is at most `flush_interval` old
  P2  what is missing is reported as a gap, with its count
  P3  a duplicate is recognised by (device, epoch, seq) and is the same message; seq is never used
      twice for other content; order in each lane holds, where the live lane is two: what became durable over
      a connection goes before the backlog that waited when it was made, and each of the two is in order

A simulated source of shape "ramp" makes the values themselves evidence: each read gives exactly 1
more, so a run's values are consecutive from the first to the last, and the last one plus 1 says how many
were taken: a count that neither the agent's log nor the number of arrivals has a part in.
"""

import bisect
import bisect
from collections import defaultdict
from dataclasses import dataclass, field

from tests.tools import message as wire

VIOLATIONS_SHOWN = 20

# The agent itself calls readings late on the disk when they are this much later than promised
# (agent/store/store.cpp); below it a busy machine may hold up a commit and nobody says so. Whatever is
# later than that must have been said.
SLACK_SECONDS = 1.0

# Durable after one flush interval is promised; half of another is left to the commit itself.
PUNCTUAL_INTERVALS = 1.5


@dataclass(frozen=True)
class DurableSegment:
    """One "segment durable" line of the agent's log."""
    epoch: str
    seq: int
    lane: str
    readings: int
    at: float = None  # boot-time seconds of the line


@dataclass(frozen=True)
class Backlog:
    """One "backlog behind the newest" line: what is durable up to `seq` may come after what is newer. `seq` is the
    newest that was durable when the agent said it, so that a line can excuse nothing that came before it."""
    epoch: str
    seq: int
    lane: str


@dataclass
class Run:
    """One life of the agent's process, in boot-time seconds."""
    started: float
    ended: float
    killed: bool
    durable: list = field(default_factory=list)
    backlogs: list = field(default_factory=list)
    ramp_series: int = 0  # how many ramp series this run's configuration has
    ramp_interval: float = 0.0  # seconds between two reads of the slowest of them
    asked_to_stop: float = None  # an orderly stop reads no more from here on, and may take seconds
    late: float = 0.0  # seconds that readings had waited for the disk, by the agent's last word on it
    latest_said: float = 0.0  # the most it ever said in this run
    said_unwritable: bool = False  # it said that the outbox cannot be written, and readings wait in memory

    @property
    def lived(self):
        """Seconds in which it could read."""
        return (self.ended if self.asked_to_stop is None else self.asked_to_stop) - self.started


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


def check(history, *, start_allowance=2.0, least_commits=None, least_punctual=None):
    """Judges a history. A run may take `start_allowance` to its first reading. `least_commits` is the share of
    the segments that the runs' lives had time for (one a flush interval) which must have become durable;
    `least_punctual` the share of all segments that must have become durable within PUNCTUAL_INTERVALS. Both
    judge the history as a whole: a single commit may well be held up."""
    judge = _Judge(history, start_allowance)
    judge.read_arrivals()
    judge.compare_durable()
    judge.look_for_holes()
    judge.follow_ramps()
    judge.count()
    judge.measure_delays(least_punctual)
    judge.count_commits(least_commits)
    return judge.verdict()


class _LaneOrder:
    """The order of first arrivals in one lane of one epoch. A message may come after a newer one only as backlog: the
    agent must have said that a backlog ends between the two; and what comes as backlog must come in order itself."""

    def __init__(self, backlogs):
        self._backlogs = backlogs
        self._arrived = []  # seqs, ascending
        self._newest_overtaken = 0

    def arrived(self, message):
        """None, or the seq of the message after which this one must not come."""
        place = bisect.bisect(self._arrived, message.seq)
        newer = self._arrived[place:place + 1]
        self._arrived.insert(place, message.seq)
        if not newer:
            return None
        if message.seq < self._newest_overtaken:
            return self._newest_overtaken
        self._newest_overtaken = message.seq
        said = any(backlog.epoch == message.epoch and backlog.lane == message.lane
                   and message.seq <= backlog.seq < newer[0] for backlog in self._backlogs)
        return None if said else newer[0]


class _Judge:
    def __init__(self, history, start_allowance):
        self._history = history
        self._start_allowance = start_allowance
        self._starts = [run.started for run in history.runs]
        self._violations = []
        self._first = {}          # identity -> message, in order of first arrival
        self._duplicates = 0
        self._order_violations = 0
        self._lost = []
        self._gaps = {}           # identity of the bearing message and index -> gap
        self._oldest_lost = 0.0   # seconds before a kill
        self._tails_judged = 0    # kills of lives so long that a tail too old would have been seen
        self._taken = 0           # ramp readings, by the values: the last of each series and run, plus 1
        self._ramp_received = 0
        self._delays = []         # seconds from a segment's oldest reading to its line in the log

    def _violation(self, text):
        self._violations.append(text)

    def read_arrivals(self):
        orders = defaultdict(lambda: _LaneOrder(
            [backlog for run in self._history.runs for backlog in run.backlogs]))
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
                self._gaps[(*message.identity, index)] = (gap.epoch or message.epoch, gap)
            lane = (message.device, message.epoch, message.lane)
            overtaken_by = orders[lane].arrived(message)
            if overtaken_by is not None:
                self._order_violations += 1
                self._violation(f"{_name(message)} arrived after seq {overtaken_by} of the same lane")

    def compare_durable(self):
        received = {(message.epoch, message.seq): message for message in self._first.values() if not message.is_merged}
        self._merged = [message for message in self._first.values() if message.is_merged]
        self._logged_in = defaultdict(int)  # identity of a merged message -> readings of what it takes the place of
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
            merged = self._merged_into(segment)
            if merged is not None:
                self._logged_in[merged.identity] += segment.readings
                continue
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
        for message in self._merged:
            if not message.thinned and message.readings < self._logged_in[message.identity]:
                self._violation(f"{_name(message)} bears {message.readings} readings, {self._logged_in[message.identity]} were "
                                "durable in what was merged into it")
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
                        and (epoch, seq) not in self._durable \
                        and not any(m.epoch == epoch and m.first_seq <= seq <= m.seq for m in self._merged):
                    self._violation(f"hole: seq {seq} of epoch {epoch} never came and no gap "
                                    "reports it")

    def follow_ramps(self):
        by_run = self._ramp_samples_by_run()
        missing = 0
        for number, run in enumerate(self._history.runs, start=1):
            if not run.ramp_series:
                continue
            series = by_run[number]
            if not series:
                allowed = self._start_allowance + self._tail_allowed(run)
                if run.lived > allowed:
                    self._tails_judged += run.killed
                    self._violation(f"run {number} lived {run.lived:.1f} s and nothing of it arrived; "
                                    f"allowed {allowed:g} s")
                continue
            if len(series) != run.ramp_series:
                self._violation(f"run {number}: {len(series)} ramp series arrived, "
                                f"{run.ramp_series} were read")
            for name, samples in series.items():
                missing += self._follow_one(number, name, samples)
                self._taken += max(sample.value for sample in samples) + 1
                self._ramp_received += len(samples)
            self._compare_ends(number, series)
            self._measure_tail(number, run, series)
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
        # Times in messages are rounded to milliseconds. Where two runs are so near to each other the reading is the
        # earlier one's: the next has to start first.
        number = bisect.bisect_right(self._starts, boot_seconds + 2e-3)
        while number > 1 and boot_seconds <= self._history.runs[number - 2].ended + 2e-3:
            number -= 1
        if number and boot_seconds <= self._history.runs[number - 1].ended + 2e-3:
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

    def _compare_ends(self, number, series):
        """All series of a source are read at one instant and committed together."""
        ends = defaultdict(set)
        for samples in series.values():
            ends[dict(samples[-1].labels).get("instance")].add(samples[-1].value)
        for source, values in ends.items():
            if len(values) > 1 and not self._gaps:
                self._violation(f"run {number}: the series of source {source} end at different values: "
                                f"{sorted(values)}")

    def _delay_allowed(self, said):
        """A disk that holds up commits is not the agent's fault if the agent said so (`said` seconds, else 0); it
        says so again only when the delay has doubled."""
        return max(self._history.flush_interval, 2 * said) + SLACK_SECONDS

    def _tail_allowed(self, run):
        """An orderly stop commits everything, so that nothing but its own reading can be missing."""
        return self._delay_allowed(run.late) if run.killed else SLACK_SECONDS

    def _measure_tail(self, number, run, series):
        newest = max(samples[-1].boot_seconds for samples in series.values())
        end = run.started + run.lived
        age = end - newest
        # The newest reading may itself be as old as the source's interval; as configured, so that an agent
        # that reads seldom excuses nothing.
        allowed = self._tail_allowed(run) + run.ramp_interval
        if run.killed:
            self._oldest_lost = max(self._oldest_lost, age)
            self._tails_judged += run.lived > allowed
        if age > allowed:
            self._violation(f"run {number} ended {age:.2f} s after its newest reading that arrived; "
                            f"promised are {self._history.flush_interval:g} s, allowed {allowed:.2f} s")

    def count(self):
        """Three counts that do not derive from each other: by the values, by the arrivals, and by the agent's
        log (with what bears no ramp, known from its content, left out). A gap may count readings that bear no
        ramp, and ends of a run: then only the holes are compared, in follow_ramps."""
        received = sum(message.readings for message in self._first.values())
        logged = sum(segment.readings for segment in self._durable.values())
        self._unlogged = sum(message.readings for message in self._first.values()
                             if not message.is_merged and (message.epoch, message.seq) not in self._durable)
        self._unlogged += sum(message.readings - self._logged_in[message.identity] for message in self._merged)
        self._by_log = logged + self._unlogged - (received - self._ramp_received)
        self._adds_up = self._taken == self._ramp_received == self._by_log
        if not self._adds_up and not self._gaps:
            self._violation(f"the counts do not add up: {self._taken} ramp readings by their values, "
                            f"{self._by_log} by the log, {self._ramp_received} received")

    def measure_delays(self, least_punctual):
        """P1 where it is kept: from the oldest reading of a segment to the log line after its commit."""
        received = {(message.epoch, message.seq): message for message in self._first.values()}
        for number, run in enumerate(self._history.runs, start=1):
            for segment in run.durable:
                message = received.get((segment.epoch, segment.seq))
                if message is not None and message.is_merged:
                    continue  # its oldest reading was durable long before
                times = [sample.boot_seconds for sample in message.samples if sample.is_ramp] if message else []
                if segment.at is None or not times or run.said_unwritable:
                    continue
                delay = segment.at - min(times)
                self._delays.append(delay)
                allowed = self._delay_allowed(run.latest_said)
                if delay > allowed:
                    self._violation(f"run {number}: seq {segment.seq} was durable {delay:.2f} s after its oldest "
                                    f"reading; promised are {self._history.flush_interval:g} s, the agent said "
                                    f"{run.latest_said:g} s, allowed {allowed:.2f} s")
        self._delays.sort()
        limit = PUNCTUAL_INTERVALS * self._history.flush_interval
        punctual = sum(delay <= limit for delay in self._delays)
        self._punctual = punctual / len(self._delays) if self._delays else 0.0
        if least_punctual is not None and self._punctual < least_punctual:
            self._violation(f"{punctual} of {len(self._delays)} segments were durable within {limit:.2f} s, "
                            f"required {least_punctual:.0%}")

    def count_commits(self, least_commits):
        lived = sum(run.lived for run in self._history.runs)
        self._required = int((least_commits or 0) * lived / self._history.flush_interval)
        if len(self._durable) < self._required:
            self._violation(f"{len(self._durable)} segments became durable in {lived:.0f} s of life at a flush "
                            f"interval of {self._history.flush_interval:g} s; at least {self._required} are due")

    def _merged_into(self, segment):
        return next((m for m in self._merged if m.covers(segment.epoch, segment.lane, segment.seq)), None)

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
            "unlogged_readings": self._unlogged,
            "lost_readings": sum(segment.readings for segment in self._lost),
            "ramp_by_values": self._taken,
            "ramp_by_log": self._by_log,
            "ramp_received": self._ramp_received,
            "adds_up": self._adds_up,
            "lived_s": sum(run.lived for run in self._history.runs),
            "required_segments": self._required,
            "punctual": self._punctual,
            "delay_median_s": _quantile(self._delays, 0.5),
            "delay_p99_s": _quantile(self._delays, 0.99),
            "delay_max_s": _quantile(self._delays, 1.0),
            "tails_judged": self._tails_judged,
            "runs_said_late": sum(run.latest_said > 0 for run in self._history.runs),
            "duplicates": self._duplicates,
            "lost": len(self._lost),
            "missing_values": self._missing_values,
            "order_violations": self._order_violations,
            "epochs": len({(message.device, message.epoch) for message in messages}),
            "gap_records": len(self._gaps),
            "gap_readings": sum(gap.readings for _, gap in self._gaps.values()),
            # How old at most was what a kill took from memory before it was due to be durable.
            "taken_by_a_kill_s": self._oldest_lost,
            "said_late_s": max((run.latest_said for run in self._history.runs), default=0.0),
        })


def _quantile(ordered, share):
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def _name(message):
    return f"seq {message.seq} of epoch {message.epoch}, lane {message.lane},"
