# SPDX-License-Identifier: Apache-2.0
"""What goes wrong says so in one clear line that tells what to do (done-list of the first issue)."""

import re

import pytest

from tests.tools.agent import ramp_source
from tests.tools.broker import Broker
from tests.tools.certificates import CertificateAuthority
from tests.tools.child import wait_until
from tests.tools.ports import free_port

RAMPS = ramp_source(series=1)


def complaints(agent):
    """All warn and error lines of the newest run, without their times."""
    lines = []
    for line in agent.log_lines():
        match = re.match(r"\S+ (warn|error) (.*)", line)
        # A machine busy with other work makes any task slow; that says nothing about the refusal.
        if match and not match.group(2).startswith("slow task"):
            lines.append(match.group(2))
    return lines


def one_complaint(agent, *parts, seconds=15):
    """The agent runs on and samples, and says one thing, with all of `parts` in it."""
    with agent:
        wait_until(lambda: complaints(agent), seconds, "a complaint")
        wait_until(agent.durable_segments, seconds, "readings made durable all the same")
        # The next attempts must not say it again.
        wait_until(lambda: agent.status()["link"]["failures"] >= 3, seconds, "three attempts")
        found = complaints(agent)
    print(found[0])
    assert len(found) == 1, f"expected one line, got {found}"
    for part in parts:
        assert part in found[0], f"{part!r} is not in {found[0]!r}"
    return found[0]


def one_line_and_exit(agent, *parts, seconds=15):
    """The agent does not start, and says one thing on standard error."""
    agent.start()
    code = agent.wait_for_end(seconds)
    lines = [line for line in agent.log_lines() if line.strip()]
    assert code not in (0, 99), f"exit code {code}: {lines}"
    assert len(lines) == 1, f"expected one line, got {lines}"
    print(lines[0])
    for part in parts:
        assert part in lines[0], f"{part!r} is not in {lines[0]!r}"
    return lines[0]


def test_a_broker_with_the_wrong_name(road):
    other = Broker(road.scratch.folder("other"), road.authority,
                   certificate=road.authority.server("elsewhere.example", None))
    with other:
        agent = road.agent(broker=None, url=other.url, ca_file=road.authority.file, sections=RAMPS)
        one_complaint(agent, "localhost", "elsewhere.example", "server_name")


def test_a_broker_of_an_unknown_authority(road):
    stranger = CertificateAuthority(road.scratch.folder("stranger"), name="Stranger")
    with Broker(road.scratch.folder("other"), stranger) as other:
        agent = road.agent(broker=None, url=other.url, ca_file=road.authority.file, sections=RAMPS)
        one_complaint(agent, "localhost", "Stranger Root", "ca_file")


def test_a_closed_port(road):
    port = free_port()
    agent = road.agent(broker=None, url=f"mqtts://localhost:{port}", ca_file=road.authority.file,
                       sections=RAMPS)
    one_complaint(agent, f"localhost:{port}", "refused")


def test_no_client_certificate_where_the_broker_wants_one(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    one_complaint(agent, "certificate_file")


def test_a_certificate_file_that_is_not_there(road):
    agent = road.agent(sections={**RAMPS, "broker": {"certificate_file": "/nowhere/device.pem"}})
    one_line_and_exit(agent, str(agent.configuration_file), "certificate_file", "/nowhere/device.pem")


def test_a_key_that_everybody_may_read(road):
    agent = road.agent(sections=RAMPS)
    key = agent.sections["broker"]["key_file"]
    key.chmod(0o644)
    try:
        one_line_and_exit(agent, "key_file", "chmod 600")
    finally:
        key.chmod(0o600)


def test_a_misspelt_key_in_the_configuration(road):
    agent = road.agent(sections={**RAMPS, "outbox": {"flush_intervall": "1s"}})
    line = one_line_and_exit(agent, "flush_intervall", "flush_interval")
    number = next(number for number, text in
                  enumerate(agent.configuration_text().splitlines(), start=1)
                  if text.startswith("flush_intervall"))
    assert f"{agent.configuration_file}:{number}:" in line


def test_a_configuration_that_is_not_there(road):
    agent = road.agent(sections=RAMPS)
    agent.configuration_file.unlink()
    one_line_and_exit(agent, str(agent.configuration_file))


@pytest.mark.parametrize("key, value, part", [
    ("url", "http://localhost:8883", "mqtts://"),
    ("url", "mqtt://localhost:1883", "plaintext_allowed"),
])
def test_an_address_that_cannot_be_used(road, key, value, part):
    agent = road.agent(sections={**RAMPS, "broker": {key: value}})
    one_line_and_exit(agent, key, part)


def test_the_status_of_an_agent_that_does_not_run(road):
    agent = road.agent(sections=RAMPS)
    answer = agent.command("status", "--config", agent.configuration_file)
    assert answer.returncode not in (0, 99)
    lines = (answer.stdout + answer.stderr).strip().splitlines()
    assert len(lines) == 1 and str(agent.socket) in lines[0], lines
