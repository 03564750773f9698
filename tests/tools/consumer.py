# SPDX-License-Identifier: Apache-2.0
"""A consumer as a cloud would be one: MQTT over mutual TLS, persistent session, QoS 1. It records
everything and judges nothing; tests/tools/history.py does that afterwards."""

import ssl
import threading
from dataclasses import dataclass

import paho.mqtt.client as mqtt

from tests.tools.child import boot_seconds, wait_until


@dataclass(frozen=True)
class Arrival:
    received: float  # boot-time seconds
    topic: str
    payload: bytes


def mutual_tls(broker, certificate):
    """Checks the broker's name and chain, and shows our own certificate."""
    context = ssl.create_default_context(cafile=str(broker.ca.file))
    context.load_cert_chain(str(certificate.certificate_file), str(certificate.key_file))
    return context


class Consumer:
    """`on_arrival`, if given, runs on the network thread for every message."""

    def __init__(self, broker, certificate, *, topics=("fieldpost/+/+",), client_id="consumer",
                 on_arrival=None):
        self.broker = broker
        self.arrivals = []
        self._topics = topics
        self._on_arrival = on_arrival
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self.connects = 0
        self._client = mqtt.Client(client_id=client_id, clean_session=False,
                                   protocol=mqtt.MQTTv311)
        self._client.tls_set_context(mutual_tls(broker, certificate))
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._received
        self._client.on_disconnect = lambda *_: self._subscribed.clear()

    def start(self, seconds=15):
        self._client.connect_async(self.broker.host, self.broker.port, keepalive=10)
        self._client.loop_start()
        if not self._subscribed.wait(seconds):
            raise TimeoutError(f"the consumer could not subscribe at {self.broker.url}")
        return self

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def count(self):
        return len(self.arrivals)

    def snapshot(self):
        with self._lock:
            return list(self.arrivals)

    def wait_for_count(self, count, seconds, what=None):
        wait_until(lambda: self.count >= count, seconds,
                   what or f"{count} messages at the consumer (has {self.count})")

    def wait_subscribed(self, seconds=20):
        if not self._subscribed.wait(seconds):
            raise TimeoutError(f"the consumer did not come back to {self.broker.url}")

    def _connected(self, client, _userdata, _flags, code):
        if code == 0:
            self.connects += 1
            client.subscribe([(topic, 1) for topic in self._topics])

    def _received(self, _client, _userdata, message):
        if message.topic.endswith("/presence"):
            return  # no readings: the agent says that it is there
        arrival = Arrival(boot_seconds(), message.topic, message.payload)
        with self._lock:
            self.arrivals.append(arrival)
        if self._on_arrival:
            self._on_arrival(arrival)
