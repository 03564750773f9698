# SPDX-License-Identifier: Apache-2.0
"""`fieldpost run` without a broker: it samples, keeps, answers, refuses a second one, and stops."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.tools.agent import Agent, find_binary, ramp_source
from tests.tools.child import wait_until


@pytest.fixture
def agent(tmp_path):
    agent = Agent(find_binary(), tmp_path / "agent", name="gw", sections={
        **ramp_source(series=2), "sampling": {"default_sources": False}})
    yield agent
    agent.abandon()


def wait_for_status(agent, condition, seconds=20):
    wait_until(agent.socket.exists, seconds, "the control socket")
    return wait_until(lambda: (lambda status: status if condition(status) else None)(agent.status()),
                      seconds, "the status wanted")


def test_status_shows_device_sources_and_outbox(agent):
    with agent:
        status = wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 10)
        assert status["device"] == "gw" and status["process_id"] == agent.pid
        proof = next(source for source in status["sources"] if source["name"] == "proof")
        assert proof["state"] == "working" and proof["samples"] == 2 * proof["reads"]
        assert status["link"]["configured"] is False
        page = agent.command("status", "--config", agent.configuration_file)
        assert page.returncode == 0 and page.stderr == ""
        assert page.stdout.startswith("device    gw, fieldpost ")
        assert "\nproof " in page.stdout
        by_socket = agent.command("status", "--socket", agent.socket)
        assert by_socket.returncode == 0


def test_a_second_agent_on_one_state_directory_is_refused_in_one_line(agent):
    with agent:
        wait_for_status(agent, lambda s: True)
        second = agent.command("run", "--config", agent.configuration_file)
        assert second.returncode == 1 and second.stdout == ""
        assert second.stderr == (
            f"fieldpost run: {agent.configuration_file}: another fieldpost (process {agent.pid}) uses "
            f"{agent.state_directory}; stop it, or give this one its own [device] state_directory\n")
        assert agent.status()["process_id"] == agent.pid, "the first one's socket was taken away"


def test_sighup_applies_a_configuration_that_is_right(agent):
    with agent:
        before = wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
        agent.sections["source.more"] = {"driver": "simulated", "series": 3}
        agent.write_configuration()
        agent.reload()
        after = wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
        assert "more" in [source["name"] for source in after["sources"]]
        assert after["process_id"] == before["process_id"] == agent.pid
        assert after["store"]["epoch"] == before["store"]["epoch"]
        assert Path(f"/proc/{agent.pid}/comm").read_text().strip() == "fieldpost"
        descriptors = len(os.listdir(f"/proc/{agent.pid}/fd"))
        for _ in range(3):
            agent.reload()
            wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
        assert len(os.listdir(f"/proc/{agent.pid}/fd")) <= descriptors + 1, "descriptors are left over"


@pytest.mark.parametrize("wrong", [
    lambda agent: agent.configuration_file.write_text("[log]\nlevle = 1\n"),
    lambda agent: agent.configuration_file.unlink(),
    lambda agent: agent.configuration_file.write_text(
        agent.configuration_text() + '[broker]\nurl = "mqtts://b"\ncertificate_file = "c.pem"\nkey_file = "c.key"\n'),
], ids=["misspelt", "absent", "certificate that is none"])
def test_sighup_with_a_wrong_configuration_leaves_the_running_one(agent, wrong):
    (agent.folder / "c.pem").write_text("no certificate\n")
    (agent.folder / "c.key").write_text("no key\n")
    (agent.folder / "c.key").chmod(0o600)
    with agent:
        before = wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
        wrong(agent)
        os.kill(agent.pid, signal.SIGHUP)
        line = agent.wait_for_log("configuration refused, the running one stays")
        assert str(agent.configuration_file) in line
        status = wait_for_status(
            agent, lambda s: s["store"]["durable_readings"] > before["store"]["durable_readings"])
        assert status["uptime_seconds"] > before["uptime_seconds"]
        assert agent.log_line_with("stopping") is None and agent.log_line_with("beginning anew") is None


def test_a_stop_during_a_reload_is_a_stop(agent):
    with agent:
        wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
        os.kill(agent.pid, signal.SIGHUP)
        os.kill(agent.pid, signal.SIGTERM)
        assert agent.wait_for_end(15) == 0


def test_a_reload_while_starting_is_not_its_end(agent):
    """SIGHUP ends a process that has not asked for it."""
    with agent:
        wait_until(lambda: agent.log_line_with("starting"), 10, "a first line", every=0.001)
        for _ in range(20):
            os.kill(agent.pid, signal.SIGHUP)
            time.sleep(0.01)
        agent.wait_for_log("beginning anew")
        time.sleep(1)  # it may begin anew a second time
        wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)


def test_sigterm_stops_in_order_and_removes_the_socket(agent):
    agent.start()
    wait_for_status(agent, lambda s: s["store"]["durable_readings"] > 0)
    began = time.monotonic()
    agent.stop()
    assert time.monotonic() - began < 6
    assert not agent.socket.exists()
    assert agent.log_line_with("stopping") and agent.log_line_with("stopped")
    with agent:
        # The store opens on its worker, a moment after the socket answers.
        wait_for_status(agent, lambda s: sum(lane["waiting_readings"] for lane in s["store"]["lanes"].values()) > 0)


def test_systemd_is_told_ready_and_stopping(agent, tmp_path, monkeypatch):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    agent.start()
    assert notify.recv(256).startswith(b"READY=1\n")
    assert [notify.recv(256) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    agent.stop()
    rest = [notify.recv(256)]
    while rest[-1] != b"STOPPING=1":
        rest.append(notify.recv(256))


def test_systemd_is_told_of_a_reload(agent, tmp_path, monkeypatch):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with agent:
        assert notify.recv(256).startswith(b"READY=1\n")
        agent.reload()
        assert notify.recv(256).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert notify.recv(256).startswith(b"READY=1\n")
        agent.configuration_file.write_text("[")
        os.kill(agent.pid, signal.SIGHUP)
        assert notify.recv(256) == b"STATUS=running; the new configuration was refused"
