# SPDX-License-Identifier: Apache-2.0
"""Jobs from the cloud to the device's programs and back: the real agent, a real mosquitto, and a double of AWS IoT Jobs, below AWS's topics
and below a plain broker's. What counts is what the handler did: it appends a line to a file each time it is run."""

import io
import json
import random
import subprocess
import tarfile
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from tests.doubles.aws_jobs import AwsJobs
from tests.doubles.aws_shadow import AwsShadow, Behind
from tests.end_to_end.test_provision import DAY, Signer, asked, known, provision
from tests.tools.child import wait_until
from tests.tools.consumer import Consumer, mutual_tls

# Where the names of topics make no difference.
ONE_BASE = pytest.mark.parametrize("profile", ["plain"])
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

    @property
    def record_file(self):
        return self.agent.state_directory / "jobs"

    def record(self):
        return self.record_file.read_text() if self.record_file.exists() else ""

    def service(self, **options):
        return AwsJobs(self.road.broker, self.road.authority, self.base, **options)

    def cut(self):
        """The broker throws the agent out: somebody comes with its client identifier."""
        client = mqtt.Client(client_id=self.agent.name, protocol=mqtt.MQTTv311)
        client.tls_set_context(mutual_tls(self.road.broker, self.road.authority.client(self.agent.name)))
        client.connect(self.road.broker.host, self.road.broker.port)
        client.loop_start()
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
            wait_until(lambda: device.agent.status()["jobs"]["state"] == "idle", 60, "the last job closed")
            status = device.agent.status()["jobs"]
    assert [each[0] for each in execution.history] == ["IN_PROGRESS", "SUCCEEDED"]
    assert service.refusals == []
    assert [(past["job"], past["status"]) for past in status["past"]] == [(job, "SUCCEEDED") for job in ("first", "second", "third")]


@ONE_BASE
@pytest.mark.parametrize("faults", [{"throttle": 1}, {"deaf": 1}, {"silent": 1}, {"late": 3.0}, {"twice": True}, {"stale": True}],
                         ids=lambda faults: next(iter(faults)))
def test_a_service_in_trouble(device, faults):
    """Throttled, lost requests, lost answers, late, doubled, old notices in between."""
    with device.service(**faults) as service, device.agent:
        service.create("one", COUNT)
        assert_once(device, service, "one")


@ONE_BASE
def test_a_service_of_before_takes_fewer_words(device):
    """The older limit of 128 characters: the status is told all the same, and the job was run once."""
    handler(device.handlers, "talk.sh", f'#!/bin/sh\necho "$FIELDPOST_JOB" >> {device.counted}\nprintf "%0500d" 1 >&2\n')
    with device.service(detail_max=128) as service, device.agent:
        service.create("one", {"operation": "talk.sh"})
        assert assert_once(device, service, "one").details == {"reason": "all steps succeeded"}
        assert [each["code"] for each in service.refusals] == ["InvalidRequest"]


@ONE_BASE
def test_disconnected_at_every_message(device):
    """The broker throws the agent out as its question or report arrives, or as it was obeyed and the answer is due. One life of broker
    and agent for all: each case is a job, and the one after it shows that nothing of it is left."""
    messages = ["question", "IN_PROGRESS", "SUCCEEDED", "next question"]
    with device.service() as service:
        def cut_at(message, job):
            cuts = []

            def cut(_, topic, request):
                here = request.get("status")
                if topic == "$next/get":
                    here = "next question" if service.find(job).status == "SUCCEEDED" else "question"
                if message == here and not cuts:
                    cuts.append(message)
                    threading.Thread(target=device.cut).start()
            return cuts, cut
        with device.agent:
            for when in ("on_request", "on_answer"):
                for message in messages:
                    job = f"{when}-{message.replace(' ', '-')}"
                    cuts, cut = cut_at(message, job)
                    with service.between_messages():
                        service.create(job, COUNT)
                        setattr(service, when, cut)
                    assert_once(device, service, job)
                    wait_until(lambda: cuts == [message], 60, f"the message at which to cut: {job}")
                    setattr(service, when, lambda *_: None)
            service.create("last", COUNT)
            assert_once(device, service, "last")
        assert all(device.runs(each.job) == 1 for each in service.executions)


