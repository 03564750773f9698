# SPDX-License-Identifier: Apache-2.0
"""Promise P2, to the reading: of what an agent took while the link was away, a consumer has it, or has it in a summary, or is told
how many it lost. What was taken is counted by the log ("segment durable"), and of ramps by their values."""

from collections import defaultdict

from tests.tools.agent import ramp_source
from tests.tools.child import wait_until


def sections(noise_series, noise_interval, thin_window):
    """Noise does not compress and fills the smallest quota in seconds; the ramps beside it are thinned and dropped with it."""
    return {"source.flood": {"driver": "simulated", "shape": "noise", "series": noise_series, "interval": noise_interval},
            **ramp_source("bulky", series=3, interval=noise_interval), **ramp_source("alive", series=3),
            "series": [{"match": "fieldpost_simulated_value", "labels": {"instance": instance}, "lane": "bulk"}
                       for instance in ("flood", "bulky")],
            "self": {"enabled": False}, "outbox": {"quota": "1MiB", "thin_window": thin_window}}


class Account:
    """What arrived and what was told, each message once."""

    def __init__(self, messages):
        messages = list({message.identity: message for message in messages}.values())
        self.samples = [sample for message in messages for sample in message.samples]
        self.summaries = [summary for message in messages for summary in message.summaries]
        self.told = defaultdict(int)
        for message in messages:
            for gap in message.gaps:
                self.told[gap.cause] += gap.readings
        self.counted_in_summaries = sum(summary.count for summary in self.summaries)
        assert all(message.thinned for message in messages if message.summaries)

    def ramps(self):
        """By series: (values that came, (minimum, maximum) of its summaries); the values of each are 0, 1, 2, ..."""
        ramps = defaultdict(lambda: ([], []))
        for sample in self.samples:
            if sample.is_ramp:
                ramps[sample.series][0].append(sample.value)
        for summary in self.summaries:
            if 'shape="ramp"' in summary.series:
                assert summary.maximum - summary.minimum + 1 == summary.count and summary.last == summary.maximum, summary
                ramps[summary.series][1].append((summary.minimum, summary.maximum))
        return ramps


def account_of(road, agent, is_enough):
    """Lets the agent take readings without a broker until `is_enough(store)`, then gives it one."""
    road.broker.stop()
    agent.start()
    wait_until(lambda: is_enough(agent.status()["store"]), 90, "thinning and dropping", every=0.2)
    agent.stop()
    taken = sum(segment.readings for segment in agent.all_durable() if segment.lane in ("live", "bulk"))
    # Nothing more is taken; what waits goes out.
    for section, keys in agent.sections.items():
        if section.startswith("source."):
            keys["enabled"] = False
    agent.write_configuration()
    road.broker.start()
    road.consumer.wait_subscribed()
    with agent:
        agent.wait_for_log("link up", seconds=30)
        wait_until(lambda: sum(lane["waiting_segments"] for lane in agent.status()["store"]["lanes"].values()) == 0, 60, "an empty outbox",
                   every=0.3)
    return taken, Account(road.messages())


def values_of(samples, ranges):
    """Each value once, wherever it is."""
    values = sorted(samples + [value for low, high in ranges for value in range(low, high + 1)])
    assert len(values) == len(set(values)), "a reading came twice"
    return values


def bulk(store):
    return store["lanes"]["bulk"]


def test_what_was_thinned_is_told_and_its_summaries_stand_for_it(road):
    agent = road.agent(flush_interval=0.5, sections=sections(500, "20ms", "1s"))
    taken, account = account_of(road, agent, lambda store: store["thinned_readings"] > 50_000)
    assert account.told["thinned"] > 50_000
    assert account.counted_in_summaries == account.told["thinned"]
    assert len(account.samples) + account.told["thinned"] == taken, dict(account.told)
    assert set(account.told) == {"thinned"}
    ramps = account.ramps()
    assert len(ramps) == 6 and any(ranges for _, ranges in ramps.values())
    for series, (samples, ranges) in ramps.items():
        values = values_of(samples, ranges)
        assert values == list(range(len(values))), f"{series} has holes"
        assert not ranges or 'instance="bulky"' in series, "live is within its share"


def test_what_was_dropped_is_told_to_the_reading(road):
    agent = road.agent(flush_interval=0.5, sections=sections(1000, "50ms", "0s"))
    taken, account = account_of(road, agent, lambda store: bulk(store)["dropped_readings"] > 50_000)
    assert account.told["quota"] > 50_000 and set(account.told) == {"quota"}
    assert len(account.samples) + account.told["quota"] == taken
    assert not account.summaries
    victim = next(message.seq for message in road.messages() if message.lane == "bulk" and message.samples)
    forgetful = Account([message for message in road.messages() if message.seq != victim])
    assert len(forgetful.samples) + forgetful.told["quota"] != taken, "this count would miss a lost message"


def test_what_was_thinned_and_then_dropped_is_told_once(road):
    agent = road.agent(flush_interval=0.5, sections=sections(1000, "50ms", "1s"))
    taken, account = account_of(road, agent, lambda store: bulk(store)["dropped_readings"] > 2_000 and store["thinned_readings"] > 20_000)
    assert set(account.told) == {"thinned", "quota"}
    # The oldest go first: summaries, which a gap counts as what they are. What they stood for was told as thinned.
    dropped_summaries = account.told["quota"] - (taken - len(account.samples) - account.told["thinned"])
    stood_for = account.told["thinned"] - account.counted_in_summaries
    assert 0 < dropped_summaries <= stood_for <= dropped_summaries * 21, "a second of readings every 50 ms"
    for series, (samples, ranges) in account.ramps().items():
        values = values_of(samples, ranges)
        assert values == list(range(values[0], values[-1] + 1)), f"{series} has holes in the middle"
        assert values[0] == 0 or 'instance="bulky"' in series
