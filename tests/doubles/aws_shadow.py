# SPDX-License-Identifier: Apache-2.0
"""AWS IoT Core as a device sees it beside provisioning and jobs: its rules of connecting and publishing, and the Device Shadow.

After the developer guide ("Device Shadow MQTT topics", "Device Shadow service documents", "AWS IoT Core limits") as
reference/protocols.md sections 1.2 to 1.6 have it. `AwsShadow` is the service's logic alone; `Behind` puts it behind a real
mosquitto, `AwsFront` is the whole front with what the service refuses before any topic counts."""

import json
import threading
import time

import paho.mqtt.client as mqtt

from tests.doubles.mqtt_front import REFUSED_ID, REFUSED_RIGHTS, HangUp, Rate
from tests.tools.consumer import mutual_tls

DOCUMENT_BYTES_MAX = 8192
DEPTH_MAX = 5
TOKEN_BYTES_MAX = 64
TOPIC_SLASHES_MAX = 7
TOPIC_BYTES_MAX = 256
PAYLOAD_BYTES_MAX = 131072
PUBLISHES_PER_SECOND = 100
DEFENDER_SECONDS = 300


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def merged(base, patch):
    """RFC 7396, as the service does it: null takes away, lists are replaced whole."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def difference(desired, reported):
    """The leaves of desired that reported has not, or has otherwise."""
    result = {}
    for key, value in desired.items():
        other = reported.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            inner = difference(value, other)
            if inner:
                result[key] = inner
        elif value != other:
            result[key] = value
    return result


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return max(map(depth, value), default=0)
    return 0


def stamped(value, now):
    if isinstance(value, dict):
        return {key: stamped(each, now) for key, each in value.items()}
    return {"timestamp": now}


def null_in_list(value, inside=False):
    if isinstance(value, dict):
        return any(null_in_list(each, inside) for each in value.values())
    if isinstance(value, list):
        return any(null_in_list(each, True) for each in value)
    return inside and value is None


class AwsShadow:
    """One shadow. `place` is "$aws/things/THING/shadow", or with /name/NAME; a plain broker's is PREFIX/DEVICE/shadow.
    handle() and desire() give what is to be published, in order."""

    def __init__(self, place):
        self.place = place
        self.version = 0
        self.document = None   # {"desired", "reported"}, None: there is none
        self.throttle = 0      # requests answered with 429 first
        self.conflict = 0      # updates answered with 409 first, as if another had been faster
        self.silent = 0        # requests that get no answer
        self.refusals = []
        self.reports = []      # what the device reported, as the whole reported state after each

    def handle(self, topic, payload):
        action = topic[len(self.place) + 1:]
        if not topic.startswith(self.place + "/") or action not in ("get", "update", "delete"):
            return []
        if self.silent > 0:
            self.silent -= 1
            return []
        token = None
        try:
            if self.throttle > 0:
                self.throttle -= 1
                raise Refused(429, "Too many requests in flight")
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise Refused(415, "Unsupported encoding") from None
            try:
                request = json.loads(text) if text.strip() or action == "update" else {}
            except ValueError:
                raise Refused(400, "Invalid JSON") from None
            if not isinstance(request, dict):
                raise Refused(400, "Invalid JSON")
            token = request.get("clientToken")
            if token is not None and (not isinstance(token, str) or len(token.encode()) > TOKEN_BYTES_MAX):
                token = None
                raise Refused(400, "Invalid clientToken")
            return getattr(self, "_" + action)(request, token)
        except Refused as refused:
            refusal = {"code": refused.code, "message": str(refused), "timestamp": int(time.time())}
            if token is not None:
                refusal["clientToken"] = token
            self.refusals.append(refusal)
            return [(f"{self.place}/{action}/rejected", json.dumps(refusal))]

    def desire(self, patch, **request):
        """An operator's update of the desired state."""
        return self.handle(f"{self.place}/update", json.dumps({"state": {"desired": patch}, **request}).encode())

    def _answer(self, action, token, now, **members):
        answer = {**members, "timestamp": now, "version": self.version}
        if token is not None:
            answer["clientToken"] = token
        return (f"{self.place}/{action}/accepted", json.dumps(answer))

    def _get(self, request, token):
        if set(request) - {"clientToken"}:
            raise Refused(400, f"unexpected {sorted(request)}")
        if self.document is None:
            raise Refused(404, "No shadow exists with name: '" + self.place + "'")
        now = int(time.time())
        state = {name: part for name, part in self.document.items() if part}
        delta = difference(self.document["desired"], self.document["reported"])
        if delta:
            state["delta"] = delta
        return [self._answer("get", token, now, state=state, metadata=stamped(state, now))]

    def _update(self, request, token):
        state = request.get("state")
        if set(request) - {"state", "version", "clientToken"} or not isinstance(state, dict):
            raise Refused(400, "Missing required node: state" if "state" not in request else "unexpected node")
        if set(state) - {"desired", "reported"} or not all(part is None or isinstance(part, dict) for part in state.values()):
            raise Refused(400, "State contains an invalid node")
        if null_in_list(state):
            raise Refused(400, "State contains null in an array")
        if any(depth(part) > DEPTH_MAX for part in state.values()):
            raise Refused(400, "JSON contains too many levels of nesting; maximum is 5")
        if self.conflict > 0:
            self.conflict -= 1
            raise Refused(409, "Version conflict")
        if "version" in request and request["version"] != self.version:
            raise Refused(409, "Version conflict")
        before = self.document or {"desired": {}, "reported": {}}
        after = {name: {} if name in state and state[name] is None else merged(before[name], state.get(name, {})) for name in before}
        if len(json.dumps(after, separators=(",", ":")).encode()) > DOCUMENT_BYTES_MAX:
            raise Refused(413, "The payload exceeds the maximum size allowed")
        self.document = after
        self.version += 1
        if "reported" in state:
            self.reports.append(after["reported"])
        now = int(time.time())
        said = [self._answer("update", token, now, state=state, metadata=stamped(state, now))]
        delta = difference(after["desired"], after["reported"])
        if delta:
            text = {"version": self.version, "timestamp": now, "state": delta, "metadata": stamped(delta, now)}
            if token is not None:
                text["clientToken"] = token
            said.append((f"{self.place}/update/delta", json.dumps(text)))
        return said

    def _delete(self, request, token):
        if self.document is None:
            raise Refused(404, "No shadow exists with name: '" + self.place + "'")
        self.document = None  # the version lives on
        return [(f"{self.place}/delete/accepted", json.dumps({"version": self.version, "timestamp": int(time.time())}))]

    @property
    def reported(self):
        return (self.document or {}).get("reported", {})


