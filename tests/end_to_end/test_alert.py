# SPDX-License-Identifier: Apache-2.0
"""A rule crosses its threshold and a person hears of it at once, in the alert lane."""

from tests.tools.agent import ramp_source

RULE = {"rule": [{"name": "ramp_high", "series": "fieldpost_simulated_value",
                  "labels": {"instance": "proof"}, "warn_above": 5, "critical_above": 12}]}


def events_named(messages, name):
    return [(message, event) for message in messages for event in message.events
            if event.name == name]


def test_an_alarm_overtakes_the_flush_interval_in_its_own_lane(road):
    # The live lane is flushed after 20 s; the alarm must not wait for it.
    agent = road.agent(flush_interval=20.0, sections={**ramp_source(series=1), **RULE})
    with agent:
        road.wait_for(lambda messages: len(events_named(messages, "ramp_high")) >= 2, 10,
                      "a warning and a critical event, long before the flush")
    road.settle(agent)
    found = events_named(road.messages(), "ramp_high")
    assert [event.severity for _, event in found[:2]] == ["warn", "critical"]
    for message, event in found:
        assert message.lane == "alert"
        assert "fieldpost_simulated_value" in event.message or "ramp_high" in event.message
    assert found[0][1].value == 6 and found[1][1].value == 13
    road.assert_all_well(agent)


def test_an_alarm_raised_during_an_outage_is_the_first_to_arrive_after_it(road):
    agent = road.agent(flush_interval=0.2, sections={**ramp_source(series=1), **RULE})
    road.broker.stop()
    with agent:
        agent.wait_for_log("segment durable", "lane=alert")
        before = road.consumer.count
        road.broker.start()
        road.consumer.wait_subscribed()
        road.wait_for(lambda messages: len(messages) > before + 2, 30, "messages after the outage")
    road.settle(agent)
    assert road.messages()[before].lane == "alert"
    road.assert_all_well(agent)
