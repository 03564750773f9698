# SPDX-License-Identifier: Apache-2.0
"""A broker whose access list forbids one lane: the others do not wait for it, a person hears why, and
nothing of it is lost once the list is mended."""

from tests.end_to_end.test_alert import RULE, events_named
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until


def allow(broker, *lanes):
    """The broker starts anew with an access list of these lanes for the agent."""
    broker.stop()
    rules = broker.folder / "acl"
    rules.write_text("user consumer\ntopic read #\n\nuser proof-1\n" +
                     "".join(f"topic write fieldpost/proof-1/{lane}\n" for lane in lanes))
    rules.chmod(0o600)
    configuration = broker.folder / "mosquitto.conf"
    line = f"acl_file {rules}\n"
    if line not in configuration.read_text():
        configuration.write_text(configuration.read_text() + line)
    broker.start()


def test_a_forbidden_lane_holds_back_no_other_and_is_named(road):
    allow(road.broker, "alert", "event")
    road.consumer.wait_subscribed()
    agent = road.agent(flush_interval=0.2, sections={**ramp_source(series=1), **RULE})
    with agent:
        agent.wait_for_log("the broker refuses a lane", "lane=live", "not authorized", seconds=30)
        road.wait_for(lambda messages: len(events_named(messages, "ramp_high")) >= 2, 60,
                      "a warning and a critical event although the live lane is refused")
        sync = agent.status()["sync"]
        assert "not authorized" in sync["lanes"]["live"]["last_error"], sync
        assert sync["lanes"]["alert"]["last_error"] == "", sync
        page = agent.command("status", "--config", agent.configuration_file).stdout
        assert "lane live is held back" in page and "not authorized" in page, page
        wait_until(lambda: agent.status()["sync"]["messages_failed"] >= 2, 60, "a further refusal")
        assert sum("the broker refuses a lane" in line for line in agent.log_lines()) == 1
        allow(road.broker, "alert", "event", "live")
        road.consumer.wait_subscribed()
        wait_until(lambda: agent.status()["sync"]["lanes"]["live"]["last_error"] == "", 90, "the lane taken again")
        road.wait_until_delivered(agent)
    road.settle(agent)
    road.assert_all_well(agent)
