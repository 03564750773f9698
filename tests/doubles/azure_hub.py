# SPDX-License-Identifier: Apache-2.0
"""Azure IoT Hub as a device sees it over MQTT: who may connect, the fixed topics, telemetry with properties, twin, direct methods
and cloud-to-device messages. After "Communicate with your IoT hub using the MQTT protocol" as reference/protocols.md sections
2.1 and 2.2 have it. Stands behind MqttFront: the hub judges the CONNECT, refuses subscriptions and hangs up on topics it does not know."""

import itertools
import json
import queue
import re
import urllib.parse

from tests.doubles.aws_shadow import depth, merged
from tests.doubles.mqtt_front import REFUSED_ID, REFUSED_RIGHTS, REFUSED_USER, REFUSED_VERSION, HangUp, Rate

API_VERSION = "2021-04-12"
KEEP_ALIVE_MAX = 1767
MESSAGE_BYTES_MAX = 256 * 1024
METHOD_BYTES_MAX = 128 * 1024
C2D_BYTES_MAX = 64 * 1024
TWIN_BYTES_MAX = 32 * 1024
TWIN_DEPTH_MAX = 10
MESSAGES_PER_SECOND = 100
SYSTEM_PROPERTIES = {"$.mid", "$.cid", "$.ct", "$.ce", "$.to", "$.exp"}
FORBIDDEN_IN_KEYS = re.compile(r"[.$ \x00-\x1f\x7f]")


def bag(text):
    """The properties after the last slash; HangUp if they are not what the hub reads."""
    properties = {}
    for pair in filter(None, text.split("&")):
        name, equals, value = pair.partition("=")
        for part in (name, value):
            if re.search(r"%(?![0-9A-Fa-f]{2})|[ +#]", part):
                raise HangUp(f"property not percent encoded: {pair}")
        name = urllib.parse.unquote(name)
        if not name or (name.startswith("$") and name not in SYSTEM_PROPERTIES):
            raise HangUp(f"unknown system property: {name}")
        properties[name] = urllib.parse.unquote(value) if equals else None
    return properties


