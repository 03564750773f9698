# SPDX-License-Identifier: Apache-2.0
"""`fieldpost provision --dps` against a double of Azure's provisioning service; the hub is a real mosquitto, as a gateway before it."""

import json
import socket
import ssl
import struct

import pytest

from tests.doubles.azure_dps import AzureDps
from tests.end_to_end.test_provision import RAMPS, asked, assert_in_use_and_whole, known, provision
from tests.tools.child import wait_until
from tests.tools.ports import free_port

SCOPE = "0ne00ABCDEF"
AZURE = {**RAMPS, "cloud": {"profile": "azure", "hub": "unassigned.azure-devices.net"}}


def dps(road, **options):
    return AzureDps(road.authority, road.scratch.folder("dps"), port=free_port(), **options)


def agent_of(road):
    return road.agent(certificate=None, sections=AZURE)


def assignment(agent):
    return json.loads((agent.state_directory / "identity" / "azure.json").read_text())


def test_the_devices_own_certificate_registers_it(road):
    agent = agent_of(road)
    with dps(road, throttle=1, drop=1) as service:
        assert "no certificate that attests" in provision(agent, "--dps", SCOPE, "--dps-host", service.host, code=1).stderr
        provision(agent, "--install", asked(agent, road.authority), "--unproved")
        said = provision(agent, "--dps", SCOPE, "--dps-host", service.host).stdout
        assert "assigned to hub-7.azure-devices.net as proof-1" in said
    assert service.assigned == ["proof-1"] and service.refusals == []
    assert assignment(agent) == {"hub": "hub-7.azure-devices.net", "device_id": "proof-1", "scope_id": SCOPE}
    assert known(agent)["azure"] == assignment(agent)
    assert "assigned to hub-7" in provision(agent).stdout
    with agent:
        wait_until(lambda: agent.status()["link"]["connects"] > 0, 60, "the hub's connection")


def test_a_batch_certificate_has_the_devices_own_issued(road):
    agent = agent_of(road)
    batch = road.authority.client("proof-1")
    words = ["--dps", SCOPE, "--claim-certificate", batch.certificate_file, "--claim-key", batch.key_file]
    with dps(road, issuer=road.authority) as service:
        provision(agent, *words, "--dps-host", service.host)
    assert service.refusals == []
    assert known(agent)["current"]["subject"] == "CN=proof-1"
    assert_in_use_and_whole(agent)


@pytest.mark.parametrize("options, part", [
    ({"known": ()}, "401002, no such enrolment"), ({"ending": "failed"}, "no hub left (status failed)"),
    ({"ending": "disabled"}, "status disabled"), ({"scope": "other"}, "not authori"),
], ids=["unknown", "failed", "disabled", "scope"])
def test_a_refusal_is_said_and_nothing_is_assigned(road, options, part):
    agent = agent_of(road)
    provision(agent, "--install", asked(agent, road.authority), "--unproved")
    with dps(road, polls=0, **options) as service:
        said = provision(agent, "--dps", SCOPE, "--dps-host", service.host, code=1).stderr
    assert part in said
    assert not (agent.state_directory / "identity" / "azure.json").exists()


def test_another_name_of_the_device_is_said(road):
    agent = agent_of(road)
    provision(agent, "--install", asked(agent, road.authority), "--unproved")
    with dps(road, polls=0, device="dev-9") as service:
        assert 'name = "dev-9"' in provision(agent, "--dps", SCOPE, "--dps-host", service.host).stderr


def test_it_needs_the_profile(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    assert "azure" in provision(agent, "--dps", SCOPE, code=1).stderr
    provision(agent, "--dps-host", "x", code=2)


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def say_hello(service, road, name="proof-1", client="proof-1", username=f"{SCOPE}/registrations/proof-1/api-version=2019-03-31", flags=0x82):
    """A bare CONNECT; the double's CONNACK code, or None where it hung up."""
    certificate = road.authority.client(name)
    context = ssl.create_default_context(cafile=str(road.authority.file))
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    body = text("MQTT") + bytes([4, flags, 0, 60]) + text(client) + text(username)
    with socket.create_connection(("127.0.0.1", service.port), 30) as plain, context.wrap_socket(plain, server_hostname="localhost") as stream:
        stream.sendall(bytes([0x10, *([len(body)] if len(body) < 128 else [len(body) % 128 | 128, len(body) // 128])]) + body)
        answer = stream.recv(4)
        return answer[3] if len(answer) == 4 else None


def test_the_double_is_as_strict_as_the_service(road):
    with dps(road) as service:
        assert say_hello(service, road) == 0
        assert say_hello(service, road, username=f"{SCOPE}/registrations/proof-1") == 5
        assert say_hello(service, road, username=f"{SCOPE}/registrations/proof-1/api-version=1999-01-01") == 5
        assert say_hello(service, road, username="other/registrations/proof-1/api-version=2019-03-31") == 5
        assert say_hello(service, road, name="somebody") == 5
        assert say_hello(service, road, client="other") == 5
        assert say_hello(service, road, flags=0x80) is None
