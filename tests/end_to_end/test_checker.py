# SPDX-License-Identifier: Apache-2.0
"""Tests of the test: a checker that cannot fail proves nothing. A good history is spoilt in every way
that the checker claims to notice."""

import copy
import dataclasses
import json
import time

import pytest

from tests.end_to_end import stand_in
from tests.end_to_end.road import Road
from tests.tools import history as judge
from tests.tools.agent import late_at_the_end, ramp_source
from tests.tools.broker import Broker
from tests.tools.consumer import Arrival, Consumer
from tests.tools.scratch import Scratch


def drop_one(history):
    worse = copy.deepcopy(history)
    del worse.arrivals[stand_in.unrepeated(history)[3]]
    return worse


def drop_one_whose_log_line_the_kill_took(history):
    """The durable line is missing, too: only the hole in seq tells."""
    position = stand_in.unrepeated(history)[3]
    worse = copy.deepcopy(history)
    seq = judge.wire.parse(history.arrivals[position].topic, history.arrivals[position].payload).seq
    for run in worse.runs:
        run.durable = [segment for segment in run.durable if segment.seq != seq]
    del worse.arrivals[position]
    return worse


def drop_the_newest(history):
    worse = copy.deepcopy(history)
    last = worse.arrivals[-1].payload
    worse.arrivals = [arrival for arrival in worse.arrivals if arrival.payload != last]
    return worse


def reorder_two(history):
    worse = copy.deepcopy(history)
    position = stand_in.unrepeated(history)[2]
    arrivals = worse.arrivals
    other = next(later for later in range(position + 1, len(arrivals))
                 if arrivals[later].payload != arrivals[position].payload)
    arrivals[position], arrivals[other] = arrivals[other], arrivals[position]
    return worse


def alter_one_value(history):
    def change(document):
        stand_in.alter_first_ramp_value(document, 7)
    return stand_in.changed(history, stand_in.unrepeated(history)[1], change)


def alter_one_value_downwards(history):
    def change(document):
        stand_in.alter_first_ramp_value(document, -1)
    return stand_in.changed(history, stand_in.unrepeated(history)[1], change)


def reuse_a_seq(history):
    """Other content under a seq that has been received before."""
    worse = copy.deepcopy(history)
    position = stand_in.unrepeated(history)[1]
    altered = stand_in.changed(history, position,
                               lambda document: stand_in.alter_first_ramp_value(document, 1))
    worse.arrivals.insert(position + 1, altered.arrivals[position])
    return worse


def make_a_seq_durable_twice(history):
    worse = copy.deepcopy(history)
    first = worse.runs[0].durable[0]
    worse.runs[-1].durable.append(first)
    return worse


def leave_out_one_sample(history):
    return stand_in.changed(history, stand_in.unrepeated(history)[1], stand_in.remove_one_sample)


def leave_out_one_sample_and_lie_about_the_count(history):
    """Taken, never made durable, in the middle of a run: the ramp tells."""
    position = stand_in.unrepeated(history)[1]
    worse = stand_in.changed(history, position, stand_in.remove_one_sample)
    message = judge.wire.parse(worse.arrivals[position].topic, worse.arrivals[position].payload)
    for run in worse.runs:
        run.durable = [dataclasses.replace(s, readings=message.readings)
                       if (s.epoch, s.seq) == (message.epoch, message.seq) else s for s in run.durable]
    return worse


def lose_the_head_of_a_run(history):
    worse = copy.deepcopy(history)
    first = worse.runs[-1].durable.pop(0)
    worse.arrivals = [arrival for arrival in worse.arrivals
                      if judge.wire.parse(arrival.topic, arrival.payload).seq != first.seq]
    return worse


def die_long_after_the_newest_reading(history):
    worse = copy.deepcopy(history)
    worse.runs[0].ended += 30
    return worse


def move_to_another_lane(history):
    position = stand_in.unrepeated(history)[1]
    return stand_in.changed(history, position, lambda document: document.update(lane="bulk"))


def send_rubbish(history):
    worse = copy.deepcopy(history)
    worse.arrivals.insert(2, Arrival(0.0, worse.arrivals[0].topic, b'{"device":'))
    return worse


