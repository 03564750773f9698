# SPDX-License-Identifier: Apache-2.0
"""The aws profile against a double of AWS IoT Core: readings, the shadow, Device Defender, in every mood of the service."""

import json

import pytest

from tests.doubles.aws_shadow import AwsFront, AwsShadow, Behind
from tests.doubles.mqtt_front import MqttFront
from tests.tools.agent import ramp_source
from tests.tools.child import wait_until

THING = "proof-1"
PLACE = f"$aws/things/{THING}/shadow"
SLOW = {"source": {"proof": {"interval": "200ms"}}}


def sections(**cloud):
    return {**ramp_source(series=1), "cloud": {"profile": "aws", "desired_state": True, "confirm_within": "10s", **cloud}}


class World:
    def __init__(self, front, make):
        self.front, self.service, self._make = front, front.service, make
        self.agent = None

    def start(self, **cloud):
        # MQTT 5 is proven behind a real mosquitto below; the front reads 3.1.1.
        self.agent = self._make(sections={**sections(**cloud), "broker": {"mqtt_version": "3.1.1", "backoff_max": "2s"}})
        self.agent.start()
        return self

    @property
    def shadow(self):
        return self.service.shadow

    def wait(self, what, condition, seconds=120):
        def words():
            return f"{what}; reported {self.shadow.reported}, refused {self.shadow.refusals[-2:]}, hang-ups {self.front.hang_ups}"
        try:
            return wait_until(condition, seconds, what, every=0.1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{words()}\n{self.agent.last_words()}") from None

    def wait_for(self, state, **members):
        def there():
            change = self.shadow.reported.get("change", {})
            return change.get("state") == state and all(change.get(key) == value for key, value in members.items())
        self.wait(f"{state} {members}", there)


@pytest.fixture
def world(road):
    with MqttFront(road.authority, AwsFront(THING)) as front:
        yield World(front, lambda **options: road.agent(THING, broker=None, url=front.url, ca_file=road.authority.file, **options))
        assert front.hang_ups == [], "the service allows all that the agent does"


def test_readings_and_shadow(world):
    world.start()
    world.wait("readings", lambda: len(world.service.readings) >= 3)
    assert world.service.readings[0][0] == f"fieldpost/{THING}/live"
    world.wait_for("none")
    world.service.desire({"configuration": SLOW, "revision": "1"})
    world.wait_for("confirmed", revision="1")
    assert world.shadow.reported["configuration"] == SLOW
    assert world.service.rate.exceeded == 0
    world.agent.stop()


def test_basic_ingest_and_a_named_shadow(road):
    shadow = AwsShadow(f"{PLACE}/name/field")
    with MqttFront(road.authority, AwsFront(THING, shadow)) as front:
        world = World(front, lambda **options: road.agent(THING, broker=None, url=front.url, ca_file=road.authority.file, **options))
        world.start(basic_ingest_rule="Readings", shadow="field")
        world.wait("readings", lambda: len(world.service.readings) >= 3)
        assert world.service.readings[0][0] == f"$aws/rules/Readings/fieldpost/{THING}/live"
        world.wait_for("none")
        world.agent.stop()
        assert front.hang_ups == []


def test_over_mqtt_5_behind_a_real_broker(road):
    shadow = AwsShadow(PLACE)
    agent = road.agent(sections=sections())
    with Behind(shadow, road.broker, road.authority) as behind, agent:
        wait_until(lambda: shadow.reported.get("change"), 60, "the first report")
        behind.desire({"configuration": SLOW})
        wait_until(lambda: shadow.reported["change"].get("state") == "confirmed", 120, "confirmed")


def test_a_backlog_keeps_the_services_rate(world, road):
    """Small segments, many of them: without the limit they would go as fast as the link."""
    options = sections()
    options["outbox"] = {"flush_interval": "100ms"}
    options["source.proof"]["interval"] = "50ms"
    options["broker"] = {"mqtt_version": "3.1.1", "backoff_max": "2s"}
    agent = road.agent(THING, broker=None, url="mqtts://localhost:1", ca_file=road.authority.file, sections=options, flush_interval=0.1)
    agent.start()
    wait_until(lambda: agent.running and len(agent.durable_segments()) >= 250, 120, "a backlog", every=0.5)
    agent.stop()
    agent.sections["broker"]["url"] = world.front.url
    agent.write_configuration()
    agent.start()
    world.agent = agent
    world.wait("the backlog", lambda: len(world.service.readings) >= 250)
    assert world.service.rate.exceeded == 0
    agent.stop()


@pytest.mark.parametrize("mood", ["throttled", "conflict", "silent", "twice"])
def test_in_every_mood_it_ends_in_the_truth(world, mood):
    world.start()
    world.wait_for("none")
    if mood == "throttled":
        world.shadow.throttle = 1
    elif mood == "silent":
        world.shadow.silent = 1
    elif mood == "twice":
        world.service.twice = True
    # What the operator sends is no request of the device: it comes through in any case.
    world.shadow.document["desired"] = {"configuration": SLOW, "revision": "m"}
    world.shadow.version += 1
    if mood == "conflict":
        world.shadow.conflict = 1
    delta = json.dumps({"state": {"configuration": SLOW}, "version": world.shadow.version})
    for _ in range(2):
        world.front.send(THING, f"{PLACE}/update/delta", delta)
    world.wait_for("confirmed", revision="m")
    assert world.shadow.reported["configuration"] == SLOW
    # A delta that comes late is none.
    gets = world.front.messages
    world.front.send(THING, f"{PLACE}/update/delta", json.dumps({"state": {"configuration": {}}, "version": 1}))
    wait_until(lambda: world.front.messages > gets, 30, "it was sent")
    assert world.shadow.reported["change"]["state"] == "confirmed"
    assert world.agent.log_file().read_text().count("configuration on trial") == 1
    world.agent.stop()


# Cut off after the n-th is the same to the device as before the next: one of each more would only take its time.
@pytest.mark.parametrize("number, when", [*((number, "before") for number in range(1, 10)), (1, "after"), (4, "after")])
def test_cut_off_at_every_message_it_ends_in_the_truth(world, number, when):
    """Get, its answer, report, its answer, delta and so on: the n-th message is the last of its connection."""
    world.shadow.document = {"desired": {"configuration": {"log": {"level": "debug"}, "sampling": {"interval": "5s"}}, "revision": "c"}, "reported": {}}
    world.shadow.version = 3
    world.front.cut_at = (number, when)
    world.start()
    world.wait_for("confirmed", revision="c")
    assert world.shadow.reported["configuration"] == world.shadow.document["desired"]["configuration"]
    assert world.agent.log_file().read_text().count("configuration on trial") == 1
    world.agent.stop()


def test_a_stranger_is_told_by_the_connack(road):
    with MqttFront(road.authority, AwsFront("somebody-else")) as front:
        agent = road.agent(THING, broker=None, url=front.url, ca_file=road.authority.file,
                           sections={**sections(), "broker": {"mqtt_version": "3.1.1"}})
        with agent:
            wait_until(lambda: agent.status()["link"]["last_error"], 60, "the refusal in the status")
            assert not front.service.readings
