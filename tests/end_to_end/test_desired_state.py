# SPDX-License-Identifier: Apache-2.0
"""The desired state over a plain broker, a real mosquitto: the real agent takes a configuration from afar, on trial, and confirms it or
puts it back; and whatever instant it is killed at, what it runs and what it reports are the same truth."""

import json

import pytest

from tests.doubles.aws_shadow import AwsShadow, Behind
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until
from tests.tools.fleet import FleetServer

PLACE = "fieldpost/proof-1/shadow"
SECTIONS = {**ramp_source(series=1), "cloud": {"desired_state": True, "confirm_within": "10s"}, "sync": {}}
SLOW = {"source": {"proof": {"interval": "200ms"}}}


class Cloud:
    """Agent, broker and shadow of one test."""

    def __init__(self, road, shadow, agent):
        self.road, self.shadow, self.agent = road, shadow, agent
        self.behind = None

    def wait(self, what, condition, seconds=90):
        return wait_until(condition, seconds, f"{what}; reported {self.shadow.reported}, refused {self.shadow.refusals[-2:]}", every=0.1)

    def change(self):
        return self.shadow.reported.get("change", {})

    def wait_for(self, state, seconds=90, **members):
        def there():
            return self.change().get("state") == state and all(self.change().get(key) == value for key, value in members.items())
        self.wait(f"{state} {members}", there, seconds)

    def journal(self):
        return json.loads((self.agent.state_directory / "remote_configuration.json").read_text())

    def said(self, part):
        return self.agent.log_file().exists() and part in self.agent.log_file().read_text(errors="replace")

    def interval(self):
        for source in self.agent.status()["sources"]:
            if source["name"] == "proof":
                return source["interval_seconds"]
        return None


@pytest.fixture
def cloud(road):
    shadow = AwsShadow(PLACE)
    agent = road.agent(sections=SECTIONS)
    with Behind(shadow, road.broker, road.authority) as behind:
        cloud = Cloud(road, shadow, agent)
        cloud.behind = behind
        yield cloud


def test_a_configuration_is_tried_confirmed_and_survives_a_kill(cloud):
    with cloud.agent:
        cloud.wait_for("none")
        assert cloud.shadow.reported["configuration"] == {}
        cloud.behind.desire({"configuration": SLOW, "revision": "first"})
        cloud.wait_for("confirmed", revision="first")
        assert cloud.shadow.reported["configuration"] == SLOW
        assert cloud.interval() == pytest.approx(0.2)
        states = [report.get("change", {}).get("state") for report in cloud.shadow.reports]
        assert "trial" in states and states[-1] == "confirmed"
        cloud.agent.kill()
    cloud.agent.start()
    try:
        cloud.agent.wait_until_up()
        assert cloud.interval() == pytest.approx(0.2)
        cloud.behind.desire({"revision": None, "configuration": None})
        cloud.wait("back to the files", lambda: cloud.change().get("state") == "confirmed" and cloud.shadow.reported["configuration"] == {})
        cloud.agent.wait_until_up()
        cloud.wait("the files' interval", lambda: cloud.interval() == pytest.approx(0.1))
        assert cloud.shadow.refusals == [] or all(each["code"] == 404 for each in cloud.shadow.refusals)
    finally:
        cloud.agent.stop()


def test_a_wrong_one_is_refused_with_words_and_nothing_changes(cloud):
    with cloud.agent:
        cloud.wait_for("none")
        pid = cloud.agent.pid
        cloud.behind.desire({"configuration": {"sampling": {"intervall": "1s"}}, "revision": "1"})
        cloud.wait_for("refused", revision="1")
        assert 'did you mean "interval"?' in cloud.change()["cause"]
        cloud.behind.desire({"configuration": {"sampling": None, "broker": {"url": "mqtts://thief:8883"}}, "revision": "2"})
        cloud.wait_for("refused", revision="2")
        assert '"url" in [broker] may not be changed from afar' in cloud.change()["cause"]
        cloud.behind.desire({"configuration": {"broker": None, "control": {"socket": "/tmp/x"}}, "revision": "3"})
        cloud.wait_for("refused", revision="3")
        assert cloud.shadow.reported["configuration"] == {}
        assert cloud.agent.pid == pid and not cloud.said("beginning anew")