class AzureHub:
    def __init__(self, device, hub="acme.azure-devices.net"):
        self.device, self.hub = device, hub
        self.front = None
        self.readings = []          # (properties, payload)
        self.desired = {}
        self.reported = {}
        self.desired_version = 1
        self.reported_version = 1
        self.throttle = 0           # twin requests answered with 429 first
        self.silent = 0             # twin requests without an answer
        self.twice = False
        self.refusals = []
        self.reports = []
        self.gets = 0
        self.rate = Rate(MESSAGES_PER_SECOND)
        self._rids = itertools.count(1)
        self._answers = {}
        self.answers_of_nobody = 0
        events = f"devices/{device}/messages/events/"
        self._events = events
        self._filters = {f"devices/{device}/messages/devicebound/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#",
                         "$iothub/methods/POST/#"}

    def is_reading(self, topic):
        return topic.startswith("devices/")

    def connect(self, hello):
        if hello.protocol != "MQTT" or hello.level != 4:
            return REFUSED_VERSION
        if hello.client_id != self.device:
            return REFUSED_ID
        if not re.fullmatch(re.escape(f"{self.hub}/{self.device}/?api-version={API_VERSION}") + r"(&[A-Za-z]+=[^&]*)*", hello.username or ""):
            return REFUSED_USER
        if hello.password is not None or hello.certificate_name != self.device:
            return REFUSED_RIGHTS
        if hello.keep_alive > KEEP_ALIVE_MAX or (hello.will and not hello.will[0].startswith(self._events)):
            return REFUSED_RIGHTS
        return 0

    def subscribe(self, hello, topic_filter):
        if topic_filter in self._filters:
            return 1
        self.refusals.append(f"subscription {topic_filter}")
        return 0x80

    def publish(self, hello, topic, payload, retain):
        if topic.startswith(self._events) or topic + "/" == self._events:
            properties = bag(topic[len(self._events):])
            if len(payload) + len(topic) - len(self._events) > MESSAGE_BYTES_MAX:
                raise HangUp(f"message of {len(payload)} bytes")
            if not self.rate.take():
                return False
            if retain:
                properties["mqtt-retain"] = "true"
            self.readings.append((properties, payload))
            return True
        if topic.startswith("$iothub/twin/"):
            self._twin(topic, payload)
            return True
        answer = re.fullmatch(r"\$iothub/methods/res/(\d{3})/\?\$rid=([^&]+)", topic)
        if answer:
            self._method_answered(int(answer[1]), answer[2], payload)
            return True
        raise HangUp(f"no such topic: {topic}")

    # Twin

    def _twin(self, topic, payload):
        request = re.fullmatch(r"\$iothub/twin/(GET|PATCH/properties/reported)/\?\$rid=([^&]+)", topic)
        if not request:
            raise HangUp(f"no such topic: {topic}")
        rid = request[2]
        if self.silent > 0:
            self.silent -= 1
            return
        if self.throttle > 0:
            self.throttle -= 1
            return self._answer(429, rid, "", json.dumps({"errorCode": 429001, "message": "throttled"}))
        if request[1] == "GET":
            if payload:
                return self._refuse(rid, "the payload of a GET must be empty")
            self.gets += 1
            document = {"desired": {**self.desired, "$version": self.desired_version},
                        "reported": {**self.reported, "$version": self.reported_version}}
            return self._answer(200, rid, "", json.dumps(document))
        try:
            patch = json.loads(payload)
        except ValueError:
            return self._refuse(rid, "no JSON")
        wrong = self._wrong_with(patch)
        if wrong:
            return self._refuse(rid, wrong)
        after = merged(self.reported, patch)
        if len(json.dumps(after, separators=(",", ":"))) > TWIN_BYTES_MAX:
            return self._refuse(rid, "the reported properties are larger than 32 KB")
        self.reported, self.reported_version = after, self.reported_version + 1
        self.reports.append(after)
        return self._answer(204, rid, f"&$version={self.reported_version}", "")

    def _wrong_with(self, patch):
        def keys(value):
            if isinstance(value, dict):
                for key, each in value.items():
                    yield key
                    yield from keys(each)
        if not isinstance(patch, dict):
            return "a patch is an object"
        if depth(patch) > TWIN_DEPTH_MAX:
            return "deeper than 10"
        for key in keys(patch):
            if FORBIDDEN_IN_KEYS.search(key) or len(key.encode()) > 1024:
                return f"a key may not be {key!r}"
        return None

    def _refuse(self, rid, why):
        self.refusals.append(why)
        self._answer(400, rid, "", json.dumps({"errorCode": 400004, "message": why}))

    def _answer(self, status, rid, more, text):
        for _ in range(2 if self.twice else 1):
            self.front.send(self.device, f"$iothub/twin/res/{status}/?$rid={rid}{more}", text)

    def desire(self, patch):
        """An operator's change: pushed only to who is connected and has subscribed."""
        self.desired = merged(self.desired, patch)
        self.desired_version += 1
        self.push(patch, self.desired_version)

    def push(self, patch, version):
        for _ in range(2 if self.twice else 1):
            self.front.send(self.device, f"$iothub/twin/PATCH/properties/desired/?$version={version}", json.dumps({**patch, "$version": version}))

    # Methods and messages

    def call(self, name, payload=None, seconds=30, twice=False):
        """(status, answer); raises queue.Empty when the device does not answer in time, as the hub would with 504."""
        rid = str(next(self._rids))
        self._answers[rid] = queue.Queue()
        text = json.dumps(payload)
        if len(text) > METHOD_BYTES_MAX:
            raise ValueError("a method's payload has at most 128 KB")
        for _ in range(2 if twice else 1):
            if not self.front.send(self.device, f"$iothub/methods/POST/{name}/?$rid={rid}", text):
                raise queue.Empty("404: the device is not connected")
        try:
            return self._answers[rid].get(timeout=seconds)
        finally:
            del self._answers[rid]

    def _method_answered(self, status, rid, payload):
        if len(payload) > METHOD_BYTES_MAX:
            raise HangUp("method's answer too large")
        answer = json.loads(payload) if payload else None  # what is no JSON ends the connection
        waiting = self._answers.get(rid)
        if waiting is None:
            self.answers_of_nobody += 1
        else:
            waiting.put((status, answer))

    def message(self, text, **properties):
        if len(text) > C2D_BYTES_MAX:
            raise ValueError("a message has at most 64 KB")
        pairs = "&".join(f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(value, safe='')}" for name, value in properties.items())
        return self.front.send(self.device, f"devices/{self.device}/messages/devicebound/{pairs}", text)
