# SPDX-License-Identifier: Apache-2.0
"""The azure profile against a double of IoT Hub: readings with properties, the twin, direct methods and messages, in every mood."""

import json
import queue

import pytest

from tests.doubles.azure_hub import AzureHub
from tests.doubles.mqtt_front import MqttFront
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until

DEVICE = "proof-1"
HUB = "acme.azure-devices.net"
SLOW = {"source": {"proof": {"interval": "200ms"}}}
SECTIONS = {**ramp_source(series=1), "broker": {"backoff_max": "2s"},
            "cloud": {"profile": "azure", "hub": HUB, "desired_state": True, "confirm_within": "10s"}}


class World:
    def __init__(self, front, agent):
        self.front, self.hub, self.agent = front, front.service, agent

    def wait(self, what, condition, seconds=120):
        try:
            return wait_until(condition, seconds, what, every=0.1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\nreported {self.hub.reported}, refused {self.hub.refusals}, hang-ups {self.front.hang_ups}\n"
                               f"{self.agent.last_words()}") from None

    def wait_for(self, state, **members):
        def there():
            change = self.hub.reported.get("change", {})
            return change.get("state") == state and all(change.get(key) == value for key, value in members.items())
        self.wait(f"{state} {members}", there)


@pytest.fixture
def world(road):
    with MqttFront(road.authority, AzureHub(DEVICE, HUB)) as front:
        yield World(front, road.agent(DEVICE, broker=None, url=front.url, ca_file=road.authority.file, sections=SECTIONS))
        assert front.hang_ups == [] and front.service.refusals == [], "the hub allows all that the agent does"


def test_readings_bear_their_properties(world):
    world.agent.start()
    world.wait("readings", lambda: len(world.hub.readings) >= 3)
    properties, payload = world.hub.readings[0]
    assert properties == {"lane": "live", "$.ct": "application/json", "$.ce": "utf-8"}
    assert json.loads(payload)["device"] == DEVICE
    assert world.front.evictions == 0
    world.agent.stop()


def test_the_twin_changes_the_configuration_and_back(world):
    world.agent.start()
    world.wait_for("none")
    world.hub.desire({"configuration": SLOW, "revision": 1})
    world.wait_for("confirmed", revision="1", desired_version=2)
    assert world.hub.reported["configuration"] == SLOW
    world.hub.desire({"configuration": {"device": {"name": "x"}}, "revision": 2})
    world.wait_for("refused", revision="2", desired_version=3)
    assert world.hub.reported["configuration"] == SLOW, "what runs, not what was asked"
    world.hub.desire({"configuration": None, "revision": 3})
    world.wait_for("confirmed", revision="3")
    assert world.hub.reported["configuration"] == {}
    world.agent.stop()


def test_methods_and_messages(world):
    world.agent.start()
    world.wait("the methods' subscription", lambda: world.front.is_subscribed(DEVICE, "$iothub/methods/POST/x/?$rid=1"))
    status, answer = world.hub.call("status")
    assert status == 200 and answer["device"] == DEVICE
    status, answer = world.hub.call("configuration", twice=True)
    assert status == 200 and answer["configuration"] == {} and answer["change"]["state"] == "none"
    status, answer = world.hub.call("reboot")
    assert status == 404 and "status" in answer["error"]
    assert world.hub.message("do it", **{"$.mid": "1"})
    world.wait("the message in the log", lambda: "not obeyed" in world.agent.log_file().read_text())
    world.front.drop_all()
    with pytest.raises(queue.Empty):
        world.hub.call("status", seconds=1)
    world.wait("back", lambda: world.front.is_subscribed(DEVICE, "$iothub/methods/POST/x/?$rid=1"))
    assert world.hub.call("status")[0] == 200
    world.agent.stop()


@pytest.mark.parametrize("mood", ["throttled", "silent", "twice", "out of order", "not told"])
def test_in_every_mood_it_ends_in_the_truth(world, mood):
    world.agent.start()
    world.wait_for("none")
    hub = world.hub
    if mood == "throttled":
        hub.throttle = 2
    elif mood == "silent":
        hub.silent = 1
    elif mood == "twice":
        hub.twice = True
    if mood in ("out of order", "not told"):
        hub.desired, hub.desired_version = {"configuration": SLOW, "revision": "m"}, 5
        if mood == "out of order":
            hub.push({"configuration": SLOW}, 5)
            hub.push({"configuration": {"log": {"level": "error"}}}, 4)
        else:  # pushed while nobody was connected: it is seen by asking after the connection
            world.front.drop_all()
    else:
        hub.desire({"configuration": SLOW, "revision": "m"})
    world.wait_for("confirmed", revision="m")
    assert hub.reported["configuration"] == SLOW
    assert world.agent.log_file().read_text().count("configuration on trial") == 1
    world.agent.stop()


# Cut off after the n-th is the same to the device as before the next: one of each more would only take its time.
@pytest.mark.parametrize("number, when", [*((number, "before") for number in range(1, 9)), (1, "after"), (4, "after")])
def test_cut_off_at_every_message_it_ends_in_the_truth(world, number, when):
    world.hub.desired, world.hub.desired_version = {"configuration": {"sampling": {"interval": "5s"}}, "revision": "c"}, 3
    world.front.cut_at = (number, when)
    world.agent.start()
    world.wait_for("confirmed", revision="c")
    assert world.hub.reported["configuration"] == world.hub.desired["configuration"]
    assert world.agent.log_file().read_text().count("configuration on trial") == 1
    world.agent.stop()


def test_a_hub_of_another_name_is_told_by_the_connack(road):
    with MqttFront(road.authority, AzureHub(DEVICE, "other.azure-devices.net")) as front:
        agent = road.agent(DEVICE, broker=None, url=front.url, ca_file=road.authority.file, sections=SECTIONS)
        with agent:
            wait_until(lambda: agent.status()["link"]["last_error"], 60, "the refusal in the status")
            assert front.connects == 0
