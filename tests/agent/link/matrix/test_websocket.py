# SPDX-License-Identifier: Apache-2.0
"""MQTT in WebSocket frames over our TLS. mosquitto 2.0.11 binds a websockets listener to every
interface whatever it is told, so broker and probe live in a network namespace of their own."""
import shutil
import ssl

import pytest

from conftest import needs_root
from peers import Peer, exactly, tls_context

NAMESPACE = ["unshare", "--net", "sh", "-c"]


@needs_root
@pytest.mark.parametrize("mqtt", ["3.1.1", "5"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_speaks_to_mosquitto(certificates, probe, tmp_path, version, mqtt):
    if not shutil.which("mosquitto"):
        pytest.skip("mosquitto is not installed")
    (tmp_path / "broker.conf").write_text(
        # The second listener is there because 2.0.11 does not count websockets and exits without one.
        "listener 8442 127.0.0.1\n"
        f"listener 8443\nprotocol websockets\ncafile {certificates.ca.root}\ncertfile {certificates.server.chain}\n"
        f"keyfile {certificates.server.key}\nrequire_certificate true\nallow_anonymous true\nuser root\n")
    setup = (f"ip link set lo up && (mosquitto -v -c {tmp_path}/broker.conf > {tmp_path}/broker.log 2>&1 & "
             f"echo $! > {tmp_path}/broker.pid) && sleep 1 && \"$@\"; code=$?; kill $(cat {tmp_path}/broker.pid); exit $code")
    answer = probe(8443, prefix=[*NAMESPACE, setup, "sh"], url="wss://localhost:8443/mqtt", tls_max=version, mqtt=mqtt,
                   publish=20, size=300, subscribe="probe").result()
    assert answer["acknowledged"] == 20, answer
    assert answer["tls"].startswith(f"TLS {version}, ")


class WebSocketAnswer(Peer):
    """TLS, then one HTTP answer to the upgrade; keeps the request."""

    def __init__(self, context, answer):
        self.context = context
        self.answer = answer
        self.request = b""
        super().__init__()

    def serve(self, connection):
        secured = self.context.wrap_socket(connection, server_side=True)
        while b"\r\n\r\n" not in self.request:
            self.request += exactly(secured, 1)
        secured.sendall(self.answer)
        secured.unwrap()


def test_asks_for_the_broker_by_its_own_name(certificates, refused):
    """Paho knows a stand-in only; it must not leak."""
    with WebSocketAnswer(tls_context(certificates, highest=ssl.TLSVersion.TLSv1_2),
                         b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as peer:
        refused(peer.port, url=f"wss://localhost:{peer.port}/broker/mqtt")
        head = peer.request.decode("ascii")
        assert head.startswith("GET /broker/mqtt HTTP/1.1\r\n")
        assert f"\r\nHost: localhost:{peer.port}\r\n" in head
        assert "invalid" not in head
        assert "Sec-WebSocket-Protocol: mqtt\r\n" in head