@ONE_BASE
@pytest.mark.parametrize("phase", ["taken", "acting", "over", "none"])
def test_killed_at_every_write(device, phase):
    """SIGKILL as the record says so. The job is run once at most, its end is told, and a success is one that was run."""
    with device.service() as service:
        service.create("one", {"operation": "count.sh"})
        device.agent.start()
        wait_until(lambda: f'"phase":"{phase}"' in device.record(), 60, f"phase {phase}", every=0.0005)
        device.agent.kill()
        with device.agent:
            execution = service.wait("one", "SUCCEEDED", "FAILED")
            wait_until(lambda: device.agent.status()["jobs"]["state"] == "idle", 60, "the job closed")
        assert device.runs("one") <= 1
        assert execution.status == "FAILED" or device.runs("one") == 1
        if execution.status == "FAILED":
            assert "not run again" in execution.details["reason"]
        # And handed out again, as by a service that was restored: told again, not run again.
        service.hand_out_again("one")
        with device.agent:
            service.wait("one", execution.status)
        assert service.violations == []
    assert device.runs("one") <= 1


@ONE_BASE
def test_killed_at_random_many_times(device):
    """The same without looking where: some jobs, an agent that is killed again and again."""
    jobs = [f"job-{number}" for number in range(12)]
    chance = random.Random(20261121)
    with device.service() as service:
        for job in jobs:
            service.create(job, COUNT)
        for _ in range(8):
            device.agent.start()
            time.sleep(chance.uniform(0.3, 1.5))
            device.agent.kill()
        with device.agent:
            for job in jobs:
                service.wait(job, "SUCCEEDED", "FAILED")
        succeeded = [job for job in jobs if service.find(job).status == "SUCCEEDED"]
        assert all(device.runs(job) == 1 for job in succeeded)
        assert all(device.runs(job) <= 1 for job in jobs)
        assert len(succeeded) >= len(jobs) - 8
        assert service.violations == []


@ONE_BASE
def test_the_checker_sees_a_job_that_is_run_twice(device):
    """The test of the test: an agent whose record is taken from it behind its back, by a service that forgets as well."""
    with device.service() as service:
        service.create("one", COUNT)
        with device.agent:
            service.wait("one", "SUCCEEDED")
            wait_until(lambda: device.agent.status()["jobs"]["state"] == "idle", 60, "the job closed")
        device.record_file.unlink()
        service.hand_out_again("one")
        with device.agent:
            service.wait("one", "SUCCEEDED")
            wait_until(lambda: device.runs("one") == 2, 60, "the second run")
        with pytest.raises(AssertionError):
            assert_once(device, service, "one")


@ONE_BASE
def test_a_job_in_progress_without_a_record_is_not_run(device):
    with device.service() as service:
        service.create("one", COUNT)
        service.find("one").move("IN_PROGRESS")
        device.agent.state_directory.mkdir(parents=True, exist_ok=True)
        device.record_file.write_text("fieldpost-jobs 1 00000000\nrubbish")
        with device.agent:
            assert "not run again" in service.wait("one", "FAILED").details["reason"]
    assert device.runs("one") == 0


@ONE_BASE
def test_the_end_is_told_over_restarts_until_it_is_heard(device):
    with device.service() as service:
        service.create("one", COUNT)
        service.on_request = lambda number, topic, request: setattr(service, "deaf", 10_000) if request.get("status") == "IN_PROGRESS" else None
        device.agent.start()
        service.wait("one", "IN_PROGRESS")
        wait_until(lambda: '"phase":"over"' in device.record(), 60, "the end in the record")
        for _ in range(3):
            device.agent.kill()
            device.agent.start()
            wait_until(lambda: device.agent.status()["jobs"]["state"] == "reporting", 60, "the report")
        device.agent.kill()
        service.deaf = 0
        device.agent.start()
        assert_once(device, service, "one")
        device.agent.stop()


