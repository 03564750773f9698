# SPDX-License-Identifier: Apache-2.0
"""Every way in which a peer must be refused, or refuses us, with the sentence that the user reads."""
import os
import re
import shutil
import ssl
import subprocess
import time

import pytest

from conftest import mtls
from peers import FakeBroker, HttpProxy, Peer, Says, tls_context
from tests.tools.ports import free_port

CLOCK = r"this device's clock says \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ and is "
EARLY = ", certificate accepted before its time: this device's clock is not synchronised"
FROM_NOW_TO_1970 = -int(time.time()) + 60
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_name_that_does_not_resolve(refused):
    assert refused(0, url="mqtts://nobody.invalid:8883") in (
        "the name 'nobody.invalid' does not resolve; check the host in the URL, or add it to the DNS",
        # what the C library says on a machine that has no DNS server at all
        "the name 'nobody.invalid' could not be looked up (Temporary failure in name resolution); "
        "check that the DNS server of this device answers")


def test_port_where_nothing_listens(refused):
    port = free_port()
    assert refused(port) == (f"localhost:{port} (127.0.0.1) refused the connection; check the port, and that something "
                             "listens there")


def test_plaintext_port(mosquitto, refused):
    broker = mosquitto()
    assert refused(broker.port) == (
        f"localhost:{broker.port} does not speak TLS on this port (it hung up on our greeting); use the broker's TLS port "
        "(usually 8883), or mqtt:// if you want no protection")


def test_web_server(refused):
    with Says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as peer:
        assert refused(peer.port) == (f"localhost:{peer.port} does not speak TLS on this port; use the broker's TLS port "
                                      "(usually 8883), or mqtt:// if you want no protection")


def test_tls_port_spoken_to_in_plaintext(broker, refused):
    assert refused(broker.port, url=f"mqtt://localhost:{broker.port}", plaintext_allowed="yes") == (
        f"localhost:{broker.port} closed the connection instead of answering our MQTT CONNECT; if this is its TLS port, "
        "use mqtts://")


def openssl_server(certificates, *words):
    port = free_port()
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificates.server.certificate,
                                "-cert_chain", certificates.server.chain, "-key", certificates.server.key, "-quiet", *words],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    return port, process


