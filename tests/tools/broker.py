# SPDX-License-Identifier: Apache-2.0
"""A real mosquitto: TLS, client certificates required, loopback or a network namespace of ours."""

import os
import pwd
import shutil

from tests.tools.child import Child, wait_until
from tests.tools.ports import free_port


class Broker:
    """mosquitto with its state in `folder`. Sessions and queued messages survive stop() and start()
    (not kill(): mosquitto writes its database only in order, so what it had acknowledged and not yet
    delivered would be its own loss, not the agent's)."""

    def __init__(self, folder, ca, *, host="localhost", address="127.0.0.1", port=None,
                 namespace=None, certificate=None):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.address = address
        self.port = port or free_port() if namespace is None else (port or 8883)
        self.namespace = namespace
        self.ca = ca
        self.certificate = certificate or ca.server(host, address)
        self._child = None
        self._write_configuration()

    @property
    def url(self):
        return f"mqtts://{self.host}:{self.port}"

    @property
    def log_file(self):
        return self.folder / "mosquitto.log"

    @property
    def pid(self):
        return self._child.pid

    @property
    def running(self):
        return self._child is not None and self._child.running

    def start(self):
        mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._child = Child([mosquitto, "-c", self.folder / "mosquitto.conf"],
                            error_file=self.folder / "mosquitto.err", namespace=self.namespace)
        try:
            wait_until(self._listening, 30, f"mosquitto listening on {self.address}:{self.port}")
        except TimeoutError as error:
            self.kill()
            raise TimeoutError(f"{error}\n{self._last_words()}") from None
        return self

    def stop(self):
        """In order: mosquitto saves its sessions and queues."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self):
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _write_configuration(self):
        # mosquitto started by root would become user "mosquitto", who may not enter our folder.
        user = pwd.getpwuid(os.getuid()).pw_name
        (self.folder / "mosquitto.conf").write_text(f"""\
user {user}
listener {self.port} {self.address}
cafile {self.ca.file}
certfile {self.certificate.certificate_file}
keyfile {self.certificate.key_file}
require_certificate true
use_identity_as_username true
allow_anonymous false
persistence true
persistence_location {self.folder}/
autosave_interval 1800
max_queued_messages 0
log_dest file {self.log_file}
log_type error
log_type warning
log_type notice
log_type information
""")

    def _listening(self):
        if not self._child.running:
            raise RuntimeError(f"mosquitto ended at once\n{self._last_words()}")
        # Ask the kernel, not the broker: a probe connection would be logged as a failed handshake,
        # and from here a namespace's address may be out of reach on purpose.
        table = f"/proc/{self._child.pid}/net/tcp"
        wanted = f"{self.port:04X}"
        with open(table, encoding="ascii") as lines:
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and fields[1].endswith(":" + wanted):
                    return True
        return False

    def _last_words(self):
        words = ""
        for name in ("mosquitto.err", "mosquitto.log"):
            path = self.folder / name
            if path.exists():
                words += path.read_text(errors="replace")[-1000:]
        return words
