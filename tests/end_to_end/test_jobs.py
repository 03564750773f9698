# SPDX-License-Identifier: Apache-2.0
"""Jobs from the cloud to the device's programs and back: the real agent, a real mosquitto, and a double of AWS IoT Jobs, below AWS's topics
and below a plain broker's. What counts is what the handler did: it appends a line to a file each time it is run."""

import pytest

from tests.doubles.aws_jobs import AwsJobs

COUNT = {"operation": "count.sh"}
BASES = {"aws": "$aws/things/proof-1/jobs", "plain": "fieldpost/proof-1/jobs"}


def handler(folder, name, text):
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o700)
    return file


class Device:
    """An agent that takes jobs, and the file in which its handlers count."""

    def __init__(self, road, profile, **jobs):
        self.base = BASES[profile]
        folder = road.scratch.folder("device")
        self.counted = folder / "counted"
        self.handlers = folder / "handlers"
        handler(self.handlers, "count.sh", f'#!/bin/sh\necho "$FIELDPOST_JOB" >> {self.counted}\n')
        self.road = road
        sections = {"jobs": {"handlers_directory": self.handlers, **jobs}}
        if profile == "aws":
            # The double's names, on a broker that is none of AWS's: what `[cloud]` asks of a URL it has.
            sections["cloud"] = {"profile": "aws"}
        self.agent = road.agent(sections=sections)

    def runs(self, job):
        return self.counted.read_text().split().count(job) if self.counted.exists() else 0

    def service(self, **options):
        return AwsJobs(self.road.broker, self.road.authority, self.base, **options)

    def cut(self):
        """The broker throws the agent out: somebody comes with its client identifier."""
        import paho.mqtt.client as mqtt
        from tests.tools.consumer import mutual_tls
        client = mqtt.Client(client_id=self.agent.name, protocol=mqtt.MQTTv311)
        client.tls_set_context(mutual_tls(self.road.broker, self.road.authority.client(self.agent.name)))
        client.connect(self.road.broker.host, self.road.broker.port)
        client.loop_start()
        import time
        time.sleep(0.2)
        client.disconnect()
        client.loop_stop()


@pytest.fixture(params=["aws", "plain"])
def profile(request):
    return request.param


@pytest.fixture
def device(road, profile):
    return Device(road, profile)


def assert_once(device, service, job):
    execution = service.wait(job, "SUCCEEDED")
    assert device.runs(job) == 1
    assert service.violations == []
    return execution


def test_one_after_the_other(device):
    with device.service() as service:
        service.create("first", COUNT)
        service.create("second", COUNT)
        with device.agent:
            assert_once(device, service, "first")
            execution = assert_once(device, service, "second")
            service.create("third", COUNT)
            assert_once(device, service, "third")
            status = device.agent.status()["jobs"]
    assert [each[0] for each in execution.history] == ["IN_PROGRESS", "SUCCEEDED"]
    assert service.refusals == []
    assert [(past["job"], past["status"]) for past in status["past"]] == [(job, "SUCCEEDED") for job in ("first", "second", "third")]