def test_peer_that_speaks_only_tls_1_1(certificates, refused):
    port, process = openssl_server(certificates, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    try:
        assert refused(port) == (f"localhost:{port} speaks none of the TLS versions we allow (TLS 1.2 to 1.3) "
                                 "(TLS alert: protocol version); update the broker")
    finally:
        process.kill()
        process.wait()


def test_peer_below_our_lowest_version(certificates, refused):
    with FakeBroker(tls_context(certificates, highest=ssl.TLSVersion.TLSv1_2)) as broker:
        assert refused(broker.port, tls_min="1.3") == (
            f"localhost:{broker.port} speaks none of the TLS versions we allow (TLS 1.3) (TLS alert: protocol version); "
            "update the broker")


def test_no_suite_in_common(certificates, mosquitto, refused):
    broker = mosquitto(*mtls(certificates, ciphers="ECDHE-ECDSA-AES128-SHA", tls_version="tlsv1.2"))
    assert refused(broker.port, tls_max="1.2") == (
        f"localhost:{broker.port} ended the handshake (TLS alert: handshake failure); it may not trust our certificate, or "
        "share no cipher suite with us: see the broker's log")


def test_protocol_refused_by_alpn(certificates, refused):
    port, process = openssl_server(certificates, "-alpn", "http/1.1")
    try:
        assert refused(port, alpn=["x-amzn-mqtt-ca", "mqtt"]) == (
            f"localhost:{port} speaks none of the ALPN protocols we offer (x-amzn-mqtt-ca, mqtt) (TLS alert: no application "
            "protocol); check alpn")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
class TestServerCertificate:
    """Refused by us, in both versions of the handshake."""

    def test_of_an_unknown_authority(self, broker, refused, certificates, version):
        assert refused(broker.port, ca=certificates.foreign.root, tls_max=version) == (
            f"the certificate of localhost:{broker.port} leads up to 'CN=Fieldpost Test Root', which is not in "
            f"{certificates.foreign.root}; put the broker's CA certificate into ca_file")

    def test_for_another_host(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.elsewhere))
        assert refused(broker.port, tls_max=version) == (
            f"the certificate of localhost:{broker.port} is for 'broker.example', '*.fleet.example', 192.0.2.7 and not for "
            "'localhost'; use such a name in the URL, or set server_name")

    def test_for_another_address(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.elsewhere))
        assert refused(broker.port, url=f"mqtts://127.0.0.1:{broker.port}", tls_max=version) == (
            f"the certificate of 127.0.0.1:{broker.port} is for 'broker.example', '*.fleet.example', 192.0.2.7 and not for "
            "'127.0.0.1'; use such a name in the URL, or set server_name")

    @pytest.mark.parametrize("trusted,says", [("yes", "synchronised"), ("no", "not synchronised")])
    def test_that_expired(self, mosquitto, refused, certificates, version, trusted, says):
        broker = mosquitto(*mtls(certificates, certificates.expired))
        said = refused(broker.port, tls_max=version, clock_synchronised=trusted)
        assert re.fullmatch(rf"the certificate of localhost:{broker.port} expired at {TIME} \({CLOCK}{says}\); renew it", said)

    def test_that_is_not_valid_yet(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.future))
        said = refused(broker.port, tls_max=version, clock_synchronised="yes")
        assert re.fullmatch(rf"the certificate of localhost:{broker.port} is not valid before {TIME} \({CLOCK}synchronised\); "
                            "wait, or have it issued with an earlier date", said)

    def test_that_is_not_valid_yet_by_a_clock_that_nobody_vouches_for(self, mosquitto, connects, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.future))
        answer = connects(broker.port, tls_max=version, clock_synchronised="no")
        assert answer["tls"].endswith(EARLY)

    def test_on_a_board_that_believes_it_is_1970(self, broker, connects, version):
        """Its own certificate is "not valid yet" as well, which the broker judges by its own clock."""
        answer = connects(broker.port, tls_max=version, clock_shift_seconds=FROM_NOW_TO_1970, clock_synchronised="no")
        assert answer["tls"].endswith(EARLY)

    def test_that_expired_on_a_board_that_believes_it_is_1970_but_knows_better(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.expired))
        said = refused(broker.port, tls_max=version, clock_shift_seconds=FROM_NOW_TO_1970, clock_synchronised="no",
                       clock_floor_seconds=int(time.time()) - 60)
        assert re.fullmatch(rf"the certificate of localhost:{broker.port} expired at {TIME} \({CLOCK}not synchronised\); renew it",
                            said)

    def test_that_was_revoked(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.revoked))
        assert refused(broker.port, crl=certificates.list, tls_max=version) == (
            f"the certificate of localhost:{broker.port} has been revoked by its CA ({certificates.list}); give the broker a "
            "new one")

    def test_with_a_list_that_is_out_of_date(self, broker, refused, certificates, version):
        said = refused(broker.port, crl=certificates.list_old, tls_max=version)
        assert re.fullmatch(rf"the revocation list {certificates.list_old} is out of date \({CLOCK}(not )?synchronised\); "
                            "fetch a newer one", said)

    def test_that_is_too_weak(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.weak, ciphers="DEFAULT:@SECLEVEL=0"))
        assert refused(broker.port, tls_max=version) == (
            f"the certificate of localhost:{broker.port} uses a key or a signature that is too weak (RSA from 2048 bits or "
            "P-256 up, SHA-256 up); have it issued anew")

    def test_that_is_no_server_certificate(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, certificates.no_server))
        assert refused(broker.port, tls_max=version) == (
            f"the certificate of localhost:{broker.port} is not meant for a server (key usage); have it issued with serverAuth")


