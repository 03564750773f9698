# SPDX-License-Identifier: Apache-2.0
"""Promise P2: what a full outbox drops is dropped by rule, counted, and reported as a gap."""

from tests.tools.agent import ramp_source
from tests.tools.child import wait_until

# Noise does not compress: eight bytes a sample fill the smallest quota in seconds.
FLOOD = {"source.flood": {"driver": "simulated", "shape": "noise", "series": 1000, "interval": "50ms"},
         "series": [{"match": "fieldpost_simulated_value", "labels": {"instance": "flood"},
                     "lane": "bulk"}]}

IN_FLIGHT_MESSAGES_MAX = 20  # the link's window


def dropped_readings(status):
    return {name: lane["dropped_readings"] for name, lane in status["store"]["lanes"].items()}


def test_a_full_outbox_drops_the_oldest_bulk_readings_and_says_how_many(road):
    agent = road.agent(flush_interval=0.5, sections={
        **ramp_source(series=5), **FLOOD, "outbox": {"quota": "1MiB", "thin_window": "0s"}})
    road.broker.stop()
    with agent:
        wait_until(lambda: dropped_readings(agent.status())["bulk"] > 20_000, 60,
                   "the quota being reached", every=0.5)
        road.broker.start()
        road.consumer.wait_subscribed()
        road.wait_for(lambda messages: any(message.gaps for message in messages), 30, "a gap report")
        dropped = dropped_readings(agent.status())
    road.settle(agent)
    figures = road.assert_all_well(agent)
    gaps = [gap for message in {m.identity: m for m in road.messages()}.values() for gap in message.gaps]
    assert {gap.lane for gap in gaps} == {"bulk"}, "bulk goes first, and was enough"
    assert {gap.cause for gap in gaps} == {"quota"}
    assert dropped["live"] == dropped["alert"] == dropped["event"] == 0
    # What never arrived is what the gaps say, to the reading; but a segment that was dropped while it was
    # in flight may have arrived all the same, and then the gap says too much, never too little.
    lost = figures["durable_readings"] - figures["received_readings"]
    in_flight = IN_FLIGHT_MESSAGES_MAX * max(message.readings for message in road.messages())
    assert lost > 20_000
    assert lost <= figures["gap_readings"] <= lost + in_flight
    assert figures["missing_values"] == 0, "the ramps are live, and live was not to be dropped"