def test_one_that_stops_a_source_is_put_back_with_the_reason(cloud):
    # The ramp's driver is told to read so seldom that it has not worked by the end of the trial: it is not open any more.
    cloud.agent.sections["source.proof2"] = {"driver": "simulated", "interval": "100ms"}
    cloud.agent.write_configuration()
    with cloud.agent:
        cloud.wait_for("none")
        cloud.behind.desire({"configuration": {"source": {"proof": {"enabled": False}, "proof2": {"enabled": False}}}, "revision": "off"})
        cloud.wait_for("put_back", revision="off")
        assert "no source works any more" in cloud.change()["cause"]
        assert cloud.shadow.reported["configuration"] == {}
        cloud.agent.wait_until_up()
        cloud.wait("sources again", lambda: cloud.interval() == pytest.approx(0.1))
        # Not tried again and again, whatever else happens to the document.
        tried = cloud.agent.log_file().read_text().count("configuration on trial")
        cloud.behind.desire({"colour": "red"})
        cloud.behind.desire({"colour": "blue"})
        cloud.wait("the delta seen", lambda: cloud.shadow.version > 0)
        assert cloud.agent.log_file().read_text().count("configuration on trial") == tried == 1


def test_without_a_broker_it_is_put_back_and_said_when_there_is_one_again(cloud):
    with cloud.agent:
        cloud.wait_for("none")
        cloud.behind.desire({"configuration": SLOW, "revision": "cut"})
        cloud.wait("on trial", lambda: cloud.said("configuration on trial"))
        cloud.road.broker.stop()
        wait_until(lambda: cloud.said("configuration put back"), 60, "put back", every=0.1)
        cloud.road.broker.start()
        cloud.wait_for("put_back", 120, revision="cut")
        assert "the link is not up" in cloud.change()["cause"]
        assert cloud.shadow.reported["configuration"] == {}


@pytest.mark.parametrize("moment, end", [
    ("configuration changed from afar", ("confirmed", "put_back")),  # armed: not tried yet, or at its very beginning
    ("configuration on trial", ("put_back",)),
    ("configuration confirmed", ("confirmed",)),
])
def test_killed_at_each_step_what_runs_and_what_is_reported_are_one_truth(cloud, moment, end):
    agent = cloud.agent
    agent.start()
    try:
        cloud.wait_for("none")
        cloud.behind.desire({"configuration": SLOW, "revision": "kill"})
        cloud.wait(moment, lambda: cloud.said(moment))
        agent.kill()
        agent.start()
        agent.wait_until_up()
        cloud.wait("an end", lambda: cloud.change().get("state") in end and cloud.change().get("revision") == "kill")
        agent.wait_until_up()
        confirmed = cloud.change()["state"] == "confirmed"
        assert cloud.shadow.reported["configuration"] == (SLOW if confirmed else {})
        assert cloud.interval() == pytest.approx(0.2 if confirmed else 0.1)
        assert cloud.journal()["state"] == cloud.change()["state"]
        if not confirmed:
            assert "the agent ended before it was confirmed" in cloud.change()["cause"]
    finally:
        agent.abandon()


def test_our_own_fleet_server_is_as_good_as_the_double(road):
    agent = road.agent(sections=SECTIONS)
    with FleetServer(road.binary, road.scratch.folder("fleet"), road.broker, road.authority.client("fleet")) as server, agent:
        def state():
            return json.loads(server.ask("state", "get", "proof-1"))["proof-1"]["state"]

        wait_until(lambda: "proof-1" in server.devices(), 60, "a known device")
        server.ask("state", "set", "proof-1", json.dumps({"configuration": SLOW, "revision": "fleet"}))
        wait_until(lambda: state().get("reported", {}).get("change", {}).get("state") == "confirmed", 120, "confirmed", every=0.5)
        assert state()["reported"]["configuration"] == SLOW
        assert "delta" not in state() or "configuration" not in state()["delta"]
