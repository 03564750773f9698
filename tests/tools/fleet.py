# SPDX-License-Identifier: Apache-2.0
"""The fleet server under test (`fieldpost fleet serve`), and the operator's commands."""

import json
import os

from tests.tools.agent import SANITIZER_OPTIONS, run_binary, toml_text
from tests.tools.child import Child, wait_until
from tests.tools.log_line import complete_lines


class FleetServer:
    """One server with its database; it may be killed and started again."""

    def __init__(self, binary, folder, broker, certificate, *, sections=None):
        self.binary = binary
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.configuration_file = folder / "fleet.toml"
        self.state_directory = folder / "state"
        self.socket = self.state_directory / "fleet.sock"
        self._child = None
        self._starts = 0
        configuration = {
            "device": {"name": "fleet", "state_directory": self.state_directory},
            "log": {"level": "debug"},
            "broker": {"url": broker.url, "ca_file": broker.ca.file, "certificate_file": certificate.certificate_file,
                       "key_file": certificate.key_file, "backoff_max": "2s"},
            **(sections or {}),
        }
        self.configuration_file.write_text("\n".join(
            f"[{name}]\n" + "\n".join(f"{key} = {toml_text(value)}" for key, value in keys.items()) + "\n"
            for name, keys in configuration.items()))

    @property
    def pid(self):
        return self._child.pid

    @property
    def log_file(self):
        return self.folder / f"serve-{self._starts}.log"

    def start(self, seconds=45):
        self._starts += 1
        self._child = Child([self.binary, "fleet", "serve", "--config", self.configuration_file], error_file=self.log_file,
                            environment={**os.environ, **SANITIZER_OPTIONS})
        wait_until(lambda: self.has_logged("link up") or not self._child.running, seconds, "the fleet server at its broker")
        if not self._child.running:
            raise RuntimeError(f"the fleet server ended with {self._child.exit_code}\n{self.log_file.read_text()}")
        return self

    def has_logged(self, words):
        return any(words in line for line in complete_lines(self.log_file))

    def kill(self):
        self._child.kill()
        self._child = None

    def stop(self, seconds=20):
        """SIGTERM; raises if it does not go in order."""
        if self._child is None:
            return
        code = self._child.stop(seconds)
        self._child = None
        if code != 0:
            raise RuntimeError(f"the fleet server ended with {code} after SIGTERM\n{self.log_file.read_text()[-3000:]}")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self._child is not None and self._child.running:
            self.kill()

    def command(self, *words, seconds=60):
        """`fieldpost fleet WORDS`, as it ended."""
        return run_binary(self.binary, "fleet", *words, "--socket", self.socket, seconds=seconds)

    def ask(self, *words):
        """The standard output of a command that must succeed."""
        answer = self.command(*words)
        if answer.returncode != 0:
            raise RuntimeError(f"fleet {' '.join(map(str, words))} ended with {answer.returncode}: {answer.stderr}")
        return answer.stdout

    def devices(self):
        """By name."""
        return {row["device"]: row for row in json.loads(self.ask("devices", "--format", "json"))["devices"]}

    def job(self, name):
        return json.loads(self.ask("job", "show", name, "--format", "json"))

    def create(self, name, document, *options):
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(document))
        return self.ask("job", "create", file, "--name", name, *options)

    def wait_until_over(self, name, seconds):
        """The job, once nothing more happens by itself."""
        def over():
            job = self.job(name)
            return job if job["over"] else None
        return wait_until(over, seconds, f"job {name} being over", every=0.5)