@ONE_BASE
def test_cancelled_and_timed_out_jobs_are_stopped(road, profile):
    device = Device(road, profile, step_timeout="1m")
    handler(device.handlers, "slow.sh", f"#!/bin/sh\ntrap 'echo stopped >> {device.counted}; exit 1' TERM\n"
                                        f"echo $FIELDPOST_JOB >> {device.counted}\nsleep 1000 & wait\n")
    with device.service() as service, device.agent:
        service.create("one", {"operation": "slow.sh"})
        wait_until(lambda: device.runs("one") == 1, 60, "the handler")
        service.cancel("one")
        wait_until(lambda: device.runs("stopped") == 1, 60, "its end")
        service.create("two", COUNT)
        assert_once(device, service, "two")
        wait_until(lambda: device.agent.status()["jobs"]["state"] == "idle", 60, "the second job closed")
        past = device.agent.status()["jobs"]["past"]
        assert [(each["job"], each["status"]) for each in past] == [("one", "CANCELED"), ("two", "SUCCEEDED")]


@ONE_BASE
def test_the_step_timer_is_fed_and_runs_out_when_it_is_not(road, profile):
    """A minute of the service lasts 3 s, so that a device which tells every 20 s is too slow for it, and one that tells is in time at 60."""
    device = Device(road, profile, step_timeout="1m")
    enough = device.handlers.parent / "enough"
    handler(device.handlers, "slow.sh", f"#!/bin/sh\nwhile [ ! -e {enough} ]; do sleep 0.1; done\n")
    with device.service(minute=3.0) as service, device.agent:
        service.create("one", {"operation": "slow.sh"})
        service.wait("one", "TIMED_OUT")
        wait_until(lambda: device.agent.status()["jobs"]["state"] == "idle", 60, "the job given up")
        service.minute = 60.0
        service.create("two", {"operation": "slow.sh"})
        wait_until(lambda: [each[0] for each in service.find("two").history].count("IN_PROGRESS") >= 2, 90, "a word while it works")
        enough.touch()
        service.wait("two", "SUCCEEDED")


@ONE_BASE
def test_what_cannot_be_done_is_rejected_with_words(device):
    with device.service() as service, device.agent:
        for job, document, words in [
                ("ota", {"operation": "ota.install"}, "no operation or handler"),
                ("escape", {"operation": "../count.sh"}, "is no name of a handler"),
                ("elsewhere", {"operation": "sh", "path": "/bin"}, "not below"),
                ("program", {"version": "1.0", "steps": [{"action": {"type": "runCommand", "input": {"command": "reboot"}}}]}, "may not be run here"),
                ("future", {"version": "9", "steps": []}, "version")]:
            service.create(job, document)
            assert words in service.wait(job, "REJECTED").details["reason"]
        assert service.refusals == []


@ONE_BASE
def test_a_document_of_the_device_client(road, profile):
    """Its sample form: handlers and commands, arguments, output in the details, a failure with its last words."""
    device = Device(road, profile, commands=["echo"])
    handler(device.handlers, "talk.sh", '#!/bin/sh\necho "user=$1 first=$2"\nprintf "two\\nlines\\t\\001\\n" >&2\n')
    handler(device.handlers, "fail.sh", "#!/bin/sh\nfor i in $(seq 1000); do echo line $i >&2; done\nexit 7\n")
    with device.service() as service, device.agent:
        service.create("steps", {"version": "1.0", "includeStdOut": True, "conditions": [{"key": "operatingSystem", "value": ["Linux"]}], "steps": [
            {"action": {"name": "talk", "type": "runHandler", "input": {"handler": "talk.sh", "args": ["a b"], "path": "default"}, "runAsUser": "operator"}},
            {"action": {"name": "say", "type": "runCommand", "input": {"command": "echo,Hello\\, world"}}}],
            "finalStep": {"action": {"name": "count", "type": "runHandler", "input": {"handler": "count.sh"}}}})
        details = assert_once(device, service, "steps").details
        assert "user=operator first=a b" in details["stdout"] and "Hello, world" in details["stdout"]
        assert "two lines" in details["stderr"]
        service.create("broken", {"operation": "fail.sh"})
        details = service.wait("broken", "FAILED").details
        assert "ended with 7" in details["reason"] and "line 1000" in details["stderr"]
        assert service.refusals == []


@ONE_BASE
def test_the_agent_restarts_and_says_so_after(device):
    with device.service() as service:
        device.agent.start()
        device.agent.wait_until_up()
        service.create("again", {"operation": "agent.restart"})
        assert service.wait("again", "SUCCEEDED").details["reason"] == "the agent has begun anew"
        assert device.agent.all_log_text().count("beginning anew") == 1
        device.agent.stop()


