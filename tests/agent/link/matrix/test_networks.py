# SPDX-License-Identifier: Apache-2.0
"""Slow, silent, lying and absent networks, and brokers that come and go. The probe's own 10 ms timer
must keep ticking through all of it: conftest fails any row in which the loop stood still for a second."""
import shutil
import signal
import subprocess
import time

import pytest

from conftest import needs_root
from peers import BlackHole, FakeBroker, HttpProxy, Silent, Throttle, Trickle, tls_context


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_byte_in_pieces_of_seven(broker, connects, version):
    with Trickle(broker.port) as proxy:
        connects(proxy.port, publish=50, subscribe="probe", tls_max=version)


def test_twenty_megabits_a_second(broker, connects):
    with Throttle(broker.port, 2_500_000) as proxy:
        answer = connects(proxy.port, publish=100, size=60_000, acknowledge_timeout=5)
        assert answer["failures"] == 0


def test_slow_link_is_not_mistaken_for_a_silent_broker(broker, connects):
    # A window takes 12 s at this rate, four times the time allowed for an acknowledgement.
    with Throttle(broker.port, 30_000) as proxy:
        answer = connects(proxy.port, publish=6, size=60_000, in_flight_bytes=393_216, acknowledge_timeout=3, keep_alive=60)
        assert answer["failures"] == 0
        assert answer["took_ms"] > 6_000


@pytest.mark.parametrize("size", [1_000_000, 20_000_000])
def test_messages_larger_than_any_window(broker, connects, size):
    connects(broker.port, publish=2, size=size)


def test_three_thousand_in_flight(broker, connects):
    answer = connects(broker.port, publish=3000, in_flight=3000, in_flight_bytes=4 << 20)
    assert answer["failures"] == 0


def test_small_window_of_large_messages_does_not_stall(broker, connects):
    # The trap: Paho takes up a blocked write once a second only. 400 messages would take minutes.
    answer = connects(broker.port, publish=400, size=60_000, in_flight=80, in_flight_bytes=6 << 20)
    assert answer["took_ms"] < 10_000


def test_silence_after_accept(refused):
    with Silent() as peer:
        assert refused(peer.port, connect_timeout=1) == (
            f"localhost:{peer.port} accepted the connection but did not answer our TLS greeting within 1 s; check that this is "
            "the broker's TLS port")


def test_silence_in_the_middle_of_the_handshake(broker, refused):
    with BlackHole(broker.port, after_down=100) as peer:
        assert refused(peer.port, connect_timeout=1) == (
            f"the TLS handshake with localhost:{peer.port} stood still for 1 s; check the network (a small MTU is a usual cause)")


def test_silence_after_connect(certificates, refused):
    with FakeBroker(tls_context(certificates), silent=True) as peer:
        assert refused(peer.port, connect_timeout=1) == (
            f"localhost:{peer.port} did not answer our MQTT CONNECT within 1 s; check that an MQTT broker listens on this port")


def test_silence_of_the_proxy(refused):
    with Silent() as proxy:
        assert refused(8883, proxy=f"http://127.0.0.1:{proxy.port}", connect_timeout=1) == (
            f"the proxy 127.0.0.1:{proxy.port} did not answer our CONNECT within 1 s; check its host and port")


def test_silence_of_the_broker_behind_the_proxy(refused):
    with Silent() as peer, HttpProxy() as proxy:
        assert refused(peer.port, proxy=f"http://127.0.0.1:{proxy.port}", connect_timeout=1) == (
            f"localhost:{peer.port} accepted the connection but did not answer our TLS greeting within 1 s; check that this is "
            "the broker's TLS port")


def test_black_hole_in_the_middle_of_traffic(broker, probe):
    with BlackHole(broker.port) as peer:
        running = probe(peer.port, publish=1, connects=2, attempts=10, acknowledge_timeout=2, keep_alive=60, run_for=20,
                        subscribe="never")
        deadline = time.monotonic() + 10
        while "Sending PUBACK" not in broker.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        peer.swallow.set()
        running.process.send_signal(signal.SIGTERM)
        answer = running.result()  # which asserts that stop() took a second at most
        assert answer["acknowledged"] == 1


def test_broker_that_acknowledges_nothing(certificates, probe):
    with FakeBroker(tls_context(certificates), puback=None) as peer:
        answer = probe(peer.port, publish=3, connects=2, attempts=2, acknowledge_timeout=1, run_for=20).result()
        assert answer["error"] == f"localhost:{peer.port} acknowledged nothing for 1 s; check the broker's limits and its log"
        assert answer["acknowledged"] == 0
        assert answer["failures"] == 2 and answer["connects"] == 2  # close and reconnect, not a retry on the spot
        assert peer.published == 6


