# SPDX-License-Identifier: Apache-2.0
"""The doubles of the clouds refuse what the services would: each refusal is asked for once, by a client that does the wrong thing."""

import json
import socket
import ssl
import struct
import time

import pytest

from tests.doubles.aws_shadow import AwsFront, AwsShadow
from tests.doubles.azure_hub import AzureHub
from tests.doubles.mqtt_front import MqttFront

PLACE = "$aws/things/gw/shadow"


def short(value):
    """A test's name stands in the environment of what it starts, where a quarter of a megabyte has no room."""
    return f"{len(value)} long" if isinstance(value, (str, bytes)) and len(value) > 80 else None


def cases(names, rows):
    return pytest.mark.parametrize(names, rows, ids=short)


# AWS: the shadow's logic

def shadow_says(shadow, action, request):
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    return [(topic[len(shadow.place) + 1:], json.loads(said)) for topic, said in shadow.handle(f"{shadow.place}/{action}", text)]


def code_of(shadow, action, request):
    (topic, answer), = shadow_says(shadow, action, request)
    assert topic == f"{action}/rejected"
    return answer["code"]


@pytest.mark.parametrize("action, request_, code", [
    ("get", b"", 404),
    ("delete", {}, 404),
    ("update", b"", 400),
    ("update", b"{", 400),
    ("update", b"\xff", 415),
    ("update", [], 400),
    ("update", {}, 400),
    ("update", {"state": {}, "colour": 1}, 400),
    ("update", {"state": {"wished": {}}}, 400),
    ("update", {"state": {"desired": 3}}, 400),
    ("update", {"state": {"desired": {"a": [1, None]}}}, 400),
    ("update", {"state": {"desired": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}}, 400),
    ("update", {"state": {"desired": {"a": "x" * 8192}}}, 413),
    ("update", {"state": {"desired": {}}, "clientToken": "x" * 65}, 400),
    ("update", {"state": {"desired": {}}, "version": 7}, 409),
    ("get", {"state": {}}, 400),
])
def test_the_shadow_refuses(action, request_, code):
    assert code_of(AwsShadow(PLACE), action, request_) == code


def test_the_shadow_at_its_limits_takes_what_is_allowed():
    shadow = AwsShadow(PLACE)
    frame = len('{"desired":{"a":""},"reported":{}}')
    assert shadow_says(shadow, "update", {"state": {"desired": {"a": "x" * (8192 - frame)}}})[0][0] == "update/accepted"
    assert shadow_says(shadow, "update", {"state": {"desired": {"a": None, "b": {"c": {"d": {"e": {"f": 1}}}}}}, "clientToken": "x" * 64})[0][0] == "update/accepted"


def test_the_shadow_tells_only_differences_and_counts_on_after_a_deletion():
    shadow = AwsShadow(PLACE)
    said = shadow_says(shadow, "update", {"state": {"desired": {"a": {"b": 1, "c": [1, 2]}, "d": 2}, "reported": {"a": {"b": 1, "c": [2, 1]}, "e": 5}}})
    assert [topic for topic, _ in said] == ["update/accepted", "update/delta"]
    assert said[1][1]["state"] == {"a": {"c": [1, 2]}, "d": 2} and said[1][1]["version"] == 1
    assert "metadata" in said[0][1]
    said = shadow_says(shadow, "update", {"state": {"reported": {"a": {"c": [1, 2]}, "d": 2}}, "version": 1, "clientToken": "t"})
    assert [topic for topic, _ in said] == ["update/accepted"] and said[0][1]["clientToken"] == "t"
    # Taken out of the desired state, it is in no delta: who wants to know must listen to update/accepted.
    assert len(shadow_says(shadow, "update", {"state": {"desired": {"d": None}}})) == 1
    assert shadow_says(shadow, "delete", {})[0][1]["version"] == 3
    assert shadow_says(shadow, "update", {"state": {"desired": {}}})[0][1]["version"] == 4


# The fronts: a client that does the wrong thing

