# SPDX-License-Identifier: Apache-2.0
"""A made-up device of a fleet: it holds the jobs and shadow conversation as a plain device does, and behaves oddly on
demand. For the server's tests; the agent's own engine is tested with the agent."""

import json
import threading

import paho.mqtt.client as mqtt

from tests.tools.child import wait_until
from tests.tools.consumer import mutual_tls


class FleetDevice:
    """`outcome(job)` gives the status that it reports for an execution ("SUCCEEDED" unless told otherwise), or None: it never
    reports. All that it was told is in `told`, as (place, document)."""

    def __init__(self, broker, certificate, name, outcome=lambda job: "SUCCEEDED", *, prefix="fieldpost", works=True):
        self.name = name
        self.outcome = outcome
        self.works = works
        self.runs = []
        self.told = []
        self._broker = broker
        self._base = f"{prefix}/{name}/"
        self._subscribed = threading.Event()
        self._client = mqtt.Client(client_id=name, protocol=mqtt.MQTTv311)
        self._client.tls_set_context(mutual_tls(broker, certificate))
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.will_set(self._base + "presence", json.dumps({"v": 1, "online": False}), qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._ready
        self._client.on_message = self._received

    def start(self):
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()
        return self

    def wait_subscribed(self, seconds=30):
        if not self._subscribed.wait(seconds):
            raise TimeoutError(f"{self.name} could not subscribe")
        return self

    def stop(self):
        self.say("presence", {"v": 1, "online": False}, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self):
        """As if its power went: no goodbye, so the broker says its will."""
        self._client._sock_close()  # pylint: disable=protected-access
        self._client.loop_stop()

    def __enter__(self):
        return self.start().wait_subscribed()

    def __exit__(self, *_):
        self.stop()

    def say(self, place, document, retain=False):
        payload = document if isinstance(document, (str, bytes)) else json.dumps(document)
        return self._client.publish(self._base + place, payload, qos=1, retain=retain)

    def ask(self, place, document, seconds=30):
        """What the server answers: (accepted or rejected, document). Requests of one place are asked one by one."""
        before = len(self.told)
        self.say(place, document)
        return wait_until(lambda: next(((at.rsplit("/", 1)[1], answer) for at, answer in self.told[before:]
                                        if at in (f"{place}/accepted", f"{place}/rejected")), None),
                          seconds, f"an answer to {self.name} on {place}")

    def heard(self, place):
        return [document for at, document in self.told if at == place]

    def _connected(self, client, *_):
        client.subscribe([(self._base + filter_, 1) for filter_ in (
            "jobs/notify", "jobs/notify-next", "jobs/+/accepted", "jobs/+/rejected", "jobs/+/+/accepted", "jobs/+/+/rejected",
            "shadow/+/accepted", "shadow/+/rejected", "shadow/update/delta")])

    def _ready(self, *_):
        self.say("presence", {"v": 1, "online": True, "version": "stand-in", "started": "2026-11-21T00:00:00Z"}, retain=True)
        self._subscribed.set()
        if self.works:
            self.say("jobs/start-next", {})

    def _received(self, _client, _userdata, message):
        place = message.topic[len(self._base):]
        document = json.loads(message.payload)
        self.told.append((place, document))
        if not self.works:
            return
        if place == "jobs/notify-next" and document.get("execution", {}).get("status") == "QUEUED":
            self.say("jobs/start-next", {})
        if place == "jobs/start-next/accepted" and "execution" in document:
            self._run(document["execution"])

    def _run(self, execution):
        if execution["jobId"] not in self.runs:
            self.runs.append(execution["jobId"])
        status = self.outcome(execution)
        if status is not None:
            self.say(f"jobs/{execution['jobId']}/update",
                     {"status": status, "expectedVersion": execution["versionNumber"],
                      "executionNumber": execution["executionNumber"], "statusDetails": {"by": "stand-in"}})
