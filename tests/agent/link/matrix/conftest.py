# SPDX-License-Identifier: Apache-2.0
"""What every row of the matrix needs: certificates, a real mosquitto, and a way to run link_probe.

The probe is build/*/tests/agent/link/link_probe, the newest, or the one FIELDPOST_LINK_PROBE names.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT))

from tests.support.test_ca import HOUR, DAY, TestCa  # noqa: E402
from tests.tools.ports import free_port  # noqa: E402


def find_probe():
    named = os.environ.get("FIELDPOST_LINK_PROBE")
    found = [pathlib.Path(named)] if named else list(ROOT.glob("build/*/tests/agent/link/link_probe"))
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


class Certificates:
    """One of each kind, made once for the whole run."""

    def __init__(self, directory):
        self.ca = TestCa(directory / "ca")
        self.foreign = TestCa(directory / "foreign", name="Foreign")
        here = ["DNS:localhost", "IP:127.0.0.1"]
        self.servers = {key: self.ca.issue("localhost", names=here, key=key, file=f"server-{key}")
                        for key in ("p256", "p384", "rsa2048")}
        self.server = self.servers["p256"]
        self.clients = {key: self.ca.issue("device-7", client=True, key=key, file=f"client-{key}")
                        for key in ("p256", "p384", "rsa2048")}
        self.client = self.clients["p256"]
        self.elsewhere = self.ca.issue("broker.example", names=["DNS:broker.example", "DNS:*.fleet.example", "IP:192.0.2.7"],
                                       file="server-elsewhere")
        self.expired = self.ca.issue("localhost", names=here, starts=-3 * DAY, lasts=DAY, file="server-expired")
        self.future = self.ca.issue("localhost", names=here, starts=DAY, lasts=DAY, file="server-future")
        self.weak = self.ca.issue("localhost", names=here, key="rsa1024", file="server-weak")
        self.no_server = self.ca.issue("localhost", names=here, client=True, file="server-no-server")
        self.client_expired = self.ca.issue("device-old", client=True, starts=-3 * DAY, lasts=DAY)
        self.client_foreign = self.foreign.issue("device-foreign", client=True)
        self.revoked = self.ca.issue("localhost", names=here, file="server-revoked")
        self.list_before = self.ca.revocation_list(name="before.crl.pem")
        self.ca.revoke(self.revoked)
        self.list = self.ca.revocation_list()
        self.list_old = self.ca.revocation_list(name="old.crl.pem", starts=-5 * DAY, lasts=DAY)
        self.list_foreign = self.foreign.revocation_list()
        assert HOUR


@pytest.fixture(scope="session", name="certificates")
def make_certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Mosquitto:
    """A real broker on one loopback port; ends with the test."""

    def __init__(self, directory, lines, port=None, prefix=()):
        self.port = port or free_port()
        self.directory = directory
        self.configuration = directory / f"mosquitto-{self.port}.conf"
        self.log = directory / f"mosquitto-{self.port}.log"
        self.configuration.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines, "user root"]) + "\n",
                                      encoding="ascii")
        self.prefix = list(prefix)
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, "mosquitto", "-c", str(self.configuration), "-v"], stdout=log,
                                            stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("mosquitto did not start: " + self.log.read_text())

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(10)


@pytest.fixture(name="mosquitto")
def run_mosquitto(tmp_path):
    if not shutil.which("mosquitto"):
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    brokers = []

    def start(*lines, **options):
        brokers.append(Mosquitto(tmp_path, lines or ["allow_anonymous true"], **options))
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.stop()


def mtls(certificates, server=None, **more):
    """mosquitto's lines for TLS with client certificates asked for."""
    server = server or certificates.server
    lines = {"cafile": certificates.ca.root, "certfile": server.chain, "keyfile": server.key, "require_certificate": "true",
             "allow_anonymous": "true", **more}
    return [f"{key} {value}" for key, value in lines.items()]


@pytest.fixture(name="broker")
def run_broker(mosquitto, certificates):
    return mosquitto(*mtls(certificates))


class Probe:
    """link_probe with the options given; `result` is what it printed."""

    def __init__(self, binary, options, prefix=()):
        words = []
        for key, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                words += ["--" + key.replace("_", "-"), str(one)]
        environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
        self.process = subprocess.Popen([*prefix, str(binary), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment)
        self.stderr = ""

    def result(self, timeout=60):
        try:
            stdout, self.stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, self.stderr = self.process.communicate()
            raise AssertionError(f"link_probe hangs: {stdout} {self.stderr}") from None
        assert self.process.returncode in (0, 1, 2), f"link_probe died: {self.process.returncode}\n{self.stderr}"
        assert "Sanitizer" not in self.stderr, self.stderr
        answer = json.loads(stdout)
        # Whatever the peer does, the loop goes on: nothing may hold it for a second.
        assert answer["longest_gap_ms"] < 1000, answer
        assert answer["stop_took_ms"] <= 1000, answer
        return answer

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(name="probe")
def run_probe(certificates):
    binary = find_probe()
    if not binary:
        pytest.skip("link_probe is not built (cmake --build build/debug --target link_probe)")
    probes = []

    def start(port, prefix=(), **options):
        defaults = {"url": f"mqtts://localhost:{port}", "ca": certificates.ca.root, "cert": certificates.client.chain,
                    "key": certificates.client.key, "backoff_first": 50, "backoff_max": 200}
        chosen = {key: value for key, value in {**defaults, **options}.items() if value is not None}
        probes.append(Probe(binary, chosen, prefix))
        return probes[-1]

    yield start
    for one in probes:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture(name="connects")
def check_connects(probe):
    """Connects, publishes, and returns the probe's answer."""

    def check(port, **options):
        count = options.setdefault("publish", 5)
        answer = probe(port, **options).result()
        assert answer["error"] == "", answer
        assert answer["acknowledged"] == count, answer
        return answer

    return check


@pytest.fixture(name="refused")
def check_refused(probe):
    """Fails to connect, and returns the sentence the user sees."""

    def check(port, **options):
        options.setdefault("connect_timeout", 5)
        answer = probe(port, **options).result()
        assert answer["connects"] == 0, answer
        assert answer["error"], answer
        return answer["error"]

    return check


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