class Client:
    """Says what it is told to, byte for byte."""

    def __init__(self, authority, front, name):
        certificate = authority.client(name)
        context = ssl.create_default_context(cafile=str(authority.file))
        context.load_cert_chain(str(certificate.certificate_file), str(certificate.key_file))
        self.wire = context.wrap_socket(socket.create_connection(("127.0.0.1", front.port)), server_hostname="localhost")
        self.wire.settimeout(30)

    @staticmethod
    def text(value):
        data = value if isinstance(value, bytes) else value.encode()
        return struct.pack(">H", len(data)) + data

    def packet(self, head, body):
        size, length = len(body), b""
        while True:
            size, low = divmod(size, 128)
            length += bytes((low | (128 if size else 0),))
            if not size:
                break
        self.wire.sendall(bytes((head,)) + length + body)

    def connect(self, client_id, *, level=4, username=None, password=None, keep_alive=60, will=None):
        """The CONNACK's code; None: hung up."""
        flags = 2 | (128 if username is not None else 0) | (64 if password is not None else 0) | (4 if will else 0)
        body = self.text("MQTT") + bytes((level, flags)) + struct.pack(">H", keep_alive) + self.text(client_id)
        for part in ((will, b"x") if will else ()):
            body += self.text(part)
        for part in (username, password):
            body += self.text(part) if part is not None else b""
        self.packet(0x10, body)
        answer = self.read()
        return answer[1][1] if answer else None

    def subscribe(self, topic_filter):
        self.packet(0x82, b"\0\1" + self.text(topic_filter) + b"\1")
        answer = self.read()
        return answer[1][2] if answer else None

    def publish(self, topic, payload=b"", qos=1, retain=0):
        self.packet(0x30 | qos << 1 | retain, self.text(topic) + (b"\0\2" if qos else b"") + payload)

    def read(self):
        """(kind, body), or None where the service hung up."""
        try:
            head = self._exactly(1)[0]
            size, shift = 0, 0
            while True:
                byte = self._exactly(1)[0]
                size |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
            return head >> 4, self._exactly(size)
        except (ConnectionError, ssl.SSLError, EOFError):
            return None

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.wire.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data


@pytest.fixture
def aws(authority):
    with MqttFront(authority, AwsFront("gw")) as front:
        yield front


@pytest.fixture
def azure(authority):
    with MqttFront(authority, AzureHub("gw")) as front:
        yield front


USER = "acme.azure-devices.net/gw/?api-version=2021-04-12"


@pytest.mark.parametrize("name, client_id, code", [("gw", "gw", 0), ("gw", "other", 5), ("other", "gw", 5), ("gw", "", 2), ("gw", "$gw", 2)])
def test_aws_takes_the_thing_under_its_own_name_only(authority, aws, name, client_id, code):
    assert Client(authority, aws, name).connect(client_id) == code


@cases("topic, payload, qos, retain", [
    ("a/b/c/d/e/f/g/h/i", b"", 1, 0),
    ("x" * 257, b"", 1, 0),
    ("fieldpost/gw/live", b"x" * 131073, 1, 0),
    ("fieldpost/gw/live", b"", 2, 0),
    ("$aws/things/other/shadow/get", b"", 1, 0),
    ("$aws/things/gw/shadow/get", b"", 1, 1),
])
def test_aws_hangs_up_on(authority, aws, topic, payload, qos, retain):
    client = Client(authority, aws, "gw")
    assert client.connect("gw") == 0
    client.publish("$aws/rules/Rule/1/2/3/4/5/6/7/8", b"x")  # the rule's own part does not count
    assert client.read()[0] == 4
    client.publish(topic, payload, qos, retain)
    assert client.read() is None and len(aws.hang_ups) == 1


def test_aws_refuses_filters_that_nobody_may_have(authority, aws):
    for topic_filter in ("$aws/rules/Rule/#", "$aws/things/other/shadow/get/accepted", "a/b/c/d/e/f/g/h/i"):
        client = Client(authority, aws, "gw")
        assert client.connect("gw") == 0
        assert client.subscribe(topic_filter) is None


def test_aws_discards_what_exceeds_its_rate_without_a_word(authority, aws):
    client = Client(authority, aws, "gw")
    assert client.connect("gw") == 0
    for _ in range(101):
        aws.service.publish(None, "a/b", b"", False)
    assert aws.service.rate.exceeded == 1 and len(aws.service.readings) == 100


@pytest.mark.parametrize("change, code", [
    ({}, "InvalidPayload"),
    ({"header": {"report_id": 0, "version": "1.0"}}, "InvalidPayload"),
    ({"header": {"report_id": 1, "version": "2.0"}}, "InvalidPayload"),
    ({"header": {"report_id": 1, "version": "1.0"}, "metrics": {"colour": {}}}, "InvalidPayload"),
    ({"header": {"report_id": 1, "version": "1.0"}, "metrics": {"network_stats": {"bytes_in": -1}}}, "InvalidPayload"),
    ({"header": {"report_id": 1, "version": "1.0"}, "custom_metrics": {"a": {"number": 1}}}, "InvalidPayload"),
])
def test_defender_refuses(aws, change, code):
    aws.service.publish(None, "$aws/things/gw/defender/metrics/json", json.dumps(change).encode(), False)
    assert aws.service.defender_refusals[0]["statusDetails"]["ErrorCode"] == code and not aws.service.defender


def test_defender_takes_one_report_in_five_minutes(aws):
    for number in (1, 2):
        report = {"header": {"report_id": number, "version": "1.0"}, "metrics": {"network_stats": {"bytes_in": 1}}}
        aws.service.publish(None, "$aws/things/gw/defender/metrics/json", json.dumps(report).encode(), False)
    assert len(aws.service.defender) == 1 and aws.service.defender_refusals[0]["statusDetails"]["ErrorCode"] == "Throttled"