def test_broker_that_hangs_up_on_every_publish(certificates, probe):
    def hang_up(_broker, connection, _number):
        connection.close()
        return True

    with FakeBroker(tls_context(certificates), on_publish=hang_up) as peer:
        answer = probe(peer.port, publish=1, connects=99, attempts=6, run_for=20, backoff_first=20, backoff_max=400).result()
        assert answer["acknowledged"] == 0
        assert answer["failures"] == 6
        assert answer["error"] == f"localhost:{peer.port} closed the connection; see its log for the reason"
        assert answer["unacknowledged"] >= 6


def test_broker_that_says_why_it_hangs_up(certificates, probe):
    def taken_over(_broker, connection, _number):
        connection.sendall(b"\xe0\x02\x8e\x00")
        connection.close()
        return True

    with FakeBroker(tls_context(certificates), on_publish=taken_over) as peer:
        answer = probe(peer.port, publish=1, connects=2, attempts=1).result()
        assert answer["error"] == (
            f"localhost:{peer.port} ended the connection: session taken over (reason 0x8e); another device uses our client_id "
            "'link-probe': give each its own")


@pytest.mark.parametrize("code,says", [
    (0x87, "not authorized (reason 0x87); give this device the right in the broker's access list or policy"),
    (0x99, "payload format invalid (reason 0x99); choose a payload format the broker takes")])
def test_publish_that_the_broker_refuses(certificates, probe, code, says):
    with FakeBroker(tls_context(certificates), puback=code) as peer:
        answer = probe(peer.port, publish=1, run_for=2).result()
        assert answer["refusal"] == f"the broker refused a message: {says}"
        assert answer["failures"] == 0


def test_ping_without_an_answer(certificates, probe):
    class Deaf(FakeBroker):
        """Answers CONNECT and nothing else."""

    with Deaf(tls_context(certificates), puback=None) as behind, BlackHole(behind.port) as peer:
        running = probe(peer.port, publish=0, connects=2, attempts=1, keep_alive=2, run_for=30)
        deadline = time.monotonic() + 10
        while not behind.connects and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        peer.swallow.set()
        answer = running.result()
        assert answer["error"] == f"the connection to localhost:{peer.port} is dead: no answer to a ping within keep_alive"


def test_broker_restarted_in_the_middle(broker, probe):
    running = probe(broker.port, publish=30_000, connects=2, attempts=1000, run_for=60, subscribe="probe")
    deadline = time.monotonic() + 10
    while broker.log.read_text().count("Received PUBLISH") < 500 and time.monotonic() < deadline:
        time.sleep(0.02)
    broker.stop(signal.SIGKILL)
    time.sleep(0.5)
    broker.start()
    answer = running.result()
    assert answer["connects"] == 2
    assert answer["acknowledged"] == 30_000
    # Subscribed anew without being asked: what was acknowledged after the restart came back.
    assert answer["received"] > 25_000
    assert answer["tls_of_connects"][1].startswith("TLS 1.3")


def test_will_is_published_when_the_device_dies_and_not_when_it_stops(broker, probe, certificates, tmp_path):
    def listen():
        return subprocess.Popen(["mosquitto_sub", "-h", "localhost", "-p", str(broker.port), "-t", "will/#", "-C", "1", "-W", "3",
                                 "--cafile", str(certificates.ca.root), "--cert", str(certificates.client.chain),
                                 "--key", str(certificates.client.key)], stdout=subprocess.PIPE, text=True)

    if not shutil.which("mosquitto_sub"):
        pytest.skip("mosquitto_sub is not installed (apt-get install mosquitto-clients)")
    listener = listen()
    assert probe(broker.port, publish=1, will_topic="will/device").result()["acknowledged"] == 1
    assert listener.communicate()[0] == ""
    listener = listen()
    running = probe(broker.port, publish=1, hold=30, will_topic="will/device", client_id="dies")
    deadline = time.monotonic() + 10
    while "as dies" not in broker.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    running.kill()
    assert listener.communicate()[0] == "lost\n"
    assert tmp_path


def test_goodbye_is_said(certificates, connects):
    with FakeBroker(tls_context(certificates)) as peer:
        connects(peer.port)
        assert peer.said_goodbye == 1


NAMESPACE = ["unshare", "--net", "--mount", "sh", "-c"]

# Neighbours whose link address nobody has: what is sent to them vanishes.
BLACK_HOLE = ("ip link set lo up && ip link add hole type veth peer name sink && ip link set sink up && ip link set hole up && "
              "ip addr add 192.0.2.1/24 dev hole && ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev hole && "
              "ip neigh add 192.0.2.53 lladdr 02:00:00:00:00:53 dev hole")


