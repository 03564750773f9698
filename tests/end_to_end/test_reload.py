# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: a new configuration is applied within the process, and no reading is lost by it."""

import time

from tests.tools.agent import ramp_source


def instances(messages):
    return {dict(sample.labels)["instance"] for message in messages for sample in message.samples
            if sample.is_ramp}


def test_a_new_series_appears_after_a_reload_and_nothing_is_lost(road):
    agent = road.agent(sections=ramp_source(series=5))
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 20, "three messages")
        agent.sections |= ramp_source("later", series=2)
        agent.write_configuration()
        agent.reload()
        road.wait_for(lambda messages: instances(messages) == {"proof", "later"}, 20,
                      "readings of the new source")
        agent.configuration_file.write_text("[sampling\n")
        kept = len(road.messages())
        agent.hang_up()
        agent.wait_for_log("configuration refused, the running one stays")
        road.wait_for(lambda messages: len(messages) > kept + 3, 20, "messages after the refusal")
        agent.write_configuration()
    road.settle(agent)
    figures = road.assert_all_well(agent)
    assert figures["runs"] >= 2 and figures["epochs"] == 1 and figures["duplicates"] == 0


def test_reloads_during_an_outage_lose_nothing(road):
    agent = road.agent(sections=ramp_source(series=5))
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 20, "three messages")
        road.broker.stop()
        for _ in range(3):
            time.sleep(0.7)
            agent.reload()
        road.broker.start()
        road.consumer.wait_subscribed()
        road.wait_until_delivered(agent, 40)
    road.settle(agent)
    assert road.assert_all_well(agent)["epochs"] == 1
