# SPDX-License-Identifier: Apache-2.0
"""Three RabbitMQ nodes on loopback with the MQTT plugin and mutual TLS, and switches of TCP connections before them, as an
operator's load balancers would be. Ports, name server (epmd), cookie, databases and logs are their own: no service of the machine is touched."""

import asyncio
import datetime
import json
import os
import random
import re
import shutil
import threading
import time
from pathlib import Path

from tests.tools.child import Child, boot_seconds, wait_until
from tests.tools.ports import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_SECONDS = 180
NODE_CHANGE = re.compile(r"(\S+ \S+) \[info\] \S+ (?:rabbit on )?node \S+ (?:up|down)")


def unavailable_because():
    """None when a cluster can be started here, otherwise the reason, for SKIPPED."""
    if not SERVER.exists() or shutil.which("epmd") is None:
        return "needs RabbitMQ with Erlang (package rabbitmq-server)"
    return None


class Node:
    """One RabbitMQ. What it had confirmed survives kill() and start()."""

    def __init__(self, cluster, number):
        self._cluster = cluster
        self.number = number
        self.name = f"fieldpost{number}@localhost"
        self.folder = cluster.folder / f"node-{number}"
        self.folder.mkdir(parents=True)
        self.mqtt_port, self.amqp_port, self.distribution_port = free_port(), free_port(), free_port()
        self._child = None

    @property
    def running(self):
        return self._child is not None and self._child.running

    def start(self):
        arguments = ["-noinput", "+S", "2:2", "+sbwt", "none", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
        environment = {
            **os.environ, "HOME": str(self._cluster.folder), "ERL_EPMD_PORT": str(self._cluster.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name, "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none.config"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"), "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            # Then the shell becomes the Erlang machine itself: our child's id is what is killed.
            "RABBITMQ_ALLOW_INPUT": "1", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(arguments)}
        self._child = Child([SERVER], error_file=self.folder / "error.log", output_file=self.folder / "output.log", environment=environment,
                            directory=self.folder)

    def wait_up(self):
        """Until the MQTT plugin listens, which is the last thing a node does."""
        def up():
            if not self.running:
                raise RuntimeError(f"RabbitMQ {self.name} ended by itself\n{self.last_words()}")
            return listening(self._child.pid, self.mqtt_port)
        try:
            wait_until(up, START_SECONDS, f"{self.name} listening for MQTT", every=0.2)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.last_words()}") from None

    def kill(self):
        """SIGKILL to the Erlang machine."""
        self._child.kill()

    def changes_seen(self):
        """When it saw other nodes come or go: boot-time seconds."""
        ahead = time.time() - boot_seconds()
        lines = [line for path in self.folder.glob("log/*.log") for line in path.read_text(errors="replace").splitlines()]
        return [datetime.datetime.fromisoformat(found.group(1)).timestamp() - ahead for found in map(NODE_CHANGE.match, lines) if found]

    def last_words(self):
        return "".join(path.read_text(errors="replace")[-2000:] for path in
                       [self.folder / "error.log", *self.folder.glob("log/*.log")] if path.exists())


class Door:
    """What agents and consumers want to know of a broker. Devices and consumers have a switch each: an outage is the devices'."""

    def __init__(self, authority, nodes):
        self.switch = Switch(free_port(), [node.mqtt_port for node in nodes])
        self.host, self.port, self.ca = "localhost", self.switch.port, authority
        self.url = f"mqtts://{self.host}:{self.port}"


class RabbitCluster:
    """`users` are the common names of the certificates that may come in."""

    def __init__(self, folder, authority, users, size=3):
        self.folder = folder
        self.epmd_port = free_port()
        self.nodes = [Node(self, number) for number in range(1, size + 1)]
        self.devices, self.consumers = Door(authority, self.nodes), Door(authority, self.nodes)
        self._epmd = None
        cookie = folder / ".erlang.cookie"
        cookie.write_text(f"{random.SystemRandom().randrange(1 << 64):020d}")
        cookie.chmod(0o400)
        certificate = authority.server("localhost", "127.0.0.1")
        definitions = folder / "definitions.json"
        definitions.write_text(json.dumps({
            "vhosts": [{"name": "/"}],
            # No password: a certificate is the only way in.
            "users": [{"name": user, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""} for user in users],
            "permissions": [{"user": user, "vhost": "/", "configure": "^mqtt-subscription-.*", "write": "^(mqtt-subscription-.*|amq\\.topic)$",
                             "read": "^(mqtt-subscription-.*|amq\\.topic)$"} for user in users]}))
        for node in self.nodes:
            (node.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
            lines = [
                f"listeners.tcp.1 = 127.0.0.1:{node.amqp_port}", "mqtt.listeners.tcp = none", f"mqtt.listeners.ssl.1 = 127.0.0.1:{node.mqtt_port}",
                f"ssl_options.cacertfile = {authority.file}", f"ssl_options.certfile = {certificate.certificate_file}",
                f"ssl_options.keyfile = {certificate.key_file}", "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true",
                "ssl_options.depth = 3", "mqtt.allow_anonymous = false", "mqtt.ssl_cert_login = true", "ssl_cert_login_from = common_name",
                "mqtt.durable_queue_type = quorum", "mqtt.prefetch = 100", f"load_definitions = {definitions}",
                "cluster_partition_handling = pause_minority", "cluster_formation.peer_discovery_backend = classic_config",
                *[f"cluster_formation.classic_config.nodes.{peer.number} = {peer.name}" for peer in self.nodes],
                "disk_free_limit.absolute = 50MB", "log.console = false", "log.file.level = info"]
            (node.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        environment = {**os.environ, "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self._epmd = Child([shutil.which("epmd")], error_file=self.folder / "epmd.log", environment=environment)
        began = boot_seconds()
        try:
            wait_until(lambda: listening(self._epmd.pid, self.epmd_port), 30, "epmd listening")
            for node in self.nodes:  # each when the one before is whole: the plugin's own agreement on client names does not form otherwise
                node.start()
                node.wait_up()
            for door in (self.devices, self.consumers):
                door.switch.start()
        except Exception:
            self.stop()
            raise
        self.started_in = boot_seconds() - began
        return self

    def stop(self):
        """Nothing of it is needed afterwards, so nothing is stopped in order."""
        for door in (self.devices, self.consumers):
            door.switch.stop()
        for child in [node for node in self.nodes if node.running] + [self._epmd] * (self._epmd is not None):
            child.kill()
        self._epmd = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Switch:
    """Each connection goes to the next port that takes it, and ends when either side does. While it is closed it hangs up on
    everybody at once."""

    def __init__(self, port, backends):
        self.port = port
        self.live = dict.fromkeys(backends, 0)  # connections by backend
        self._backends = list(backends)
        self._turn = 0
        self._closed = False
        self._writers = set()
        self._loop = None
        self._thread = None

    def start(self):
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._thread = None

    def close(self):
        self._closed = True
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in self._writers])

    def open(self):
        self._closed = False

    def _run(self):
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.close()

    async def _serve(self, reader, writer):
        try:
            port, onward = await self._next_backend()
            if onward is None:
                return
            self.live[port] += 1
            self._writers |= {writer, onward[1]}
            try:
                await asyncio.gather(self._carry(reader, onward[1]), self._carry(onward[0], writer))
            finally:
                self.live[port] -= 1
                self._writers -= {writer, onward[1]}
                onward[1].transport.abort()
        finally:
            writer.transport.abort()

    async def _next_backend(self):
        for _ in self._backends:
            port = self._backends[self._turn % len(self._backends)]
            self._turn += 1
            try:
                onward = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            if not self._closed:
                return port, onward
            onward[1].transport.abort()
        return None, None

    @staticmethod
    async def _carry(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


def listening(pid, port):
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as lines:
        rows = [line.split() for line in lines][1:]
    return any(row[3] == "0A" and row[1].endswith(f":{port:04X}") for row in rows)
