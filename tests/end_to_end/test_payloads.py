# SPDX-License-Identifier: Apache-2.0
"""The forms of a message: each is read by a consumer and judged as any other, and bears the same readings."""

import json

import pytest

from tests.tools.agent import ramp_source
from tests.tools.child import wait_until
from tests.tools.message import SEGMENT_MAGIC, ZSTD_MAGIC, is_native
from tests.tools.senml import is_cbor
from tests.tools.senml_documents import document_of_pack


def bytes_a_sample(road):
    arrivals = road.consumer.snapshot()
    samples = sum(len(message.samples) for message in road.messages())
    return sum(len(arrival.payload) for arrival in arrivals) / samples


@pytest.mark.parametrize("sync, looks_right", [
    ({}, lambda payload: payload.startswith(b"{") and SEGMENT_MAGIC not in payload),
    ({"compression": "zstd"}, lambda payload: payload.startswith(ZSTD_MAGIC)),
    ({"payload": "native"}, is_native),
    ({"payload": "senml+json"}, lambda payload: payload.startswith(b'[{"bn":"')),
    ({"payload": "senml+cbor"}, is_cbor),
    ({"payload": "senml+cbor", "compression": "zstd"}, lambda payload: payload.startswith(ZSTD_MAGIC)),
], ids=["json", "json and zstd", "native", "senml+json", "senml+cbor", "senml+cbor and zstd"])
def test_a_payload_arrives_in_its_form_and_nothing_is_lost(road, sync, looks_right):
    agent = road.agent(flush_interval=1, sections={**ramp_source(series=20), "self": {"enabled": False}, "sync": sync})
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 60, "three messages")
    road.settle(agent)
    road.assert_all_well(agent)
    big = [arrival.payload for arrival in road.consumer.snapshot() if len(arrival.payload) > 300]
    assert big and all(looks_right(payload) for payload in big)
    print(f"{bytes_a_sample(road):.2f} bytes a sample")


@pytest.mark.parametrize("payload", ["native", "senml+json", "senml+cbor"])
def test_every_format_catches_up_after_an_outage_and_a_sudden_death(road, payload):
    agent = road.agent(sections={**ramp_source(series=5), "sync": {"payload": payload}})
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 60, "three messages")
        road.broker.stop()
        kept = len(agent.all_durable())
        wait_until(lambda: len(agent.all_durable()) > kept + 8, 60, "segments of the outage")
        agent.kill()
        agent.start()
        road.broker.start()
        road.consumer.wait_subscribed(60)
        road.wait_until_delivered(agent, 60)
    road.settle(agent)
    road.assert_all_well(agent)


def test_a_segment_too_long_for_one_message_arrives_whole_in_several(road):
    """10,000 samples: 30 kB as a JSON message, 170 kB as SenML; messages of over 128 kB are not sent."""
    agent = road.agent(flush_interval=4, sections={**ramp_source(series=250), "self": {"enabled": False}, "sync": {"payload": "senml+json"}})
    with agent:
        wait_until(lambda: len(agent.all_durable()) >= 3, 60, "three segments")
    durable = {segment.seq: segment.readings for segment in agent.all_durable() if segment.lane == "live"}

    def segments():
        found = {}
        for arrival in road.consumer.snapshot():
            document = document_of_pack(arrival.payload)
            found.setdefault(document["seq"], {})[document.get("part", 0)] = document
        return {seq: parts for seq, parts in found.items() if seq in durable}

    def whole():
        return {seq: parts for seq, parts in segments().items() if len(parts) == next(iter(parts.values())).get("parts", 1)}
    agent.start()  # for what the two seconds of an orderly stop were too short
    try:
        wait_until(lambda: whole().keys() == durable.keys(), 60, "all parts of all segments")
    finally:
        agent.abandon()
    assert max(len(parts) for parts in whole().values()) > 1
    for seq, parts in whole().items():
        readings = [(json.dumps(series["labels"]), value)
                    for document in parts.values() for series in document.get("series", ()) for value in series["samples"]["v"]]
        assert len(readings) == len(set(readings)) == durable[seq]
    assert max(len(arrival.payload) for arrival in road.consumer.snapshot()) <= 128_000


def test_the_days_bytes_are_counted_shown_and_outlive_a_restart(road):
    agent = road.agent(flush_interval=0.2, sections={**ramp_source(series=2), "sync": {"bytes_per_day_max": "50MiB"}})
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 60, "three messages")
        used = agent.status()["sync"]["day_bytes"]
        assert used > 0
        assert "of 50.0 MiB of the day are used; a new day in 23h" in \
            agent.command("status", "--config", agent.configuration_file).stdout
    with agent:
        assert agent.status()["sync"]["day_bytes"] >= used
    road.settle(agent)
    road.assert_all_well(agent)


def test_alerts_pass_where_the_days_bytes_are_used_up(road):
    rule = {"rule": [{"name": "ramp_high", "series": "fieldpost_simulated_value", "critical_above": 60}]}
    agent = road.agent(flush_interval=0.2, sections={**ramp_source(series=2), **rule, "sync": {"bytes_per_day_max": "10KiB"}})
    with agent:
        road.wait_for(lambda messages: [event for message in messages for event in message.events if event.severity == "critical"],
                      60, "the alert, although the day's bytes are used up")
        sync, store = agent.status()["sync"], agent.status()["store"]
        assert sync["day_bytes"] > sync["day_bytes_max"] == 10_240
        assert store["lanes"]["live"]["waiting_segments"] > 0