class Behind:
    """The shadow behind a real mosquitto."""

    def __init__(self, shadow, broker, authority):
        self.shadow, self._broker = shadow, broker
        self._subscribed = threading.Event()
        self._client = mqtt.Client(client_id="shadow-double", protocol=mqtt.MQTTv311)
        self._client.tls_set_context(mutual_tls(broker, authority.client("shadow-double")))
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        wanted = [(f"{shadow.place}/{action}", 1) for action in ("get", "update", "delete")]
        self._client.on_connect = lambda client, *_: client.subscribe(wanted)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _, __, message: self._say(shadow.handle(message.topic, message.payload))

    def __enter__(self):
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        if not self._subscribed.wait(30):
            raise TimeoutError("the double could not subscribe")
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, said):
        for topic, text in said:
            self._client.publish(topic, text, qos=1)

    def desire(self, patch, **request):
        self._say(self.shadow.desire(patch, **request))


class AwsFront:
    """The service behind MqttFront: who may connect, publish and subscribe; readings, shadow and Device Defender."""

    def __init__(self, thing, shadow=None):
        self.thing = thing
        self.shadow = shadow or AwsShadow(f"$aws/things/{thing}/shadow")
        self.readings = []
        self.defender = []      # reports that were accepted
        self.defender_refusals = []
        self.rate = Rate(PUBLISHES_PER_SECOND)
        self.front = None
        self.twice = False      # everything is delivered two times
        self._defender_at = None
        self._defender_id = 0

    def is_reading(self, topic):
        return not topic.startswith("$aws/things/")

    def connect(self, hello):
        if hello.level not in (4, 5) or not hello.client_id or hello.client_id.startswith("$") or len(hello.client_id.encode()) > 128:
            return REFUSED_ID
        # As the usual policy: the client identifier is the thing's name.
        return 0 if hello.client_id == self.thing == hello.certificate_name else REFUSED_RIGHTS

    def subscribe(self, hello, topic_filter):
        if topic_filter.count("/") > TOPIC_SLASHES_MAX or len(topic_filter.encode()) > TOPIC_BYTES_MAX:
            raise HangUp(f"filter too deep or too long: {topic_filter}")
        if topic_filter.startswith("$aws/rules") or (topic_filter.startswith("$") and not topic_filter.startswith(f"$aws/things/{self.thing}/")):
            raise HangUp(f"not allowed: {topic_filter}")
        return 1

    def publish(self, hello, topic, payload, retain):
        counted = topic.split("/", 3)[3] if topic.startswith("$aws/rules/") and topic.count("/") >= 3 else topic
        if counted.count("/") > TOPIC_SLASHES_MAX or len(counted.encode()) > TOPIC_BYTES_MAX:
            raise HangUp(f"topic too deep or too long: {topic}")
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise HangUp(f"payload of {len(payload)} bytes")
        if not self.rate.take():
            return False
        if topic.startswith("$") and not topic.startswith((f"$aws/things/{self.thing}/", "$aws/rules/")):
            raise HangUp(f"not allowed: {topic}")
        if topic.startswith("$") and retain:
            raise HangUp("retained on a reserved topic")
        if self.is_reading(topic):
            self.readings.append((topic, payload))
        elif "/defender/" in topic:
            self._say(self._defend(topic, payload))
        else:
            self._say(self.shadow.handle(topic, payload))
        return True

    def desire(self, patch, **request):
        self._say(self.shadow.desire(patch, **request))

    def _say(self, said):
        for topic, text in said:
            for _ in range(2 if self.twice else 1):
                self.front.send(self.thing, topic, text)

    def _defend(self, topic, payload):
        place = f"$aws/things/{self.thing}/defender/metrics/json"
        if topic != place:
            raise HangUp(f"not allowed: {topic}")
        now, number, why = time.monotonic(), None, None
        try:
            report = json.loads(payload)
            header = report.get("header", report.get("hed"))
            number = header.get("report_id", header.get("rid"))
            why = self._wrong_with(report, header, number)
            if why is None and self._defender_at is not None and now - self._defender_at < DEFENDER_SECONDS:
                why = ("Throttled", "one report per 5 minutes")
        except (ValueError, AttributeError, TypeError):
            why = ("InvalidPayload", "malformed report")
        answer = {"thingName": self.thing, "timestamp": int(time.time() * 1000)}
        if number is not None:
            answer["reportId"] = number
        if why:
            answer |= {"status": "REJECTED", "statusDetails": {"ErrorCode": why[0], "ErrorMessage": why[1]}}
            self.defender_refusals.append(answer)
            return [(f"{place}/rejected", json.dumps(answer))]
        self._defender_at, self._defender_id = now, number
        self.defender.append(report)
        return [(f"{place}/accepted", json.dumps(answer | {"status": "ACCEPTED"}))]

    def _wrong_with(self, report, header, number):
        if set(report) - {"header", "metrics", "custom_metrics"} or header.get("version") != "1.0" or not isinstance(number, int):
            return ("InvalidPayload", "malformed report")
        if number <= self._defender_id:
            return ("InvalidPayload", "report_id does not grow")
        metrics = report.get("metrics", {})
        if set(metrics) - {"listening_tcp_ports", "listening_udp_ports", "network_stats", "tcp_connections"}:
            return ("InvalidPayload", "unknown metric")
        network = metrics.get("network_stats", {})
        if not all(isinstance(value, int) and value >= 0 for value in network.values()) or \
                set(network) - {"bytes_in", "bytes_out", "packets_in", "packets_out"}:
            return ("InvalidPayload", "network_stats")
        for name in ("listening_tcp_ports", "listening_udp_ports"):
            ports = metrics.get(name, {"total": 0})
            if not isinstance(ports.get("total"), int) or any(not isinstance(each["port"], int) for each in ports.get("ports", [])):
                return ("InvalidPayload", name)
        established = metrics.get("tcp_connections", {}).get("established_connections", {"total": 0})
        if not isinstance(established.get("total"), int) or any(":" not in each["remote_addr"] for each in established.get("connections", [])):
            return ("InvalidPayload", "tcp_connections")
        if not all(isinstance(value, list) and len(value) == 1 for value in report.get("custom_metrics", {}).values()):
            return ("InvalidPayload", "custom metrics are arrays of one object")
        return None