class TestClientCertificate:
    """Refused by the broker. In TLS 1.3 this shows only after our side of the handshake is done."""

    def test_missing_in_1_2(self, broker, refused):
        assert refused(broker.port, cert=None, key=None, tls_max="1.2") == (
            f"localhost:{broker.port} wants a client certificate and we have none (TLS alert: handshake failure); set "
            "certificate_file and key_file")

    def test_missing_in_1_3(self, broker, refused):
        assert refused(broker.port, cert=None, key=None) == (
            f"localhost:{broker.port} wants a client certificate and we have none (TLS alert: certificate required); set "
            "certificate_file and key_file")

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_of_a_ca_the_broker_does_not_know(self, broker, refused, certificates, version):
        leaf = certificates.client_foreign
        assert refused(broker.port, cert=leaf.chain, key=leaf.key, tls_max=version) == (
            f"localhost:{broker.port} does not know the CA of our client certificate (TLS alert: unknown CA); give the broker "
            "that CA, or certificate_file its intermediate certificates")

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_without_its_intermediate(self, broker, refused, certificates, version):
        assert "does not know the CA of our client certificate" in refused(
            broker.port, cert=certificates.client.certificate, tls_max=version)

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_that_expired(self, broker, refused, certificates, version):
        leaf = certificates.client_expired
        assert re.fullmatch(rf"localhost:{broker.port} refused our client certificate: it has expired \(TLS alert: certificate "
                            rf"expired\); it was valid until {TIME}; renew it",
                            refused(broker.port, cert=leaf.chain, key=leaf.key, tls_max=version))

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_that_the_broker_has_revoked(self, mosquitto, refused, certificates, version):
        broker = mosquitto(*mtls(certificates, crlfile=certificates.list))
        gone = certificates.revoked
        # Debian's mosquitto checks the purpose as well; the revoked server certificate will do for "revoked".
        assert refused(broker.port, cert=gone.chain, key=gone.key, tls_max=version) in (
            f"localhost:{broker.port} refused our client certificate: it has been revoked (TLS alert: certificate revoked); "
            "have a new one issued",
            f"localhost:{broker.port} refused our client certificate (TLS alert: unsupported certificate); see the broker's log "
            "for the reason")


class TestOwnFiles:
    """Told before anything is dialled, by the option's name."""

    def test_key_of_another_certificate(self, refused, certificates):
        other = certificates.clients["p384"].key
        assert refused(1, key=other) == (f"key_file: {other} is not the key of the first certificate in "
                                         f"{certificates.client.chain}; the device's own certificate must come first")

    def test_key_that_others_can_read(self, refused, certificates, tmp_path):
        key = tmp_path / "open.key"
        shutil.copy(certificates.client.key, key)
        os.chmod(key, 0o644)
        assert refused(1, key=key) == (f"key_file: {key} is a private key that others can read (mode 0644); run: chmod 600 {key}")

    def test_encrypted_key_without_its_password(self, refused, certificates):
        key = certificates.client.key_as("pkcs8-encrypted", "secret")
        assert refused(1, key=key) == f"key_file: {key} is encrypted; set key_password_file"

    def test_encrypted_key_with_another_password(self, refused, certificates):
        key = certificates.client.key_as("pkcs8-encrypted", "secret")
        assert refused(1, key=key, key_password="other") == f"key_file: {key} is encrypted with another password than the one in key_password_file"

    def test_key_in_an_encryption_of_old(self, refused, certificates):
        key = certificates.client.key_as("legacy-encrypted", "secret")
        assert refused(1, key=key, key_password="secret") == (
            f"key_file: {key} uses an old encryption or an unknown kind of key; convert it: openssl pkcs8 -topk8 -in OLD -out NEW")

    def test_missing_file(self, refused, tmp_path):
        assert refused(1, ca=tmp_path / "none.pem") == f"ca_file: open {tmp_path}/none.pem: No such file or directory"

    def test_file_that_holds_something_else(self, refused, certificates, tmp_path):
        (tmp_path / "odd.pem").write_text("hello\n")
        assert refused(1, ca=tmp_path / "odd.pem").startswith(
            f"ca_file: {tmp_path}/odd.pem holds no certificate that can be read (")
        assert refused(1, crl=certificates.client.chain).startswith(
            f"crl_file: {certificates.client.chain} holds no revocation list that can be read (")

    def test_plaintext_that_was_not_asked_for(self, refused):
        assert refused(1, url="mqtt://localhost:1883") == (
            "url: the URL 'mqtt://localhost:1883' asks for a connection without TLS; write mqtts:// or wss://, or set "
            "plaintext_allowed")


