# SPDX-License-Identifier: Apache-2.0
"""`fieldpost fleet` end to end: a real broker, the real server, and devices that are made up where they must behave oddly."""

import contextlib
import json
import time

import pytest

from tests.tools.broker import Broker
from tests.tools.child import wait_until
from tests.tools.fleet import FleetServer
from tests.tools.fleet_device import FleetDevice

DOCUMENT = {"version": "1.0", "steps": []}


@pytest.fixture
def broker(scratch, authority):
    with Broker(scratch.folder("broker"), authority) as broker:
        yield broker


@pytest.fixture
def server(binary, scratch, broker, authority):
    server = FleetServer(binary, scratch.folder("fleet"), broker, authority.client("fleet"))
    with server:
        yield server


@pytest.fixture
def devices(broker, authority):
    """Made by the test, gone afterwards."""
    with contextlib.ExitStack() as stack:
        def make(name, *arguments, **options):
            return stack.enter_context(FleetDevice(broker, authority.client(name), name, *arguments, **options))
        yield make


def test_a_job_reaches_its_group_and_watch_ends_with_zero(server, devices):
    fleet = [devices(f"gw-{number}") for number in range(8)]
    wait_until(lambda: len(server.devices()) == 8, 30, "8 known devices")
    assert server.ask("group", "add", "plant", "gw-?") == "8 devices added\n"
    server.create("update-1", DOCUMENT, "--group", "plant")
    watched = server.command("job", "watch", "update-1", seconds=120)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert watched.stdout.endswith("8/8  succeeded 8\nCOMPLETED\n")
    assert all(device.runs == ["update-1"] for device in fleet)
    job = server.job("update-1")
    assert job["state"] == "COMPLETED" and job["counts"]["succeeded"] == 8
    row = server.devices()["gw-3"]
    assert row["online"] == "yes" and row["version"] == "stand-in" and row["groups"] == "plant" and "job" not in row


def test_a_device_that_is_away_gets_its_job_when_it_comes(server, devices):
    server.ask("group", "add", "late", "gw-1")
    server.create("update-1", DOCUMENT, "--group", "late")
    wait_until(lambda: server.job("update-1")["counts"]["queued"] == 1, 30, "the job being queued")
    devices("gw-1")
    assert server.wait_until_over("update-1", 60)["counts"]["succeeded"] == 1


def test_a_rollout_stops_at_its_threshold_and_says_why(server, devices):
    """The first fails: of 30 devices at 60 a minute most never hear of it."""
    for number in range(30):
        devices(f"gw-{number:02}", lambda job: "FAILED")
    wait_until(lambda: len(server.devices()) == 30, 60, "30 known devices")
    server.create("bad", DOCUMENT, "--all", "--rate", "60", "--abort-threshold", "50", "--min-executed", "3")
    watched = server.command("job", "watch", "bad", seconds=120)
    assert watched.returncode == 1
    job = server.job("bad")
    assert job["state"] == "STOPPED" and "threshold 50.00 %" in job["reason"]
    assert 3 <= job["counts"]["failed"] <= 15
    assert job["counts"]["failed"] + job["counts"]["canceled"] == 30
    assert 'FAILED {"by":"stand-in"}' in watched.stdout and "STOPPED: 100.00 %" in watched.stdout


def test_a_server_that_is_killed_goes_on_where_it_was(server, devices):
    fleet = [devices(f"gw-{number}") for number in range(8)]
    wait_until(lambda: len(server.devices()) == 8, 30, "8 known devices")
    server.create("slow", DOCUMENT, "--all", "--rate", "60")
    for _ in range(3):
        wait_until(lambda: server.job("slow")["counts"]["waiting"] > 0, 30, "the job")
        server.kill()
        time.sleep(0.3)
        server.start()
    job = server.wait_until_over("slow", 120)
    assert job["state"] == "COMPLETED" and job["counts"]["succeeded"] == 8
    # A device may be handed the same execution again; it never is another one.
    assert all(device.runs == ["slow"] for device in fleet)
    assert all(execution["executionNumber"] == 1 for device in fleet
               for execution in [answer["execution"] for answer in device.heard("jobs/start-next/accepted") if "execution" in answer])


def test_a_broker_that_went_away_delays_the_job_and_no_more(server, devices, broker):
    devices("gw-1")
    wait_until(lambda: "gw-1" in server.devices(), 30, "a known device")
    broker.stop()
    server.create("update-1", DOCUMENT, "--all")
    time.sleep(3)
    assert server.job("update-1")["counts"]["waiting"] == 1, "nobody is released who cannot be told"
    broker.start()
    assert server.wait_until_over("update-1", 90)["counts"]["succeeded"] == 1


