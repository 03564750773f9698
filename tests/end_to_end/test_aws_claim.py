# SPDX-License-Identifier: Apache-2.0
"""`fieldpost provision --claim` against a double of AWS IoT's fleet provisioning behind a real mosquitto."""

import pytest

from tests.doubles.aws_provisioning import AwsProvisioning
from tests.end_to_end.test_provision import RAMPS, asked, assert_in_use_and_whole, known, provision
from tests.support.test_ca import DAY
from tests.tools.certificates import CertificateAuthority
from tests.tools.child import wait_until


@pytest.fixture
def claiming(road):
    """An agent without identity, and the words with which it claims one."""
    agent = road.agent(certificate=None, sections=RAMPS)
    claim = road.authority.client("claim")
    words = ["--claim", "gateways", "--claim-certificate", claim.certificate_file, "--claim-key", claim.key_file]
    return road, agent, words


def aws(road, **options):
    return AwsProvisioning(road.broker, road.authority, road.scratch.folder("aws"), template="gateways", **options)


def test_from_a_claim_to_readings(claiming):
    road, agent, words = claiming
    with aws(road, thing="proof-{SerialNumber}") as service:
        provision(agent, *words, "--parameters", "SerialNumber=1")
    assert service.things == {"proof-1": {"SerialNumber": "1"}}
    assert service.refusals == []
    assert known(agent)["current"]["subject"] == "CN=proof-1"
    assert_in_use_and_whole(agent)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings under the new identity")
    road.assert_all_well(agent)


def test_a_name_given_by_the_cloud_is_said(claiming):
    road, agent, words = claiming
    with aws(road):
        answer = provision(agent, *words, "--parameters", "SerialNumber=77")
    assert 'name = "thing-77"' in answer.stderr


@pytest.mark.parametrize("parameters, part", [
    ([], "the template wants"),
    (["--parameters", "SerialNumber=1,Model=B"], "the template wants"),
    (["--parameters", "SerialNumber=stolen"], "the pre-provisioning hook says no"),
], ids=["too few", "too many", "hook"])
def test_a_refusal_is_said_and_leaves_the_key_for_the_next_try(claiming, parameters, part):
    road, agent, words = claiming
    with aws(road):
        assert part in provision(agent, *words, *parameters, code=1).stderr
        state = known(agent)
        assert "current" not in state and state["pending"]["generation"] == 1
        provision(agent, *words, "--parameters", "SerialNumber=1")
    assert known(agent)["current"]["generation"] == 1


def test_a_throttled_and_a_lost_answer_are_asked_for_again(claiming):
    road, agent, words = claiming
    with aws(road, throttle=1, silent=1) as service:
        provision(agent, *words, "--parameters", "SerialNumber=1")
    assert [refusal["statusCode"] for refusal in service.refusals] == [429]


def test_a_certificate_that_could_not_be_proved_is_not_asked_for_again(claiming):
    road, agent, words = claiming
    stranger = CertificateAuthority(road.scratch.folder("stranger"), name="Stranger")
    with aws(road, signer=stranger) as service:
        for _ in range(2):
            assert "did not take it" in provision(agent, *words, "--parameters", "SerialNumber=1", code=1).stderr
            assert known(agent)["pending"]["subject"] == "CN=proof-1"
        provision(agent, *words, "--parameters", "SerialNumber=1", "--unproved")
    assert known(agent)["current"]["generation"] == 1
    assert len(service.tokens) == 1


def test_words_that_do_not_fit_together(claiming):
    _, agent, words = claiming
    provision(agent, *words[:4], code=2)
    provision(agent, "--parameters", "a=b", code=2)
    assert "NAME=VALUE" in provision(agent, *words, "--parameters", "oops", code=1).stderr


@pytest.mark.parametrize("serial, renewed", [("1", True), ("2", False)], ids=["this thing", "another thing"])
def test_the_agent_renews_through_the_template(road, serial, renewed):
    identity = {"authority": "aws", "aws_template": "gateways", "aws_parameters": f"SerialNumber={serial}"}
    agent = road.agent(certificate=None, sections={**RAMPS, "identity": identity})
    provision(agent, "--install", asked(agent, road.authority, starts=-8 * DAY, lasts=9 * DAY))
    first = known(agent)["current"]
    with aws(road, thing="proof-{SerialNumber}", throttle=1) as service, agent:
        if renewed:
            wait_until(lambda: agent.status()["identity"].get("renewals") == 1, 120, "the renewal")
            arrived = len(road.messages())
            road.wait_for(lambda messages: len(messages) >= arrived + 3, 60, "readings after the renewal")
        else:
            wait_until(lambda: "another thing" in agent.status()["identity"]["last_error"], 120, "the refusal")
    assert service.things.keys() == {f"proof-{serial}"}
    assert (known(agent)["current"]["serial"] != first["serial"]) == renewed
    assert_in_use_and_whole(agent)


def test_a_renewal_through_aws_wants_a_template(road):
    agent = road.agent(certificate=None, sections={**RAMPS, "identity": {"authority": "aws"}})
    assert "aws_template" in provision(agent, code=1).stderr
