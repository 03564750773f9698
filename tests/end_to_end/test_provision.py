# SPDX-License-Identifier: Apache-2.0
"""`fieldpost provision` with a real CA (openssl) and a real broker: from no identity to readings, renewal beside a running
agent and by the agent itself, and SIGKILL at every change that it makes to the disk."""

import itertools
import json
import os
import shutil
import subprocess
import time

import pytest

from tests.doubles.azure_dps import AzureDps
from tests.doubles.est_server import EstServer
from tests.support.test_ca import DAY
from tests.tools.agent import ramp_source, run_binary
from tests.tools.certificates import CertificateAuthority
from tests.tools.child import wait_until
from tests.tools.ports import free_port

RAMPS = ramp_source(series=1)
NOBODY = 65534
# "?": not every architecture has it.
CHANGES = "?mkdir mkdirat write fchmod fsync ?rename ?renameat renameat2 ?symlink symlinkat ?unlink unlinkat ?rmdir".split()


def provision(agent, *words, code=0):
    answer = run_binary(agent.binary, "provision", "--config", agent.configuration_file, *words, seconds=60)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer


def known(agent):
    return json.loads(provision(agent, "--format", "json").stdout)


def asked(agent, authority, **options):
    """A request made and answered; the chain's file."""
    request = agent.folder / "device.csr"
    request.write_text(provision(agent, "--request").stdout)
    return authority.answer(request, agent.folder / "device.pem", **options)