def test_the_server_refuses_what_aws_refuses(server, devices):
    device = devices("odd-1", works=False)
    wait_until(lambda: "odd-1" in server.devices(), 30, "a known device")
    assert device.ask("jobs/get", {"clientToken": "t1"})[1].items() >= {"inProgressJobs": [], "queuedJobs": [], "clientToken": "t1"}.items()
    assert "execution" not in device.ask("jobs/start-next", {})[1]
    assert device.ask("jobs/start-next", "{nonsense")[1]["code"] == "InvalidJson"
    assert device.ask("jobs/none/update", {"status": "SUCCEEDED"})[1]["code"] == "ResourceNotFound"
    server.create("one", DOCUMENT, "--devices", "odd-1")
    wait_until(lambda: device.heard("jobs/notify-next"), 30, "notify-next")
    notice = device.heard("jobs/notify-next")[0]["execution"]
    assert notice.items() >= {"jobId": "one", "status": "QUEUED", "versionNumber": 1, "executionNumber": 1}.items() and "jobDocument" not in notice
    answer, described = device.ask("jobs/$next/get", {})
    assert answer == "accepted" and described["execution"]["jobDocument"] == DOCUMENT
    answer, wrong = device.ask("jobs/one/update", {"status": "IN_PROGRESS", "expectedVersion": 7})
    assert answer == "rejected" and wrong["code"] == "VersionMismatch" and wrong["executionState"]["versionNumber"] == 1
    answer, right = device.ask("jobs/one/update", {"status": "IN_PROGRESS", "expectedVersion": "1", "includeJobExecutionState": True})
    assert answer == "accepted" and right["executionState"]["versionNumber"] == 2
    assert device.ask("jobs/one/update", {"status": "QUEUED"})[1]["code"] == "InvalidStateTransition"
    assert server.ask("job", "cancel", "one", "--running") == "1 devices will not do it\n"
    wait_until(lambda: device.heard("jobs/notify-next")[-1].get("execution") is None, 30, "the list being empty")
    answer, late = device.ask("jobs/one/update", {"status": "SUCCEEDED", "expectedVersion": 2})
    assert late["code"] == "InvalidStateTransition" and late["executionState"]["status"] == "CANCELED"
    assert device.ask("jobs/one/get", {})[1]["code"] == "TerminalStateReached"


def test_desired_state_reaches_a_device_and_its_report_comes_back(server, devices):
    device = devices("gw-1", works=False)
    wait_until(lambda: "gw-1" in server.devices(), 30, "a known device")
    assert device.ask("shadow/get", "")[1]["code"] == 404
    assert server.ask("state", "set", "gw-1", '{"interval": "5s", "mode": {"night": true}}') == "1 devices are to be so\n"
    wait_until(lambda: device.heard("shadow/update/delta"), 30, "the delta")
    assert device.heard("shadow/update/delta")[0]["state"] == {"interval": "5s", "mode": {"night": True}}
    answer, _ = device.ask("shadow/update", {"state": {"reported": {"interval": "5s", "mode": {"night": False}}}})
    assert answer == "accepted"
    state = json.loads(server.ask("state", "get", "gw-1"))["gw-1"]
    assert state["version"] == 2 and state["state"]["delta"] == {"mode": {"night": True}}
    assert device.ask("shadow/update", {"state": {}, "version": 1})[1]["code"] == 409
    assert server.ask("state", "set", "gw-1", '{"mode": null}')
    assert "delta" not in json.loads(server.ask("state", "get", "gw-1"))["gw-1"]["state"]


def test_presence_tells_who_is_there(server, devices):
    device = devices("gw-1")
    wait_until(lambda: server.devices().get("gw-1", {}).get("online") == "yes", 30, "gw-1 being there")
    device.vanish()
    wait_until(lambda: server.devices()["gw-1"]["online"] == "no", 60, "gw-1 being gone")


def test_mistakes_of_the_operator_are_one_line(server):
    for words, line in [
        (["job", "show", "none"], 'fieldpost fleet job show: there is no job "none"'),
        (["state", "get", "none"], 'fieldpost fleet state get: there is neither a device nor a group "none"'),
        (["group", "add", "g", "x*"], 'fieldpost fleet group add: no known device matches "x*"'),
        (["devices", "--group", "none"], 'fieldpost fleet devices: there is no group "none"'),
    ]:
        answer = server.command(*words)
        assert answer.returncode == 1 and answer.stderr == line + "\n" and answer.stdout == ""