class TestProxy:
    """What an HTTP proxy may say instead of yes."""

    @pytest.mark.parametrize("status,says", [
        ("403 Forbidden", "refused a tunnel to localhost:8883 (HTTP/1.1 403 Forbidden); have the proxy allow this host and port"),
        ("502 Bad Gateway", "could not reach localhost:8883 (HTTP/1.1 502 Bad Gateway); check the broker's host and port")])
    def test_that_says_no(self, refused, status, says):
        with HttpProxy(status) as proxy:
            assert refused(8883, proxy=f"http://127.0.0.1:{proxy.port}") == f"the proxy 127.0.0.1:{proxy.port} {says}"

    def test_that_wants_a_user(self, refused):
        with HttpProxy(user="a:b") as proxy:
            assert refused(8883, proxy=f"http://127.0.0.1:{proxy.port}") == (
                f"the proxy 127.0.0.1:{proxy.port} wants a user and a password (HTTP/1.1 407 Proxy Authentication Required); "
                "put them into the proxy's URL")
            assert refused(8883, proxy=f"http://a:c@127.0.0.1:{proxy.port}") == (
                f"the proxy 127.0.0.1:{proxy.port} refused our user or password (HTTP/1.1 407 Proxy Authentication Required); "
                "check them")

    def test_that_is_none(self, refused):
        with Says(b"SSH-2.0-OpenSSH_9.2\r\n") as peer:
            assert refused(8883, proxy=f"http://127.0.0.1:{peer.port}") == (
                f"the proxy 127.0.0.1:{peer.port} does not answer like an HTTP proxy; check its host and port")

    def test_that_is_not_there(self, refused):
        port = free_port()
        assert refused(8883, proxy=f"http://127.0.0.1:{port}") == (
            f"the proxy 127.0.0.1:{port} (127.0.0.1) refused the connection; check the port, and that something listens there")


CONNACKS_3 = [
    (1, "it does not speak MQTT 3.1.1; set mqtt_version to 5"),
    (2, "client identifier 'link-probe' not valid (reason 0x85); set name in [device] to one the broker accepts"),
    (3, "server unavailable (reason 0x88); try again later"),
    (4, "it wants a user name and a password (reason 0x86); set username and password_file"),
    (5, "not authorized (reason 0x87); have the broker allow client identifier 'link-probe' and its certificate"),
]
CONNACKS_5 = [
    (0x84, "unsupported protocol version (reason 0x84); set mqtt_version to 3.1.1"),
    (0x85, "client identifier 'link-probe' not valid (reason 0x85); set name in [device] to one the broker accepts"),
    (0x86, "it wants a user name and a password (reason 0x86); set username and password_file"),
    (0x87, "not authorized (reason 0x87); have the broker allow client identifier 'link-probe' and its certificate"),
    (0x88, "server unavailable (reason 0x88); try again later"),
    (0x89, "server busy (reason 0x89); try again later"),
    (0x8A, "banned (reason 0x8a); have the broker's administrator lift the ban"),
    (0x97, "quota exceeded (reason 0x97); raise the broker's quota"),
    (0x9F, "connection rate exceeded (reason 0x9f); it is tried again with longer pauses"),
]


@pytest.mark.parametrize("version,code,says",
                         [("3.1.1", *row) for row in CONNACKS_3] + [("5", *row) for row in CONNACKS_5])
def test_connack_that_says_no(certificates, refused, version, code, says):
    connack = bytes([0, code]) + (b"\0" if version == "5" else b"")
    with FakeBroker(tls_context(certificates), version=int(version[0]), connack=connack) as broker:
        assert refused(broker.port, mqtt=version) == f"localhost:{broker.port} refused our CONNECT: {says}"


def test_wrong_password_at_a_real_broker(mosquitto, refused, certificates, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "post", "right"], check=True)
    broker = mosquitto(*mtls(certificates, password_file=passwords, allow_anonymous="false"))
    assert refused(broker.port, username="post", password="wrong") == (
        f"localhost:{broker.port} refused our CONNECT: not authorized (reason 0x87); have the broker allow client identifier "
        "'link-probe' and its user")


def test_broker_that_hangs_up_on_connect(certificates, refused):
    class HangsUp(Peer):
        """TLS and then nothing."""

        def serve(self, connection):
            with tls_context(certificates).wrap_socket(connection, server_side=True) as secured:
                secured.recv(100)

    with HangsUp() as peer:
        assert refused(peer.port) == (
            f"localhost:{peer.port} closed the connection instead of answering our MQTT CONNECT; see its log (it may refuse our "
            "certificate, our client_id or MQTT 5 (RabbitMQ before 3.13: mqtt_version = \"3.1.1\"), or speak no MQTT here)")
