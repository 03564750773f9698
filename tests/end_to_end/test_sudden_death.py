# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random instants: the short version of tests/campaigns/kill.py. Some lives are longer than all
that a kill may take (flush interval, source's interval, the judge's slack), or no kill could take too much."""

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
        # Every third kill falls into the start, where identity, epoch and connection are made; every third
        # ends a life long enough to tell how much it took.
        time.sleep(chance.uniform(*[(2.0, 4.0), (0.3, 1.6), (0.01, 0.3)][kill % 3]))
        agent.kill()
    with agent:
        agent.wait_for_log("link up", seconds=30)
        road.wait_until_delivered(agent)
    road.settle(agent)
    figures = road.assert_all_well(agent, least_commits=0.5)
    assert figures["kills"] == KILLS
    assert figures["tails_judged"] >= KILLS // 3 and figures["adds_up"]
    assert figures["lost"] == 0 and figures["order_violations"] == 0 and figures["epochs"] == 1


def test_kills_while_the_broker_is_away_lose_no_durable_reading(road):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    agent = road.agent(sections=ramp_source(series=10))
    agent.start()
    road.wait_for(lambda messages: len(messages) >= 2, 20, "two messages")
    road.broker.stop()
    for kill in range(4):
        time.sleep(chance.uniform(2.0, 3.5) if kill % 2 else chance.uniform(0.2, 1.2))
        agent.kill()
        agent.start()
    road.broker.start()
    road.consumer.wait_subscribed()
    road.wait_until_delivered(agent, 40)
    road.settle(agent)
    figures = road.assert_all_well(agent, least_commits=0.5)
    assert figures["kills"] == 4 and figures["epochs"] == 1
    assert figures["tails_judged"] >= 2 and figures["adds_up"]