@needs_root
def test_resolver_that_never_answers_holds_nobody(probe, certificates, tmp_path):
    """The look-up would take a minute. Two attempts give up after 2 s each; the loop ticks all the while,
    and the end waits for nobody."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.53\noptions timeout:30 attempts:2\n")
    setup = f"mount --make-rprivate / && mount --bind {resolv} /etc/resolv.conf && {BLACK_HOLE} && exec \"$@\""
    begun = time.monotonic()
    answer = probe(0, prefix=[*NAMESPACE, setup, "sh"], url="mqtts://broker.example:8883", connect_timeout=2, attempts=2,
                   run_for=30).result()
    assert answer["error"] == ("the name 'broker.example' was not resolved within 2 s; check that the DNS server of this device "
                               "answers")
    assert answer["failures"] == 2
    assert answer["ticks"] > 50  # 400 when nobody else wants the processor, none when the look-up holds the loop
    assert time.monotonic() - begun < 20


@needs_root
def test_address_that_never_answers_holds_nobody(probe):
    setup = f"{BLACK_HOLE} && exec \"$@\""
    answer = probe(0, prefix=[*NAMESPACE, setup, "sh"], url="mqtts://192.0.2.7:8883", connect_timeout=2).result()
    assert answer["error"] == "192.0.2.7:8883 did not answer within 2 s; check the address, and that no firewall is in between"
    assert answer["ticks"] > 25


@needs_root
def test_address_without_a_route(refused):
    setup = "ip link set lo up && exec \"$@\""
    assert refused(0, prefix=[*NAMESPACE, setup, "sh"], url="mqtts://192.0.2.7:8883") == (
        "192.0.2.7:8883 cannot be reached (Network is unreachable); check this device's network and its gateway")


@needs_root
def test_name_from_a_dns_server(certificates, probe, tmp_path):
    """An alias, whose own name has a dead IPv6 and a live IPv4 address."""
    for program in ("mosquitto", "dnsmasq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    (tmp_path / "broker.conf").write_text(
        f"listener 8883 127.0.0.1\ncafile {certificates.ca.root}\ncertfile {certificates.elsewhere.chain}\n"
        f"keyfile {certificates.elsewhere.key}\nrequire_certificate true\nallow_anonymous true\nuser root\n")
    setup = (f"mount --make-rprivate / && mount --bind {resolv} /etc/resolv.conf && ip link set lo up && "
             "(dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file --no-hosts --no-resolv --user=root --listen-address=127.0.0.1 "
             "--cname=broker.example,gw.example --host-record=gw.example,127.0.0.1,2001:db8::7 "
             f"& echo $! > {tmp_path}/dns.pid) && (mosquitto -c {tmp_path}/broker.conf & echo $! > {tmp_path}/broker.pid) && "
             f"sleep 1 && \"$@\"; code=$?; kill $(cat {tmp_path}/broker.pid {tmp_path}/dns.pid); exit $code")
    answer = probe(8883, prefix=[*NAMESPACE, setup, "sh"], url="mqtts://broker.example:8883", publish=5, connect_timeout=6).result()
    assert answer["acknowledged"] == 5, answer
    assert answer["peer"] == "broker.example:8883 (127.0.0.1)"


@needs_root
def test_dns_server_that_is_not_there(probe, tmp_path):
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    setup = f"mount --make-rprivate / && mount --bind {resolv} /etc/resolv.conf && ip link set lo up && exec \"$@\""
    answer = probe(0, prefix=[*NAMESPACE, setup, "sh"], url="mqtts://broker.example:8883").result()
    assert answer["error"] == ("the name 'broker.example' could not be looked up (Host name lookup failure); check that the DNS server "
                               "of this device answers")


@needs_root
def test_first_of_two_addresses_is_dead(certificates, probe, tmp_path):
    """A name with a dead address first still gets through within the time-out, by its second."""
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 localhost\n127.0.0.1 localhost\n")
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.53\n")
    setup = (f"mount --make-rprivate / && mount --bind {hosts} /etc/hosts && {BLACK_HOLE} && "
             f"(mosquitto -c {tmp_path}/broker.conf & echo $! > {tmp_path}/broker.pid) && sleep 1 && \"$@\"; code=$?; "
             f"kill $(cat {tmp_path}/broker.pid); exit $code")
    if not shutil.which("mosquitto"):
        pytest.skip("mosquitto is not installed")
    (tmp_path / "broker.conf").write_text(
        f"listener 8883 127.0.0.1\ncafile {certificates.ca.root}\ncertfile {certificates.server.chain}\n"
        f"keyfile {certificates.server.key}\nrequire_certificate true\nallow_anonymous true\nuser root\n")
    answer = probe(8883, prefix=[*NAMESPACE, setup, "sh"], publish=5, connect_timeout=6).result()
    assert answer["acknowledged"] == 5, answer
    assert answer["peer"] == "localhost:8883 (127.0.0.1)"
