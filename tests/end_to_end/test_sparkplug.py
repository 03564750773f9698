# SPDX-License-Identifier: Apache-2.0
"""The agent as an edge node of Sparkplug B, with a real mosquitto between it and a strict host (tests/doubles/sparkplug_host.py).
What the node says is judged as any other format: nothing lost, nothing twice under another number."""

import shutil
import time

import pytest

from tests.doubles.sparkplug_host import SparkplugConsumer
from tests.end_to_end.road import Road
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until

if shutil.which("protoc") is None:
    pytest.skip("no protoc here (protobuf-compiler)", allow_module_level=True)
pytest.importorskip("google.protobuf")

GROUP, NODE = "plant", "proof-1"


@pytest.fixture
def plant(binary, scratch, authority):
    road = Road(binary, scratch, authority)
    road.consumer = SparkplugConsumer(road.broker, authority.client("consumer"), GROUP, NODE)
    with road:
        yield road


def agent_of(plant, **sync):
    return plant.agent(NODE, sections={**ramp_source(series=5), "sync": {"payload": "sparkplug_b", "sparkplug_group": GROUP, **sync}})


def wait_for_some(plant, more=3):
    count = len(plant.consumer.arrivals) + more
    plant.consumer.wait_for_count(count, 60)


def assert_all_well(plant, agent):
    plant.settle(agent)
    assert not plant.consumer.host.violations, plant.consumer.host.violations[:5]
    return plant.assert_all_well(agent)


def test_a_node_is_born_speaks_and_dies_in_order(plant):
    agent = agent_of(plant)
    with agent:
        wait_for_some(plant)
        assert plant.consumer.kinds[0] == "NBIRTH"
        assert plant.consumer.host.session.bd_seq == 0
    wait_until(lambda: plant.consumer.host.deaths, 30, "the death")
    assert plant.consumer.kinds[-1] == "NDEATH"
    assert not plant.consumer.host.alive
    assert_all_well(plant, agent)


def test_a_host_that_asks_gets_a_birth_with_every_metric_and_its_value(plant):
    agent = agent_of(plant)
    with agent:
        wait_for_some(plant)
        births = plant.consumer.kinds.count("NBIRTH")
        plant.consumer.ask_for_rebirth()
        wait_until(lambda: plant.consumer.kinds.count("NBIRTH") > births, 60, "the birth")
        ramps = {name: value for name, value in plant.consumer.host.session.values.items() if name.startswith("fieldpost_simulated_value")}
        assert len(ramps) == 5 and all(isinstance(value, int) for value in ramps.values()), ramps
        wait_for_some(plant)
    assert_all_well(plant, agent)
    assert len(plant.consumer.host.sessions) == 1


def test_a_killed_node_is_declared_dead_by_the_broker_with_its_own_number(plant):
    agent = agent_of(plant)
    with agent:
        wait_for_some(plant)
        agent.kill()
        wait_until(lambda: plant.consumer.host.deaths, 90, "the will")
        assert plant.consumer.host.deaths == [0]
        agent.start()
        wait_for_some(plant)
        assert plant.consumer.host.session.bd_seq == 1
    assert_all_well(plant, agent)
    assert plant.consumer.host.deaths[:2] == [0, 1]


def test_what_was_read_during_an_outage_comes_afterwards_and_is_historical(plant):
    agent = agent_of(plant)
    with agent:
        wait_for_some(plant, 6)
        plant.broker.stop()
        kept = len(agent.all_durable())
        wait_until(lambda: len(agent.all_durable()) > kept + 10, 60, "segments of the outage")
        before = plant.consumer.host.historical
        plant.broker.start()
        plant.consumer.wait_subscribed(60)
        plant.wait_until_delivered(agent, 60)
        wait_for_some(plant)
        assert plant.consumer.host.historical > before + 10 * 5
        assert plant.consumer.host.current > 0
    assert_all_well(plant, agent)
    assert plant.consumer.host.session.bd_seq >= 1


def test_a_node_with_a_primary_host_waits_for_it_and_leaves_when_it_goes(plant):
    agent = agent_of(plant, sparkplug_primary_host="scada")
    with agent:
        agent.wait_for_log("link up")
        wait_until(lambda: len(agent.all_durable()) > 3, 60, "something that could be sent")
        assert not plant.consumer.kinds
        now = int(time.time() * 1000)
        plant.consumer.say_state("scada", True, now)
        wait_for_some(plant)
        plant.consumer.say_state("scada", False, now + 1)
        wait_until(lambda: plant.consumer.kinds[-1] == "NDEATH", 60, "the death")
        messages = len(plant.consumer.kinds)
        wait_until(lambda: agent.log_line_with("link up") and agent.status()["link"]["connects"] >= 2, 60, "the next connection")
        assert len(plant.consumer.kinds) == messages
        plant.consumer.say_state("scada", True, now + 2)
        wait_for_some(plant)
        assert plant.consumer.host.session.bd_seq == 1
    assert_all_well(plant, agent)
