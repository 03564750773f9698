# SPDX-License-Identifier: Apache-2.0
"""A made-up agent, for testing the tests: it delivers a known history, and lies on demand. Never used
in place of the real agent."""

import copy
import json

import paho.mqtt.client as mqtt

from tests.tools import message as wire
from tests.tools.consumer import Arrival, mutual_tls
from tests.tools.history import DurableSegment, History, Run

EPOCH = "00000000000000aa"
DEVICE = "stand-in"
START = 1000.0
READ_EVERY = 0.1
FLUSH = 0.2


def good_history(runs=3, segments_per_run=6, series=4):
    """Some runs, each killed right after its last commit; one segment in five is sent twice."""
    history = History(runs=[], arrivals=[], flush_interval=FLUSH)
    seq = 0
    for number in range(runs):
        started = START + 100 * number
        run = Run(started=started, ended=0, killed=True, ramp_series=series, ramp_interval=READ_EVERY)
        value = 0
        now = started
        for _ in range(segments_per_run):
            samples = []
            for _ in range(int(FLUSH / READ_EVERY)):
                now += READ_EVERY
                samples += [(index, now, value) for index in range(series)]
                value += 1
            seq += 1
            document = document_of(seq, samples, series)
            run.durable.append(DurableSegment(EPOCH, seq, "live", len(samples), at=now + 0.01))
            history.arrivals.append(arrival_of(document, now))
            if seq % 5 == 0:
                history.arrivals.append(arrival_of(document, now))
        run.ended = now + 0.15
        history.runs.append(run)
    return history


def document_of(seq, samples, series):
    """A message as the schema has it; `samples` are (series index, boot-time seconds, value)."""
    start = samples[0][1]
    times = [sorted({round((at - start) * 1000) for _, at, _ in samples})]
    return {
        "v": 1, "device": DEVICE, "epoch": EPOCH, "seq": seq, "lane": "live",
        "boot": "01234567-89ab-cdef-0123-456789abcdef",
        "time": {"boot_ms": round(start * 1000), "start": "2026-11-20T12:00:00.000Z", "error_ms": 1,
                 "trusted": True},
        "series": [{"name": "fieldpost_simulated_value",
                    "labels": {"instance": "proof", "shape": "ramp", "index": str(index)},
                    "unit": "", "kind": "counter",
                    "samples": {"t": 0, "v": [value for which, _, value in samples if which == index]}}
                   for index in range(series)],
        "times": times,
    }


def arrival_of(document, at=0.0):
    return Arrival(at, f"fieldpost/{document['device']}/{document['lane']}",
                   json.dumps(document).encode())


# Lies. Each takes a history and returns a worse one; the checker must notice.

def changed(history, position, change):
    """The history with `change` done to the document of one arrival."""
    worse = copy.deepcopy(history)
    arrival = worse.arrivals[position]
    document = json.loads(arrival.payload)
    change(document)
    worse.arrivals[position] = Arrival(arrival.received, arrival.topic, json.dumps(document).encode())
    return worse


def unrepeated(history):
    """Positions of arrivals that came once, bear readings of a ramp and are known from the agent's log
    (a kill may take the line); not the first and not the last message."""
    logged = {segment.seq for run in history.runs for segment in run.durable}
    payloads = [arrival.payload for arrival in history.arrivals]

    def fit(arrival):
        message = wire.parse(arrival.topic, arrival.payload)
        return message.seq in logged and any(sample.is_ramp for sample in message.samples)
    return [position for position, arrival in enumerate(history.arrivals)
            if 0 < position < len(payloads) - 1 and payloads.count(arrival.payload) == 1 and fit(arrival)]


def first_samples_of(document):
    """Of a ramp."""
    return next(entry["samples"] for entry in document["series"]
                if "samples" in entry and entry["labels"].get("shape") == "ramp")


def alter_first_ramp_value(document, by):
    first_samples_of(document)["v"][0] += by


def remove_one_sample(document):
    """The newest sample of the first series."""
    samples = first_samples_of(document)
    document["times"].append(document["times"][samples["t"]][:-1])
    samples["t"] = len(document["times"]) - 1
    del samples["v"][-1]


def add_gap(document, seq, readings, epoch=None):
    document.setdefault("gaps", []).append(
        {"cause": "quota", "lane": "live", "readings": readings, "epoch": epoch or document["epoch"], "first_seq": seq, "last_seq": seq,
         "start": 0, "end": 0})


def publish(broker, certificate, arrivals):
    """Sends the messages over mutual TLS at QoS 1, and returns when all are acknowledged."""
    client = mqtt.Client(client_id=DEVICE, protocol=mqtt.MQTTv311)
    client.tls_set_context(mutual_tls(broker, certificate))
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        for arrival in arrivals:
            client.publish(arrival.topic, arrival.payload, qos=1).wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()
