# SPDX-License-Identifier: Apache-2.0
"""`fieldpost provision --est` and renewal by the agent, against a strict EST server over HTTPS."""

import pytest

from tests.doubles.est_server import EstServer
from tests.end_to_end.test_provision import RAMPS, asked, assert_in_use_and_whole, known, provision
from tests.support.test_ca import DAY
from tests.tools.child import wait_until
from tests.tools.ports import free_port

USERS = {"factory": "open sesame"}


@pytest.fixture
def enrolling(road):
    """An agent without identity, and the words of a factory."""
    agent = road.agent(certificate=None, sections=RAMPS)
    word = agent.folder / "est.password"
    word.write_text("open sesame\n")
    word.chmod(0o600)
    return road, agent, ["--est-user", "factory", "--est-password-file", word]


def est(road, **options):
    return EstServer(road.authority, road.scratch.folder("est"), port=free_port(), users=USERS, **options)


def test_from_a_password_to_readings(enrolling):
    road, agent, words = enrolling
    with est(road) as server:
        assert "in use" in provision(agent, "--est", server.url, *words).stdout
    assert server.issued == [("simpleenroll", "CN=proof-1")] and server.refusals == []
    assert known(agent)["current"]["subject"] == "CN=proof-1"
    assert_in_use_and_whole(agent)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings under the new identity")
    road.assert_all_well(agent)


def test_the_batch_certificate_enrols_and_the_device_certificate_renews(enrolling):
    road, agent, _ = enrolling
    batch = road.authority.client("batch")
    with est(road, chunked=True) as server:
        provision(agent, "--est", server.url, "--claim-certificate", batch.certificate_file, "--claim-key", batch.key_file)
        first = known(agent)["current"]
        provision(agent, "--est", server.url + "/.well-known/est/")
    assert [operation for operation, _ in server.issued] == ["simpleenroll", "simplereenroll"]
    assert known(agent)["current"]["serial"] != first["serial"]
    assert_in_use_and_whole(agent)


def test_a_ca_that_decides_by_hand_is_asked_again_in_its_time(enrolling):
    road, agent, words = enrolling
    with est(road, pending=2) as server:
        provision(agent, "--est", server.url, *words)
    assert server.refusals == [202, 202] and len(server.issued) == 1


def test_who_may_not_ask_is_told(enrolling):
    road, agent, _ = enrolling
    wrong = agent.folder / "wrong.password"
    wrong.write_text("open barley")
    wrong.chmod(0o644)
    with est(road) as server:
        assert "401" in provision(agent, "--est", server.url, code=1).stderr
        words = ["--est-user", "factory", "--est-password-file", wrong]
        assert "others can read" in provision(agent, "--est", server.url, *words, code=1).stderr
        wrong.chmod(0o600)
        assert "401" in provision(agent, "--est", server.url, *words, code=1).stderr
        assert "404" in provision(agent, "--est", server.url + "/elsewhere", code=1).stderr
    assert known(agent)["pending"]["generation"] == 1


@pytest.mark.parametrize("spoil, part", [
    ("content-type", "no PKCS#7"), ("another-key", "another key"), ("expired", "expired"), ("truncated", "hung up"),
    ("two-lengths", "Content-Length"), ("no-certificate", "none of a device"), ("not-base64", "no PKCS#7"), ("endless", "larger than"),
])
def test_an_answer_that_is_wrong_is_refused_and_the_right_one_taken_later(enrolling, spoil, part):
    road, agent, words = enrolling
    with est(road, spoil=spoil) as server:
        assert part in provision(agent, "--est", server.url, *words, code=1).stderr
        state = known(agent)
        assert "current" not in state and "age" not in state["pending"]
        server.spoil = None
        provision(agent, "--est", server.url, *words)
    assert_in_use_and_whole(agent)


def test_redirects_are_followed_with_care(enrolling):
    road, agent, words = enrolling
    with est(road) as server, est(road, redirect=server.url) as other:
        # cacerts may come from elsewhere; what bears a password may not go there.
        assert "sends what we post on" in provision(agent, "--est", other.url, *words, code=1).stderr
        other.redirect = f"http://localhost:{server.port}"
        assert "without TLS" in provision(agent, "--est", other.url, *words, code=1).stderr
        other.redirect = other.url
        assert "may not follow" in provision(agent, "--est", other.url, *words, code=1).stderr
    assert server.issued == []


def test_a_server_of_a_strange_authority_is_not_trusted(enrolling):
    from tests.tools.certificates import CertificateAuthority
    road, agent, words = enrolling
    stranger = CertificateAuthority(road.scratch.folder("stranger"), name="Stranger")
    with EstServer(stranger, road.scratch.folder("strange-est"), port=free_port(), users=USERS) as server:
        assert "leads up to" in provision(agent, "--est", server.url, *words, code=1).stderr
        # It is trusted for the enrolment, but the broker does not take what it signs.
        answer = provision(agent, "--est", server.url, "--est-ca", stranger.file, *words, code=1)
    assert "did not take it" in answer.stderr


def test_the_agent_renews_by_itself(road):
    with est(road, silent=1, pending=1) as server:
        agent = road.agent(certificate=None, sections={**RAMPS, "identity": {"authority": "est", "est_url": server.url}})
        provision(agent, "--install", asked(agent, road.authority, starts=-8 * DAY, lasts=9 * DAY))
        first = known(agent)["current"]
        with agent:
            # After the server that hung up: a minute; then 202.
            wait_until(lambda: agent.status()["identity"].get("renewals") == 1, 150, "the renewal")
            arrived = len(road.messages())
            road.wait_for(lambda messages: len(messages) >= arrived + 3, 60, "readings after the renewal")
    assert server.issued == [("simplereenroll", "CN=proof-1")]
    assert known(agent)["current"]["serial"] != first["serial"]
    assert_in_use_and_whole(agent)
    road.assert_all_well(agent)


def test_words_that_do_not_fit_together(enrolling):
    _, agent, words = enrolling
    provision(agent, *words, code=2)
    provision(agent, "--est", "https://localhost", *words[:2], code=2)
    provision(agent, "--est", "https://localhost", "--claim", "x", code=2)
    assert "https://" in provision(agent, "--est", "localhost", code=1).stderr