def modulus(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout


def assert_in_use_and_whole(agent):
    """Key and certificate in use belong together: what openssl says of both is the same public key."""
    place = agent.state_directory / "identity" / "current"
    assert modulus("pkey", "-in", place / "key.pem", "-pubout") == modulus("x509", "-in", place / "certificate.pem", "-noout", "-pubkey")


def test_from_no_identity_to_readings(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    assert "none yet" in provision(agent).stdout
    chain = asked(agent, road.authority)
    assert "in use" in provision(agent, "--install", chain).stdout
    state = known(agent)
    assert state["current"]["subject"] == "CN=proof-1"
    assert state["current"]["age"] == "valid" and "pending" not in state
    assert_in_use_and_whole(agent)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings under the new identity")
        assert agent.status()["identity"] == {"subject": "CN=proof-1", "not_after": state["current"]["not_after"], "age": "valid",
                                              "renewal": "", "last_error": "", "renewals": 0}
    road.assert_all_well(agent)


def test_a_renewal_beside_a_running_agent(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    provision(agent, "--install", asked(agent, road.authority))
    first = known(agent)["current"]
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings before the renewal")
        connects = agent.status()["link"]["connects"]
        provision(agent, "--install", asked(agent, road.authority))
        # The proof bears the agent's client identifier: the broker sends the agent away, and it comes back.
        wait_until(lambda: agent.status()["link"]["connects"] > connects, 60, "the agent back with its new certificate")
        arrived = len(road.messages())
        road.wait_for(lambda messages: len(messages) >= arrived + 3, 60, "readings after the renewal")
    second = known(agent)["current"]
    assert second["generation"] == first["generation"] + 1 and second["serial"] != first["serial"]
    assert not (agent.state_directory / "identity" / str(first["generation"])).exists()
    road.assert_all_well(agent)


def test_a_cloud_that_takes_the_second_connection_only(road):
    """As AWS JITP: the first connection makes the certificate known, and is dropped. Here nobody listens at first."""
    agent = road.agent(certificate=None, sections=RAMPS)
    chain = asked(agent, road.authority)
    road.broker.stop()
    with subprocess.Popen([agent.binary, "provision", "--config", agent.configuration_file, "--install", chain],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as installing:
        time.sleep(0.5)
        road.broker.start()
        said, complained = installing.communicate(timeout=60)
    assert installing.returncode == 0, complained
    assert "in use" in said


def test_an_agent_that_runs_already_takes_its_first_identity_at_a_reload(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    with agent:
        wait_until(agent.durable_segments, 30, "readings made durable without an identity")
        answer = provision(agent, "--install", asked(agent, road.authority))
        assert "reload" in answer.stderr
        agent.reload()
        road.wait_for(lambda messages: len(messages) >= 3, 60, "readings under the new identity")
    road.assert_all_well(agent)


class Signer:
    """What a fleet's backend does: hears the requests, has them signed, answers. mosquitto's own tools speak for it."""

    def __init__(self, road, agent):
        self.authority, self.folder, self.broker = road.authority, agent.folder, road.broker
        self.place = f"fieldpost/{agent.name}/certificate"
        self.certificate = road.authority.client("backend")

    def words(self, program, topic, *more):
        return [program, "-h", self.broker.host, "-p", str(self.broker.port), "--cafile", self.authority.file,
                "--cert", self.certificate.certificate_file, "--key", self.certificate.key_file, "-q", "1", "-t", topic, *more]

    def hear(self, word, seconds):
        heard = subprocess.run(self.words("mosquitto_sub", f"{self.place}/{word}", "-C", "1", "-W", str(seconds)),
                               check=True, capture_output=True, text=True)
        return json.loads(heard.stdout)

    def say(self, **answer):
        subprocess.run(self.words("mosquitto_pub", f"{self.place}/answer", "-s"), input=json.dumps(answer), text=True, check=True)

    def sign(self, asked):
        request = self.folder / "asked.csr"
        request.write_text(asked["request"])
        return self.authority.answer(request, self.folder / "answer.pem").read_text()


def test_a_certificate_is_renewed_over_the_broker(road):
    agent = road.agent(certificate=None, sections={**RAMPS, "identity": {"authority": "mqtt"}})
    old = asked(agent, road.authority, starts=-8 * DAY, lasts=9 * DAY)  # past two thirds of its life
    provision(agent, "--install", old)
    first = known(agent)["current"]
    assert first["age"] == "renewal due"
    signer = Signer(road, agent)
    with agent:
        request = signer.hear("request", 60)
        assert "PRIVATE" not in json.dumps(request)
        assert agent.status()["identity"]["renewal"] == "asking"
        with subprocess.Popen(signer.words("mosquitto_sub", f"{signer.place}/in_use", "-C", "1", "-W", "60"),
                              stdout=subprocess.PIPE, text=True) as in_use:
            # An answer to something else changes nothing.
            signer.say(id="00000000", certificate=signer.sign(request))
            signer.say(id=request["id"], certificate=signer.sign(request))
            wait_until(lambda: agent.status()["identity"].get("renewals") == 1, 60, "the renewal")
            told = [json.loads(line)["serial"] for line in in_use.communicate()[0].splitlines()]
        second = known(agent)["current"]
        assert told == [second["serial"]] != [first["serial"]]
        assert agent.status()["identity"]["not_after"] == second["not_after"]
        arrived = len(road.messages())
        road.wait_for(lambda messages: len(messages) >= arrived + 3, 60, "readings after the renewal")
    assert second["age"] == "valid" and "pending" not in known(agent)
    assert_in_use_and_whole(agent)
    road.assert_all_well(agent)


def test_what_the_broker_does_not_take_is_not_used(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    provision(agent, "--install", asked(agent, road.authority))
    stranger = CertificateAuthority(road.scratch.folder("stranger"), name="Stranger")
    answer = provision(agent, "--install", asked(agent, stranger), code=1)
    assert "the identity in use stays" in answer.stderr
    state = known(agent)
    assert state["current"]["generation"] == 1 and state["pending"]["generation"] == 2
    answer = provision(agent, "--request", code=1)
    assert "discard" in answer.stderr
    provision(agent, "--discard")
    assert "pending" not in known(agent)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings under the old identity")


def test_what_is_wrong_with_an_answer_is_said(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    assert "request first" in provision(agent, "--install", road.authority.file, code=1).stderr
    chain = asked(agent, road.authority)
    assert "another key" in provision(agent, "--install", road.authority.client("proof-1").certificate_file, code=1).stderr
    server = asked(agent, road.authority, usage="serverAuth")
    assert "not for clients" in provision(agent, "--install", server, code=1).stderr
    assert "no such file" in provision(agent, "--install", chain.parent / "none.pem", code=1).stderr.lower()
    provision(agent, "--install", chain, "--request", code=2)
    provision(agent, "--subject", "CN=x", code=2)


def test_expired_and_not_yet_valid_are_told_apart(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    expired = asked(agent, road.authority, starts=-9 * DAY, lasts=8 * DAY)
    assert "the certificate expired at" in provision(agent, "--install", expired, "--unproved", code=1).stderr
    assert "age" not in known(agent)["pending"]
    # The clock may be the one that is wrong: it is kept, and the broker decides.
    early = asked(agent, road.authority, starts=DAY, lasts=8 * DAY)
    assert "did not take it" in provision(agent, "--install", early, code=1).stderr
    assert known(agent)["pending"]["age"] == "not yet valid"


def test_a_key_that_others_can_read_is_not_used(road):
    agent = road.agent(certificate=None, sections=RAMPS)
    provision(agent, "--install", asked(agent, road.authority))
    key = agent.state_directory / "identity" / "1" / "key.pem"
    key.chmod(0o644)
    with agent:
        agent.wait_for_log("the identity cannot be used", "chmod 600")
        wait_until(agent.durable_segments, 30, "readings made durable all the same")
        assert agent.status()["link"]["connects"] == 0
    key.chmod(0o600)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 60, "readings with the key for us alone")


def test_what_root_makes_belongs_to_the_agent(road):
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: only root can act as another")
    agent = road.agent(certificate=None, sections=RAMPS)
    agent.state_directory.mkdir()
    os.chown(agent.state_directory, NOBODY, NOBODY)
    for folder in [agent.folder, *agent.folder.parents][:2]:
        folder.chmod(0o755)  # as /var/lib is
    provision(agent, "--install", asked(agent, road.authority))
    provision(agent, "--install", asked(agent, road.authority))
    found = list((agent.state_directory / "identity").rglob("*"))
    assert len(found) == 5
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {(NOBODY, NOBODY)}


def killed_at(agent, call, count, words):
    """Runs one command and kills it at its `count`-th call of that kind; False when it made no so many and came to its end."""
    ended = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                            "-e", f"inject={call}:signal=KILL:when={count}",
                            agent.binary, "provision", "--config", agent.configuration_file, *words],
                           # A sanitizer's leak check does not work below strace.
                           env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True, check=False, timeout=60)
    assert ended.returncode in (0, -9, 137), ended.stderr
    return ended.returncode != 0


def finish(agent, authority):
    """What a person would do next, whatever the kill left."""
    if "age" not in known(agent).get("pending", {}):
        asked(agent, authority)
    provision(agent, "--install", agent.folder / "device.pem", "--unproved")


def kill_at_each(road, agent, call, words, start, step, aim, old, left):
    """At each call of that kind in turn: what is left is whole, and leads to a working identity. Gives how many there were."""
    identity = agent.state_directory / "identity"
    for count in itertools.count(1):
        shutil.rmtree(identity)
        shutil.copytree(start, identity, symlinks=True)
        killed = killed_at(agent, call, count, words)
        state = known(agent)
        left.add((step, state.get("current", {}).get("generation"), state.get("pending", {}).get("generation")))
        if state.get("current"):
            assert_in_use_and_whole(agent)
        assert state.get("current") == old or state["current"]["generation"] == aim, (step, call, count, state)
        if step == "install":
            assert aim in (state.get("current", {}).get("generation"), state.get("pending", {}).get("generation")), (call, count, state)
        if state.get("current") == old:
            finish(agent, road.authority)
        assert known(agent)["current"]["generation"] == aim
        assert_in_use_and_whole(agent)
        if not killed:
            return count - 1


@pytest.mark.parametrize("renewing", [False, True], ids=["first", "renewal"])
def test_killed_at_every_change(road, renewing):
    if shutil.which("strace") is None:
        pytest.skip("SKIPPED: strace is not here; ./dev test installs it")
    agent = road.agent(certificate=None, sections=RAMPS)
    identity = agent.state_directory / "identity"
    if renewing:
        provision(agent, "--install", asked(agent, road.authority), "--unproved")
    else:
        agent.state_directory.mkdir()
        identity.mkdir()
    old = known(agent).get("current")
    aim = 2 if renewing else 1
    left = set()
    for step in ("request", "install"):
        words = ["--request"] if step == "request" else ["--install", agent.folder / "device.pem", "--unproved"]
        if step == "install":
            asked(agent, road.authority)
        start = agent.folder / f"before-{step}"
        shutil.copytree(identity, start, symlinks=True)
        kills = sum(kill_at_each(road, agent, call, words, start, step, aim, old, left) for call in CHANGES)
        assert kills > (8 if step == "request" else 5), f"{step}: only {kills} changes were seen"
        shutil.rmtree(identity)
        shutil.copytree(start, identity, symlinks=True)
    was = old and 1
    assert left == {("request", was, None), ("request", was, aim), ("install", was, aim), ("install", aim, None)}
    finish(agent, road.authority)
    with agent:
        road.wait_for(lambda messages: len(messages) >= 3, 30, "readings in the end")


def enrolments(road, agent):
    """The ways in which a service signs, each with its double and the words for it."""
    batch = road.authority.client("proof-1")
    claim = ["--claim-certificate", batch.certificate_file, "--claim-key", batch.key_file, "--unproved"]
    folder = road.scratch.folder("service")
    est = EstServer(road.authority, folder, port=free_port())
    dps = AzureDps(road.authority, folder, port=free_port(), issuer=road.authority, at_once=True)
    return {"est": (est, ["--est", est.url, *claim]), "dps": (dps, ["--dps", dps.scope, "--dps-host", dps.host, *claim])}


@pytest.mark.parametrize("way", ["est", "dps"])
def test_killed_at_every_change_of_an_enrolment(road, way):
    """The same command again leads to a whole identity, whatever the kill left."""
    if shutil.which("strace") is None:
        pytest.skip("SKIPPED: strace is not here; ./dev test installs it")
    agent = road.agent(certificate=None, sections={**RAMPS, "cloud": {"profile": "azure", "hub": "later.azure-devices.net"}} if way == "dps" else RAMPS)
    identity = agent.state_directory / "identity"
    service, words = enrolments(road, agent)[way]
    kills, left = 0, set()
    with service:
        for call in CHANGES:
            for count in itertools.count(1):
                shutil.rmtree(agent.state_directory, ignore_errors=True)
                agent.state_directory.mkdir()
                killed = killed_at(agent, call, count, words)
                state = known(agent)
                left.add("current" if "current" in state else "signed" if "age" in state.get("pending", {}) else "asked" if "pending" in state else "none")
                if "current" in state:
                    assert_in_use_and_whole(agent)
                if "current" not in state:
                    provision(agent, *words)
                assert known(agent)["current"]["subject"] == "CN=proof-1", (call, count)
                assert_in_use_and_whole(agent)
                if way == "dps":
                    assert json.loads((identity / "azure.json").read_text())["hub"] == service.hub
                if not killed:
                    break
                kills += 1
    assert kills > 15, f"only {kills} changes were seen"
    assert left == {"none", "asked", "signed", "current"}