@ONE_BASE
def test_diagnostics_arrive_whole(road, profile):
    device = Device(road, profile)
    with Consumer(road.broker, road.authority.client("archive"), topics=("fieldpost/proof-1/diagnostics/#",), client_id="archive") as archive:
        with device.service() as service, device.agent:
            service.create("look", {"operation": "diagnostics.collect"})
            details = service.wait("look", "SUCCEEDED").details
            archive.wait_for_count(int(details["parts"]), 30)
    parts = {int(each.topic.rsplit("/", 1)[1]): each.payload for each in archive.snapshot()}
    whole = b"".join(parts[number] for number in sorted(parts))
    assert len(whole) == int(details["bytes"]) and details["format"] == "tar.zst"
    plain = subprocess.run(["zstd", "-dc"], input=whole, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert json.loads(tar.extractfile("status.json").read())["device"] == "proof-1"
        assert b"[jobs]" in tar.extractfile("configuration/fieldpost.toml").read()
        assert "host/proc/meminfo" in tar.getnames()


@ONE_BASE
def test_a_configuration_is_applied_or_put_back_by_a_job(road, profile):
    device = Device(road, profile)
    device.agent.sections["cloud"] = {**device.agent.sections.get("cloud", {}), "desired_state": True, "confirm_within": "10s"}
    device.agent.write_configuration()
    with device.service() as service:
        device.agent.start()
        service.create("wrong", {"operation": "configuration.apply", "configuration": {"sampling": {"intervall": "5s"}}})
        assert "intervall" in service.wait("wrong", "REJECTED").details["reason"]
        service.create("right", {"operation": "configuration.apply", "configuration": {"sampling": {"interval": "5s"}}})
        assert service.wait("right", "SUCCEEDED", "FAILED", seconds=90).status == "SUCCEEDED"
        assert service.refusals == []
        device.agent.stop()


@ONE_BASE
def test_a_change_of_the_configuration_waits_for_the_job_that_runs(road, profile):
    device = Device(road, profile)
    go = device.counted.with_name("go")
    handler(device.handlers, "wait.sh", f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.1; done\necho "$FIELDPOST_JOB" >> {device.counted}\n')
    device.agent.sections["cloud"] = {"desired_state": True, "confirm_within": "60s"}
    device.agent.write_configuration()
    shadow = AwsShadow("fieldpost/proof-1/shadow")

    def change():
        return shadow.reported.get("change", {}).get("state")
    with device.service() as service, Behind(shadow, road.broker, road.authority) as behind, device.agent:
        device.agent.wait_until_up()
        service.create("long", {"operation": "wait.sh"})
        wait_until(lambda: device.agent.status()["jobs"]["state"] == "working", 60, "the job")
        behind.desire({"configuration": {"log": {"level": "debug"}}, "revision": "r1"})
        wait_until(lambda: change() == "armed", 60, "the change")
        time.sleep(2)  # in which it would begin anew
        assert device.agent.status()["desired"] == {"state": "armed", "revision": "r1", "desired_version": shadow.reported["change"]["desired_version"]}
        go.touch()
        assert_once(device, service, "long")
        wait_until(lambda: change() == "confirmed", 90, "the change's end")


@ONE_BASE
def test_a_certificate_is_rotated_by_a_job(road, profile):
    device = Device(road, profile)
    agent = road.agent("proof-2", certificate=None, sections={"identity": {"authority": "mqtt"}, "jobs": {}})
    provision(agent, "--install", asked(agent, road.authority, starts=-DAY, lasts=90 * DAY))
    device.base = "fieldpost/proof-2/jobs"
    first = known(agent)["current"]
    assert first["age"] == "valid"
    signer = Signer(road, agent)
    with device.service() as service, agent:
        agent.wait_until_up()
        wait_until(lambda: agent.status()["link"]["state"] == "connected", 60, "the link")
        # Once somebody listens: what is asked before is asked again only after a while.
        threading.Timer(2.0, service.create, ("rotate", {"operation": "certificate.rotate"})).start()
        request = signer.hear("request", 60)
        assert service.find("rotate").status == "IN_PROGRESS"
        signer.say(id=request["id"], certificate=signer.sign(request))
        details = service.wait("rotate", "SUCCEEDED", "FAILED").details
    second = known(agent)["current"]
    assert details == {"reason": f"in use: {second['serial']}"}
    assert second["serial"] != first["serial"]
