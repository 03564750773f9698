# SPDX-License-Identifier: Apache-2.0
"""Brokers that do not behave. Each is a function that gets one connection of the agent, TLS and all, and does its worst
with it until the agent goes or the trial ends.

A broker that acknowledges takes over the message: whoever does so here hands it to `take`, and the judge counts it as
received, as he would with a consumer behind a real broker."""

import os
import random
import socket
import ssl
import threading
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBCOMP, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    0x10, 0x20, 0x30, 0x40, 0x50, 0x70, 0x90, 0xC0, 0xD0, 0xE0)
ACCEPTED = bytes((CONNACK, 3, 0, 0, 0))

# What no operator can mend is given up as a gap, as promised; the judge is sharper where there are none
# (tests/agent/sync/sync_test.cpp has these two).
GIVEN_UP_CODES = (0x95, 0x99)
REASON_CODES = tuple(code for code in range(256) if code not in GIVEN_UP_CODES)


class Gone(Exception):
    """The agent has hung up, or the trial is over."""


class Peer:
    """One connection of the agent. TLS runs in memory, so that a broker can cut, drip or hold back what goes over the wire."""

    def __init__(self, connection, context, over, take, memory):
        self.connection = connection
        self.over = over        # event: the trial has ended
        self.take = take        # take(topic, payload): we are about to acknowledge it
        self.memory = memory    # of this broker, over its connections
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._read = b""
        connection.settimeout(0.1)

    # The wire

    def send_raw(self, data):
        view = memoryview(data)
        while view and not self.over.is_set():
            try:
                view = view[self.connection.send(view):]
            except TimeoutError:
                continue
            except OSError:
                raise Gone from None
        if view:
            raise Gone

    def receive_raw(self):
        while not self.over.is_set():
            try:
                data = self.connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                raise Gone from None
            if not data:
                raise Gone
            return data
        raise Gone

    def drip_raw(self, data):
        for byte in data:
            self.send_raw(bytes((byte,)))
            if self.over.wait(1):
                raise Gone

    def silence(self):
        """Takes nothing, says nothing."""
        while not self.over.wait(0.1):
            try:  # has it gone? Looked at, not taken.
                if not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    raise Gone
            except BlockingIOError:
                pass
            except OSError:
                raise Gone from None
        raise Gone

    # TLS

    def handshake(self, send=None):
        send = send or self.send_raw
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                send(self._out.read())
                self._in.write(self.receive_raw())
                continue
            except ssl.SSLError:
                raise Gone from None
            return send(self._out.read())

    def write(self, data, send=None):
        try:
            self._tls.write(data)
        except ssl.SSLError:
            raise Gone from None
        (send or self.send_raw)(self._out.read())

    def read(self, count):
        while len(self._read) < count:
            try:
                data = self._tls.read(65536)
                if not data:
                    raise Gone
                self._read += data
            except ssl.SSLWantReadError:
                self._in.write(self.receive_raw())
            except ssl.SSLError:
                raise Gone from None
        data, self._read = self._read[:count], self._read[count:]
        return data

    # MQTT

    def packet(self):
        kind = self.read(1)[0]
        length = shift = 0
        while True:
            byte = self.read(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self.read(length)

    def accept(self):
        self.handshake()
        self.packet()
        self.write(ACCEPTED)

    def publishes(self):
        """(number, topic, payload) of each that comes; pings are answered."""
        while True:
            kind, body = self.packet()
            if kind & 0xF0 == PINGREQ:
                self.write(bytes((PINGRESP, 0)))
            elif kind & 0xF0 == PUBLISH:
                yield parse_publish(body)


def parse_publish(body):
    end = 2 + int.from_bytes(body[:2], "big")
    number = body[end:end + 2]
    properties = body[end + 2]
    assert properties < 128, "longer properties than the agent sends"
    return number, body[2:end].decode(), body[end + 3 + properties:]


def answer(kind, number, code=None):
    return bytes((kind, 2)) + number if code is None else bytes((kind, 3)) + number + bytes((code,))


def publish_of(topic, payload, number=None):
    body = len(topic).to_bytes(2, "big") + topic.encode() + (number or b"") + b"\0" + payload
    length = b""
    rest = len(body)
    while True:
        length += bytes((rest & 127 | (128 if rest > 127 else 0),))
        rest >>= 7
        if not rest:
            return bytes((PUBLISH | (2 if number else 0),)) + length + body


# Silence at each phase

def silent_before_tls(peer):
    peer.silence()


def silent_in_the_handshake(peer):
    peer.handshake(send=lambda data: (peer.send_raw(data[:len(data) // 2]), data and peer.silence()))
    peer.silence()


def silent_after_the_handshake(peer):
    peer.handshake()
    peer.silence()


def silent_after_connect(peer):
    peer.handshake()
    peer.packet()
    peer.silence()


def silent_after_connack(peer):
    peer.accept()
    peer.silence()


def silent_in_a_puback(peer):
    peer.accept()
    for number, _, _ in peer.publishes():
        peer.write(answer(PUBACK, number)[:3])
        peer.silence()


# One byte a second

def drips_the_handshake(peer):
    peer.handshake(send=peer.drip_raw)
    peer.silence()


def drips_pubacks(peer):
    peer.accept()
    for number, topic, payload in peer.publishes():
        for byte in answer(PUBACK, number):
            if peer.over.wait(1):
                raise Gone
            peer.write(bytes((byte,)))
        peer.take(topic, payload)


# Acknowledgements that are none

def acknowledges_nothing(peer):
    peer.accept()
    for _ in peer.publishes():
        pass


def acknowledges_strangers(peer):
    peer.accept()
    for number, _, _ in peer.publishes():
        peer.write(answer(PUBACK, ((int.from_bytes(number, "big") + 20_000) % 65_535 + 1).to_bytes(2, "big")))


def acknowledges_number_zero(peer):
    peer.accept()
    for _ in peer.publishes():
        peer.write(answer(PUBACK, b"\0\0"))


def acknowledges_twice(peer):
    peer.accept()
    for number, topic, payload in peer.publishes():
        peer.take(topic, payload)
        peer.write(answer(PUBACK, number) * 2)


def acknowledges_with_other_packets(peer):
    peer.accept()
    for number, _, _ in peer.publishes():
        for kind in (PUBREC, PUBCOMP, SUBACK):
            peer.write(answer(kind, number, 0))


def acknowledges_before_it_is_sent(peer):
    """Of what is acknowledged so, all that comes is taken: the agent could not know better."""
    peer.handshake()
    peer.packet()
    early = [number.to_bytes(2, "big") for number in range(1, 101)]
    peer.write(ACCEPTED + b"".join(answer(PUBACK, number) for number in early))
    for number, topic, payload in peer.publishes():
        if number in early:
            peer.take(topic, payload)


def answers_with_every_reason(peer):
    """A burst is answered with one reason after the other; after the pause the first is taken, so that the next burst comes.
    Nothing is taken behind what was refused: the order of what a broker picks out would be its own."""
    peer.accept()
    for number, topic, payload in peer.publishes():
        now = time.monotonic()
        pause, peer.memory["latest"] = now - peer.memory.get("latest", 0), now
        code = 0
        if pause < 3:
            place = peer.memory.get("codes", 0)
            code = REASON_CODES[place] if place < len(REASON_CODES) else 0x80
            peer.memory["codes"] = place + 1
        if code < 0x80:
            peer.take(topic, payload)
        peer.write(answer(PUBACK, number, code))


# Hanging up

def hangs_up_before_tls(_):
    raise Gone


def hangs_up_on_connect(peer):
    peer.handshake()
    peer.packet()


def hangs_up_on_every_publish(peer):
    peer.accept()
    next(peer.publishes())


def disconnects_on_every_publish(peer):
    peer.accept()
    next(peer.publishes())
    peer.write(bytes((DISCONNECT, 1, 0x87)))


def resets_on_every_publish(peer):
    peer.accept()
    next(peer.publishes())
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


# Floods

def floods_with_messages(peer):
    peer.accept()
    message = publish_of("flood", bytes(1000)) * 60
    while True:
        peer.write(message)


def floods_with_messages_to_acknowledge(peer):
    peer.accept()
    message = b"".join(publish_of("flood", bytes(200), number.to_bytes(2, "big")) for number in range(1, 200))
    while True:
        peer.write(message)


def floods_with_one_huge_packet(peer):
    """The largest that MQTT knows: 256 MiB."""
    peer.accept()
    peer.write(bytes((PUBLISH, 0xFF, 0xFF, 0xFF, 0x7F)) + b"\0\5flood\0")
    while True:
        peer.write(bytes(16_384))


def announces_a_huge_packet(peer):
    peer.accept()
    peer.write(bytes((PUBLISH, 0xFF, 0xFF, 0xFF, 0x7F)) + b"\0\5flood\0")
    peer.silence()


def sends_malformed_packets(peer):
    malformed = (bytes((0, 0)), bytes((PUBLISH, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F)), bytes((PUBACK, 0)), bytes((PUBACK, 1, 0)),
                 bytes((PUBLISH | 6, 4)) + b"\0\1x\0", bytes((PUBLISH, 2)) + b"\xff\xff", bytes((CONNACK, 0)), bytes((0xF0, 0)),
                 bytes((PUBACK, 5)) + b"\0\1\0\x7f\x1f", bytes((SUBACK, 2)) + b"\0\1", bytes((DISCONNECT, 2)) + b"\x87\x7f",
                 bytes((PUBLISH, 5)) + b"\0\2\xc3\x28\0", bytes((CONNECT, 2)) + b"\0\0", bytes((PUBACK, 4)) + b"\0\1\0\xff")
    place = peer.memory.get("malformed", 0)
    peer.memory["malformed"] = place + 1
    if place % 3 == 2:  # in the CONNACK's place
        peer.handshake()
        peer.packet()
    else:
        peer.accept()
    peer.write(malformed[place % len(malformed)])
    for _ in peer.publishes():
        peer.write(malformed[place % len(malformed)])


def sends_random_bytes(peer):
    place = peer.memory.get("random", 0)
    peer.memory["random"] = place + 1
    chance = random.Random(place)
    if place % 4 == 0:
        while True:
            peer.send_raw(chance.randbytes(10_000))
    if place % 4 == 1:
        peer.handshake()
    else:
        peer.accept()
    while True:
        peer.write(chance.randbytes(chance.choice((1, 100, 10_000))))


BROKERS = {broker.__name__: broker for broker in (
    silent_before_tls, silent_in_the_handshake, silent_after_the_handshake, silent_after_connect, silent_after_connack,
    silent_in_a_puback, drips_the_handshake, drips_pubacks, acknowledges_nothing, acknowledges_strangers,
    acknowledges_number_zero, acknowledges_twice, acknowledges_with_other_packets, acknowledges_before_it_is_sent,
    answers_with_every_reason, hangs_up_before_tls, hangs_up_on_connect, hangs_up_on_every_publish,
    disconnects_on_every_publish, resets_on_every_publish, floods_with_messages, floods_with_messages_to_acknowledge,
    floods_with_one_huge_packet, announces_a_huge_packet, sends_malformed_packets, sends_random_bytes)}


class Switchboard:
    """The one address that the agent knows. Behind it stands one of the brokers above, or the good one: bytes go to and fro.
    Whoever is there when the board is switched loses the connection."""

    def __init__(self, ca, good_port, take):
        certificate = ca.server("localhost", "127.0.0.1")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._context.load_verify_locations(ca.file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._good_port = good_port
        self._take = take
        self._broker = None
        self._over = threading.Event()
        self._threads = []
        self.memory = {}
        self.connections = 0
        self.surprises = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def turn_to(self, broker):
        """`broker` is a function above; None: the good one."""
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._threads = []
        self.memory = {}
        self._broker = broker
        self._over = threading.Event()

    def _listen(self):
        while True:
            connection, _ = self._listener.accept()
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection, self._broker, self._over), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection, broker, over):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if broker is None:
                    self._pass_on(connection, over)
                else:
                    broker(Peer(connection, self._context, over, self._take, self.memory))
            except (Gone, OSError):
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.surprises.append(f"{getattr(broker, '__name__', 'good')}: {error!r}")

    def _pass_on(self, connection, over):
        with socket.create_connection(("127.0.0.1", self._good_port)) as good:
            back = threading.Thread(target=copy, args=(good, connection, over), daemon=True)
            back.start()
            copy(connection, good, over)
            back.join(5)


def copy(source, sink, over):
    source.settimeout(0.1)
    try:
        while not over.is_set():
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            if not data:
                break
            send_all(sink, data, over)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def send_all(sink, data, over):
    view = memoryview(data)
    while view and not over.is_set():
        try:
            view = view[sink.send(view):]
        except TimeoutError:
            continue


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
