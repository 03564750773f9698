# SPDX-License-Identifier: Apache-2.0
"""Bad roads: the broker goes and comes back, the network is cut, and both at once."""

import time

import pytest

from tests.end_to_end.road import Road
from tests.tools.agent import ramp_source
from tests.tools.network_namespace import NetworkNamespace, unavailable_because

RAMPS = ramp_source(series=10)
QUICK_LINK = {"acknowledge_timeout": "3s", "connect_timeout": "3s", "keep_alive": "5s"}


def wait_for_some(road, count=3):
    road.wait_for(lambda messages: len(messages) >= count, 20, f"{count} messages")


def test_a_broker_that_was_away_gets_everything_afterwards(road):
    agent = road.agent(sections=RAMPS)
    with agent:
        wait_for_some(road)
        road.broker.stop()
        time.sleep(4)
        kept = len(agent.all_durable())
        road.broker.start()
        road.consumer.wait_subscribed()
        road.wait_until_delivered(agent, 40)
        assert len(agent.all_durable()) > kept, "sampling stood still after the outage"
    road.settle(agent)
    road.assert_all_well(agent)


def test_sampling_goes_on_at_its_pace_while_the_broker_is_away(road):
    """Promise P6: the ramp's times show whether the network held back the source."""
    agent = road.agent(sections=RAMPS)
    with agent:
        wait_for_some(road)
        road.broker.stop()
        time.sleep(3)
        road.broker.start()
        road.consumer.wait_subscribed()
        road.wait_until_delivered(agent, 40)
    road.settle(agent)
    road.assert_all_well(agent)
    times = sorted({sample.boot_seconds for message in road.messages()
                    for sample in message.samples if sample.is_ramp})
    longest = max(later - earlier for earlier, later in zip(times, times[1:]))
    assert longest < 1.0, f"between two reads of a 100 ms source passed {longest:.2f} s"


def test_an_agent_started_before_its_broker_delivers_from_its_first_reading(binary, scratch, authority):
    road = Road(binary, scratch, authority)
    agent = road.agent(sections=RAMPS)
    agent.start()
    try:
        time.sleep(2)
        with road:
            wait_for_some(road, 8)
            road.settle(agent)
            road.assert_all_well(agent)
    finally:
        agent.abandon()


@pytest.fixture
def namespace():
    reason = unavailable_because()
    if reason:
        pytest.skip(reason)
    with NetworkNamespace() as namespace:
        yield namespace


def test_a_cut_network_loses_nothing(binary, scratch, authority, namespace):
    with Road(binary, scratch, authority, namespace=namespace) as road:
        agent = road.agent(sections={**RAMPS, "broker": QUICK_LINK})
        with agent:
            wait_for_some(road)
            namespace.cut()
            time.sleep(5)
            namespace.mend()
            road.consumer.wait_subscribed(40)
            road.wait_until_delivered(agent, 40)
        road.settle(agent)
        road.assert_all_well(agent)


def test_network_broker_and_agent_all_failing_together_lose_nothing(binary, scratch, authority,
                                                                    namespace):
    with Road(binary, scratch, authority, namespace=namespace) as road:
        agent = road.agent(sections={**RAMPS, "broker": QUICK_LINK})
        agent.start()
        wait_for_some(road)
        namespace.cut()
        time.sleep(1)
        road.broker.stop()
        time.sleep(0.7)
        agent.kill()
        agent.start()
        time.sleep(1.5)
        road.broker.start()
        time.sleep(1)
        namespace.mend()
        road.consumer.wait_subscribed(40)
        road.wait_until_delivered(agent, 40)
        road.settle(agent)
        figures = road.assert_all_well(agent)
        assert figures["epochs"] == 1
