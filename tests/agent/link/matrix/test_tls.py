# SPDX-License-Identifier: Apache-2.0
"""Every way in which the link must get through to a real mosquitto that asks for a certificate."""
import ssl

import pytest

from conftest import mtls
from peers import FakeBroker, HttpProxy, tls_context

KEYS = ("p256", "p384", "rsa2048")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("server", KEYS)
@pytest.mark.parametrize("client", KEYS)
def test_connects_with_every_pair_of_keys(mosquitto, connects, certificates, version, server, client):
    broker = mosquitto(*mtls(certificates, certificates.servers[server]))
    leaf = certificates.clients[client]
    answer = connects(broker.port, tls_min=version, tls_max=version, cert=leaf.chain, key=leaf.key)
    assert answer["tls"].startswith(f"TLS {version}, ")
    assert answer["peer"] == f"localhost:{broker.port} (127.0.0.1)"


@pytest.mark.parametrize("mqtt", ["3.1.1", "5"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_speaks_both_mqtt_versions(broker, connects, mqtt, version):
    connects(broker.port, mqtt=mqtt, tls_max=version)


@pytest.mark.parametrize("key,form,password", [
    ("p256", "pkcs8", None), ("p256", "pkcs8-der", None), ("p256", "pkcs8-encrypted", "se cret"), ("p256", "sec1", None),
    ("p384", "sec1", None), ("rsa2048", "pkcs8", None), ("rsa2048", "pkcs8-encrypted", "secret"), ("rsa2048", "pkcs1", None)])
def test_reads_every_form_of_private_key(broker, connects, certificates, key, form, password):
    leaf = certificates.clients[key]
    connects(broker.port, cert=leaf.chain, key=leaf.key_as(form, password), key_password=password)


@pytest.mark.parametrize("suite,name", [
    ("TLS_AES_128_GCM_SHA256", "TLS1-3-AES-128-GCM-SHA256"), ("TLS_AES_256_GCM_SHA384", "TLS1-3-AES-256-GCM-SHA384"),
    ("TLS_CHACHA20_POLY1305_SHA256", "TLS1-3-CHACHA20-POLY1305-SHA256")])
def test_agrees_on_every_suite_of_tls_1_3(mosquitto, connects, certificates, suite, name):
    broker = mosquitto(*mtls(certificates, **{"ciphers_tls1.3": suite}))
    assert connects(broker.port)["tls"] == f"TLS 1.3, {name}"


@pytest.mark.parametrize("suite,server,name", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "p256", "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"),
    ("ECDHE-RSA-AES256-GCM-SHA384", "rsa2048", "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "p256", "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256")])
def test_agrees_on_suites_of_tls_1_2(mosquitto, connects, certificates, suite, server, name):
    broker = mosquitto(*mtls(certificates, certificates.servers[server], ciphers=suite))
    assert connects(broker.port, tls_max="1.2")["tls"] == f"TLS 1.2, {name}"


def test_checks_an_address_against_the_certificate(broker, connects):
    answer = connects(broker.port, url=f"mqtts://127.0.0.1:{broker.port}")
    assert answer["peer"] == f"127.0.0.1:{broker.port}"


def test_sends_the_host_as_sni_and_an_address_not_at_all(certificates, connects):
    with FakeBroker(tls_context(certificates)) as broker:
        connects(broker.port)
        connects(broker.port, url=f"mqtts://127.0.0.1:{broker.port}")
        assert broker.names == ["localhost", None]


def test_server_name_replaces_the_host_in_sni_and_check(mosquitto, connects, certificates):
    broker = mosquitto(*mtls(certificates, certificates.elsewhere))
    connects(broker.port, server_name="broker.example")
    connects(broker.port, server_name="post-7.fleet.example")


def test_accepts_a_certificate_that_is_not_on_the_list(broker, connects, certificates):
    connects(broker.port, crl=certificates.list)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumes_its_session_after_a_reconnect(certificates, connects, version):
    newest = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    with FakeBroker(tls_context(certificates, highest=newest, lowest=newest)) as broker:
        answer = connects(broker.port, connects=3, drop_between="yes")
        assert broker.reused == [False, True, True]
        assert [tls.endswith(", resumed") for tls in answer["tls_of_connects"]] == [False, True, True]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumes_its_session_with_mosquitto(broker, connects, version):
    answer = connects(broker.port, connects=3, drop_between="yes", tls_max=version)
    assert [tls.endswith(", resumed") for tls in answer["tls_of_connects"]] == [False, True, True]


def test_connects_anew_when_the_broker_forgot_the_session(certificates, connects):
    with FakeBroker(tls_context(certificates), session_tickets=0) as broker:
        connects(broker.port, connects=3, drop_between="yes")
        assert broker.reused == [False, False, False]


def test_agrees_on_a_protocol_by_alpn(certificates, connects):
    context = tls_context(certificates)
    context.set_alpn_protocols(["h2", "x-amzn-mqtt-ca"])
    with FakeBroker(context) as broker:
        connects(broker.port, alpn=["x-amzn-mqtt-ca", "mqtt"])
        assert broker.alpn == ["x-amzn-mqtt-ca"]


def test_goes_through_a_proxy(broker, connects):
    with HttpProxy() as proxy:
        answer = connects(broker.port, proxy=f"http://127.0.0.1:{proxy.port}")
        assert proxy.asked[0].startswith(f"CONNECT localhost:{broker.port} HTTP/1.1\r\n")
        assert answer["peer"] == f"localhost:{broker.port} (by proxy 127.0.0.1:{proxy.port})"


def test_shows_the_proxy_its_user_and_password(broker, connects):
    with HttpProxy(user="post:se@cret") as proxy:
        connects(broker.port, proxy=f"http://post:se%40cret@127.0.0.1:{proxy.port}")


def test_connects_without_tls_only_when_asked_to(mosquitto, connects):
    broker = mosquitto()
    answer = connects(broker.port, url=f"mqtt://localhost:{broker.port}", plaintext_allowed="yes")
    assert answer["tls"] == ""