@pytest.mark.parametrize("options, code", [
    ({"username": USER}, 0),
    ({"username": USER + "&DeviceClientType=fieldpost"}, 0),
    ({"username": USER, "level": 5}, 1),
    ({"username": USER, "client_id": "other"}, 2),
    ({}, 4),
    ({"username": "acme.azure-devices.net/gw"}, 4),
    ({"username": "acme.azure-devices.net/gw/?api-version=2020-01-01"}, 4),
    ({"username": "other.azure-devices.net/gw/?api-version=2021-04-12"}, 4),
    ({"username": USER, "password": "secret"}, 5),
    ({"username": USER, "keep_alive": 1768}, 5),
    ({"username": USER, "will": "last/words"}, 5),
    ({"username": USER, "will": "devices/gw/messages/events/"}, 0),
])
def test_the_hub_takes_who_says_it_right(authority, azure, options, code):
    options = dict(options)
    assert Client(authority, azure, "gw").connect(options.pop("client_id", "gw"), **options) == code


def test_the_hub_takes_a_device_with_its_own_certificate_only(authority, azure):
    assert Client(authority, azure, "other").connect("gw", username=USER) == 5


def test_the_hub_has_one_connection_for_a_device_the_newest(authority, azure):
    first = Client(authority, azure, "gw")
    assert first.connect("gw", username=USER) == 0
    assert Client(authority, azure, "gw").connect("gw", username=USER) == 0
    assert first.read() is None and azure.evictions == 1


def test_the_hub_grants_its_own_subscriptions_only(authority, azure):
    client = Client(authority, azure, "gw")
    assert client.connect("gw", username=USER) == 0
    assert client.subscribe("$iothub/twin/res/#") == 1
    assert client.subscribe("devices/gw/messages/devicebound/#") == 1
    for topic_filter in ("#", "fieldpost/gw/jobs/#", "devices/other/messages/devicebound/#", "$iothub/twin/#"):
        assert client.subscribe(topic_filter) == 0x80


@cases("topic, payload, qos", [
    ("fieldpost/gw/live", b"", 1),
    ("devices/other/messages/events/", b"", 1),
    ("devices/gw/messages/events/a=b c", b"", 1),
    ("devices/gw/messages/events/a=%2", b"", 1),
    ("devices/gw/messages/events/%24.colour=red", b"", 1),
    ("devices/gw/messages/events/", b"x" * 262145, 1),
    ("devices/gw/messages/events/", b"", 2),
    ("$iothub/twin/GET/", b"", 1),
    ("$iothub/methods/res/ok/?$rid=1", b"", 1),
    ("$iothub/methods/res/200/?$rid=1", b"{", 1),
])
def test_the_hub_hangs_up_on(authority, azure, topic, payload, qos):
    client = Client(authority, azure, "gw")
    assert client.connect("gw", username=USER) == 0
    client.publish("devices/gw/messages/events/lane=live&%24.ct=application%2Fjson", b"x")
    assert client.read()[0] == 4
    client.publish(topic, payload, qos)
    assert client.read() is None
    assert azure.service.readings == [({"lane": "live", "$.ct": "application/json"}, b"x")]


@cases("topic, payload, status", [
    ("GET", b"", 200),
    ("GET", b"{}", 400),
    ("PATCH/properties/reported", b"{", 400),
    ("PATCH/properties/reported", b"[]", 400),
    ("PATCH/properties/reported", b'{"a.b":1}', 400),
    ("PATCH/properties/reported", b'{"$a":1}', 400),
    ("PATCH/properties/reported", json.dumps({"a": "x" * 33000}).encode(), 400),
    ("PATCH/properties/reported", b'{"a":' * 11 + b"1" + b"}" * 11, 400),
    ("PATCH/properties/reported", b'{"a":{"b":1}}', 204),
])
def test_the_twin_answers(authority, azure, topic, payload, status):
    client = Client(authority, azure, "gw")
    assert client.connect("gw", username=USER) == 0
    assert client.subscribe("$iothub/twin/res/#") == 1
    client.publish(f"$iothub/twin/{topic}/?$rid=r1", payload)
    kinds = dict(filter(None, (client.read(), client.read())))
    assert f"$iothub/twin/res/{status}/?$rid=r1".encode() in kinds[3]


def test_who_has_not_subscribed_hears_nothing(authority, azure):
    client = Client(authority, azure, "gw")
    assert client.connect("gw", username=USER) == 0
    azure.service.desire({"a": 1})
    client.publish("$iothub/twin/GET/?$rid=1")
    assert client.read()[0] == 4
    client.wire.settimeout(0.5)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        client._exactly(1)
    assert time.monotonic() - started < 10


def test_a_connection_is_cut_at_the_message_it_was_told(authority, azure):
    azure.cut_at = (2, "before")
    client = Client(authority, azure, "gw")
    assert client.connect("gw", username=USER) == 0
    client.publish("$iothub/twin/GET/?$rid=1")
    assert client.read()[0] == 4
    client.publish("devices/gw/messages/events/", b"readings do not count")
    assert client.read()[0] == 4
    client.publish("$iothub/twin/GET/?$rid=2")
    assert client.read() is None and azure.service.gets == 1