def lose_the_same_from_every_witness_but_one_series(history):
    """The newest reading of one series of a run, gone from message and log: only the other series tell."""
    worse = copy.deepcopy(history)
    newest = worse.runs[-1].durable[-1]
    position = next(at for at, arrival in enumerate(worse.arrivals)
                    if judge.wire.parse(arrival.topic, arrival.payload).seq == newest.seq)
    worse = stand_in.changed(worse, position, stand_in.remove_one_sample)
    worse.runs[-1].durable[-1] = dataclasses.replace(newest, readings=newest.readings - 1)
    return worse


def count_one_too_many(history):
    worse = copy.deepcopy(history)
    middle = worse.runs[0].durable[2]
    worse.runs[0].durable[2] = dataclasses.replace(middle, readings=middle.readings + 1)
    return worse


def commit_late_and_say_nothing(history):
    worse = copy.deepcopy(history)
    middle = worse.runs[0].durable[2]
    worse.runs[0].durable[2] = dataclasses.replace(middle, at=middle.at + 1.5)
    return worse


def commit_nothing_in_one_life(history):
    """A life after all others, of which nothing became durable."""
    worse = copy.deepcopy(history)
    started = worse.runs[-1].ended + 1
    worse.runs.append(judge.Run(started=started, ended=started + 4, killed=True, ramp_series=4, ramp_interval=0.1))
    return worse


LIES = {
    drop_one: "LOST",
    drop_one_whose_log_line_the_kill_took: "hole",
    drop_the_newest: "LOST",
    reorder_two: "arrived after",
    alter_one_value: "LOST",
    alter_one_value_downwards: "altered",
    reuse_a_seq: "reused",
    make_a_seq_durable_twice: "reused",
    leave_out_one_sample: "were durable",
    leave_out_one_sample_and_lie_about_the_count: "LOST",
    lose_the_head_of_a_run: "LOST",
    die_long_after_the_newest_reading: "promised",
    lose_the_same_from_every_witness_but_one_series: "end at different values",
    count_one_too_many: "counts do not add up",
    commit_late_and_say_nothing: "the agent said 0 s",
    commit_nothing_in_one_life: "nothing of it arrived",
    move_to_another_lane: "lane",
    send_rubbish: "not readable",
}


def newest_first(order, *, backlog):
    """A good history whose second life's messages arrive in this order; the agent said that the backlog ends with
    seq `backlog`, or nothing."""
    history = stand_in.good_history()
    by_seq = {judge.wire.parse(arrival.topic, arrival.payload).seq: arrival for arrival in history.arrivals}
    history.arrivals = [by_seq[seq] for seq in [*range(1, 7), *order, *range(13, 19)]]
    if backlog:
        history.runs[1].backlogs.append(judge.Backlog(stand_in.EPOCH, backlog, "live"))
    return judge.check(history)


def test_the_newest_may_come_before_the_backlog_that_the_agent_spoke_of():
    verdict = newest_first([7, 10, 8, 11, 9, 12], backlog=9)
    assert verdict.ok, str(verdict)


@pytest.mark.parametrize("order, backlog", [
    ([7, 10, 8, 11, 9, 12], None), ([7, 10, 8, 11, 9, 12], 8), ([7, 10, 8, 11, 9, 12], 10),
    ([7, 10, 9, 8, 11, 12], 9), ([7, 8, 9, 11, 10, 12], 9),
], ids=["nothing was said of a backlog", "the backlog ended before", "the backlog ended after",
        "the backlog is in disorder", "the newest are in disorder"])
def test_what_is_newest_first_is_not_any_order(order, backlog):
    verdict = newest_first(order, backlog=backlog)
    assert verdict.figures["order_violations"] >= 1 and not verdict.ok


def test_a_good_history_is_believed():
    verdict = judge.check(stand_in.good_history())
    assert verdict.ok, str(verdict)
    assert verdict.figures["duplicates"] == 3
    assert verdict.figures["kills"] == 3
    assert verdict.figures["received_readings"] == verdict.figures["durable_readings"] == 3 * 6 * 2 * 4


