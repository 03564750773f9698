# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random instants: the short version of tests/campaigns/kill.py."""

import random
import time

from tests.tools.agent import ramp_source

KILLS = 10


def test_ten_kills_lose_no_durable_reading(road, request):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    agent = road.agent(sections=ramp_source(series=10))
    for kill in range(KILLS):
        agent.start()
        # Every third kill falls into the start, where identity, epoch and connection are made.
        time.sleep(chance.uniform(0.01, 0.3) if kill % 3 == 2 else chance.uniform(0.3, 1.6))
        agent.kill()
    with agent:
        agent.wait_for_log("link up", seconds=30)
        road.wait_until_delivered(agent)
    road.settle(agent)
    figures = road.assert_all_well(agent)
    assert figures["kills"] == KILLS
    assert figures["lost"] == 0 and figures["order_violations"] == 0 and figures["epochs"] == 1


def test_kills_while_the_broker_is_away_lose_no_durable_reading(road):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    agent = road.agent(sections=ramp_source(series=10))
    agent.start()
    road.wait_for(lambda messages: len(messages) >= 2, 20, "two messages")
    road.broker.stop()
    for _ in range(4):
        time.sleep(chance.uniform(0.2, 1.2))
        agent.kill()
        agent.start()
    road.broker.start()
    road.consumer.wait_subscribed()
    road.wait_until_delivered(agent, 40)
    road.settle(agent)
    figures = road.assert_all_well(agent)
    assert figures["kills"] == 4 and figures["epochs"] == 1