def test_a_reading_taken_just_before_a_kill_is_not_the_next_life_s():
    close = copy.deepcopy(stand_in.good_history())
    close.runs[0].ended -= 0.1498  # 0.2 ms after its newest reading
    close.runs[1].started = close.runs[0].ended + 0.0005
    assert judge.check(close).ok, str(judge.check(close))


@pytest.mark.parametrize("lie, word", LIES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_lie_is_noticed(lie, word):
    verdict = judge.check(lie(stand_in.good_history()))
    assert not verdict.ok
    assert any(word in violation for violation in verdict.violations), str(verdict)


def test_a_disk_that_the_agent_called_late_excuses_so_much_and_no_more():
    worse = copy.deepcopy(stand_in.good_history())
    worse.runs[0].ended += 6
    assert not judge.check(worse).ok
    worse.runs[0].late = late_at_the_end(
        ['warn readings late on the disk age_ms=1250 promised_ms=200 waits_for="the disk"',
         'warn readings late on the disk age_ms=2600 promised_ms=200 waits_for="the disk"'])
    assert judge.check(worse).ok, str(judge.check(worse))
    worse.runs[0].ended += 6
    assert not judge.check(worse).ok
    assert late_at_the_end(['warn readings late on the disk age_ms=2600', 'info readings in time on the disk again']) == 0


def test_a_kill_may_take_what_is_younger_than_promised_and_slack_and_no_more():
    allowed = stand_in.FLUSH + stand_in.READ_EVERY + judge.SLACK_SECONDS
    worse = copy.deepcopy(stand_in.good_history())
    newest = worse.runs[0].ended - 0.15
    worse.runs[0].ended = newest + allowed - 0.01
    assert judge.check(worse).ok, str(judge.check(worse))
    worse.runs[0].ended = newest + allowed + 0.01
    assert not judge.check(worse).ok


def test_a_commit_that_the_agent_called_late_is_excused_so_far_and_no_further():
    worse = commit_late_and_say_nothing(stand_in.good_history())
    worse.runs[0].latest_said = 1.3
    assert judge.check(worse).ok, str(judge.check(worse))
    worse.runs[0].durable[2] = dataclasses.replace(worse.runs[0].durable[2], at=worse.runs[0].ended + 4)
    assert not judge.check(worse).ok


def test_a_history_of_few_commits_is_believed_only_by_who_requires_none():
    """Long lives of which the logs name too few segments."""
    history = stand_in.good_history()
    assert judge.check(history, least_commits=0.5).ok
    for run in history.runs[:2]:
        run.durable = []
    assert judge.check(history).ok, str(judge.check(history))
    verdict = judge.check(history, least_commits=0.5)
    assert any("became durable" in violation for violation in verdict.violations), str(verdict)


def test_commits_that_are_all_a_little_late_are_noticed_as_a_whole():
    history = stand_in.good_history()
    assert judge.check(history, least_punctual=0.9).ok
    for run in history.runs:
        run.durable = [dataclasses.replace(segment, at=segment.at + 0.5) for segment in run.durable]
    assert judge.check(history).ok, str(judge.check(history))
    verdict = judge.check(history, least_punctual=0.9)
    assert any("were durable within" in violation for violation in verdict.violations), str(verdict)


def with_gap(history, dropped, readings, epoch=None):
    """Segment `dropped` was given up by the quota; a later segment says so."""
    worse = copy.deepcopy(history)
    worse.arrivals = [arrival for arrival in worse.arrivals
                      if judge.wire.parse(arrival.topic, arrival.payload).seq != dropped]
    return stand_in.changed(worse, len(worse.arrivals) - 1,
                            lambda document: stand_in.add_gap(document, dropped, readings, epoch))


def merged(history, position, *, leave_out=0):
    """The message at `position` and the one before it came as one; `leave_out` values of the older are not in it."""
    older = json.loads(history.arrivals[position - 1].payload)
    later = json.loads(history.arrivals[position].payload)
    shift = later["time"]["boot_ms"] - older["time"]["boot_ms"]
    times = older["times"][0][leave_out:] + [at + shift for at in later["times"][0]]
    for entry, add in zip(older["series"], later["series"]):
        entry["samples"]["v"] = entry["samples"]["v"][leave_out:] + add["samples"]["v"]
    older.update(seq=later["seq"], first_seq=older["seq"], times=[times])
    better = copy.deepcopy(history)
    better.arrivals[position - 1:position + 1] = [stand_in.arrival_of(older)]
    return better


def test_merged_segments_are_what_they_take_the_place_of():
    history = stand_in.good_history()
    position = stand_in.unrepeated(history)[1]
    verdict = judge.check(merged(history, position))
    assert verdict.ok, str(verdict)
    assert verdict.figures["received_readings"] == verdict.figures["durable_readings"]
    verdict = judge.check(merged(history, position, leave_out=1))
    assert any("merged into it" in violation for violation in verdict.violations), str(verdict)


def test_a_reported_gap_is_no_loss():
    history = stand_in.good_history()
    verdict = judge.check(with_gap(history, 8, history.runs[1].durable[1].readings))
    assert verdict.ok, str(verdict)
    assert verdict.figures["gap_records"] == 1


def test_a_gap_that_reports_fewer_readings_than_are_missing_is_noticed():
    verdict = judge.check(with_gap(stand_in.good_history(), 8, 3))
    assert any("gaps report 3" in violation for violation in verdict.violations), str(verdict)


def test_a_gap_about_another_segment_excuses_nothing():
    history = stand_in.good_history()
    worse = with_gap(history, 8, history.runs[1].durable[1].readings)
    worse = drop_the_newest_but_one(worse)
    assert not judge.check(worse).ok


def test_a_gap_of_another_epoch_excuses_nothing():
    history = stand_in.good_history()
    verdict = judge.check(with_gap(history, 8, history.runs[1].durable[1].readings, epoch="00000000000000bb"))
    assert any("neither received nor reported" in violation for violation in verdict.violations), str(verdict)


def drop_the_newest_but_one(history):
    worse = copy.deepcopy(history)
    seqs = [judge.wire.parse(arrival.topic, arrival.payload).seq for arrival in worse.arrivals]
    victim = sorted(set(seqs))[-2]
    worse.arrivals = [arrival for arrival, seq in zip(worse.arrivals, seqs) if seq != victim]
    return worse


@pytest.fixture(scope="module")
def real_history(binary, authority):
    """Three lives of the real agent, two of them ended by SIGKILL, recorded once for all lies."""
    with Scratch("lies") as scratch, Road(binary, scratch, authority) as road:
        agent = road.agent(sections=ramp_source(series=4))
        for _ in range(2):
            agent.start()
            time.sleep(2.0)
            agent.kill()
        with agent:
            agent.wait_for_log("link up", seconds=20)
            time.sleep(1.0)
        road.settle(agent)
        return judge.History(agent.runs, road.consumer.snapshot(), agent.flush_interval)


def test_a_recorded_real_history_is_believed(real_history):
    verdict = judge.check(real_history)
    assert verdict.ok, str(verdict)
    assert verdict.figures["received_segments"] >= 10


@pytest.mark.parametrize("lie, word", LIES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_lie_about_a_recorded_real_history_is_noticed(real_history, lie, word):
    verdict = judge.check(lie(real_history))
    assert any(word in violation for violation in verdict.violations), str(verdict)


@pytest.mark.parametrize("lie", [None, drop_one, reorder_two, reuse_a_seq],
                         ids=lambda lie: getattr(lie, "__name__", "the truth"))
def test_a_lying_publisher_is_caught_over_a_real_broker(lie, scratch, authority):
    """The whole chain of evidence (mosquitto, mutual TLS, consumer, checker) with a made-up agent."""
    history = stand_in.good_history()
    told = lie(history) if lie else history
    with Broker(scratch.folder("broker"), authority) as broker, \
            Consumer(broker, authority.client("consumer")) as consumer:
        stand_in.publish(broker, authority.client("stand-in"), told.arrivals)
        consumer.wait_for_count(len(told.arrivals), 10)
        verdict = judge.check(judge.History(history.runs, consumer.snapshot(), history.flush_interval))
    assert verdict.ok == (lie is None), str(verdict)
