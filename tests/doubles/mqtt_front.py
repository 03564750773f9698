# SPDX-License-Identifier: Apache-2.0
"""The front of a cloud service: MQTT 3.1.1 over mutual TLS, as strict as the service behind it says.

A real broker stands in front of a double where topics are all that matters. Where the service judges the CONNECT itself, answers
some subscriptions and refuses others, hangs up, discards or evicts, this does it. It also cuts the connection at the n-th message
that is not a reading, before or after the service has seen it: what happens to a device at every step of a conversation."""

import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14)
REFUSED_VERSION, REFUSED_ID, REFUSED_USER, REFUSED_RIGHTS = 1, 2, 4, 5


class HangUp(Exception):
    """The service ends the connection without a word, as it does with what it does not allow."""


@dataclass
class Hello:
    """What the client said in its CONNECT."""
    protocol: str
    level: int
    client_id: str
    clean: bool
    keep_alive: int
    username: str | None
    password: bytes | None
    will: tuple | None
    certificate_name: str = ""


@dataclass
class Session:
    hello: Hello
    connection: ssl.SSLSocket
    filters: dict = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    last_id: int = 0

    def send(self, kind, body, flags=0):
        length, size = b"", len(body)
        while True:
            size, low = divmod(size, 128)
            length += bytes((low | (0x80 if size else 0),))
            if not size:
                break
        with self.lock:
            self.connection.sendall(bytes((kind << 4 | flags,)) + length + body)


def matches(topic_filter, topic):
    wanted, given = topic_filter.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise HangUp("packet too short")
        part, self.data = self.data[:count], self.data[count:]
        return part

    def number(self):
        return struct.unpack(">H", self.take(2))[0]

    def blob(self):
        return self.take(self.number())

    def text(self):
        return self.blob().decode()


class MqttFront:
    """`service` has: connect(hello) -> CONNACK code; subscribe(hello, filter) -> granted QoS or 0x80; publish(hello, topic,
    payload, retain), may raise HangUp; is_reading(topic): not counted for cuts; and gets `front` set to us."""

    def __init__(self, authority, service, host="localhost"):
        self.ca, self.host, self.service = authority, host, service
        service.front = self
        certificate = authority.server(host, "127.0.0.1")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(certificate.certificate_file), str(certificate.key_file))
        self._context.load_verify_locations(str(authority.file))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sessions = {}
        self.connects = 0
        self.evictions = 0
        self.hang_ups = []
        self.messages = 0      # that are no readings, both ways
        self.cut_at = None     # (number of such a message, "before" or "after" the service saw or sent it)
        self.silent = False    # takes everything, answers nothing
        self._lock = threading.RLock()
        self._over = False

    @property
    def url(self):
        return f"mqtts://{self.host}:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._listener.close()
        self.drop_all()

    def drop_all(self):
        for session in list(self.sessions.values()):
            self._close(session)

    # For the service

    def send(self, client_id, topic, payload, qos=1):
        """Delivered if that client is connected and has subscribed; false otherwise, as nothing is kept."""
        session = self.sessions.get(client_id)
        if session is None or not any(matches(each, topic) for each in session.filters):
            return False
        if self._cut(session, "before"):
            return False
        name = topic.encode()
        session.last_id = session.last_id % 65535 + 1
        body = struct.pack(">H", len(name)) + name + (struct.pack(">H", session.last_id) if qos else b"")
        try:
            session.send(PUBLISH, body + (payload if isinstance(payload, bytes) else payload.encode()), qos << 1)
        except OSError:
            return False
        self._cut(session, "after", count=False)
        return True

    def is_subscribed(self, client_id, topic):
        session = self.sessions.get(client_id)
        return session is not None and any(matches(each, topic) for each in session.filters)

    # The wire

    def _cut(self, session, when, count=True):
        with self._lock:
            if count:
                self.messages += 1
            if self.cut_at != (self.messages, when):
                return False
            self.cut_at = None
        self._close(session)
        return True

    def _close(self, session):
        with self._lock:
            if self.sessions.get(session.hello.client_id) is session:
                del self.sessions[session.hello.client_id]
        try:
            session.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        session.connection.close()

    def _accept(self):
        while not self._over:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _packet(self, connection):
        def exactly(count):
            data = b""
            while len(data) < count:
                part = connection.recv(count - len(data))
                if not part:
                    raise ConnectionError
                data += part
            return data
        head, size, shift = exactly(1)[0], 0, 0
        while True:
            byte = exactly(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        return head >> 4, head & 15, Reader(exactly(size))

    def _serve(self, plain):
        session = None
        try:
            plain.settimeout(30)
            connection = self._context.wrap_socket(plain, server_side=True)
            kind, _, body = self._packet(connection)
            if kind != CONNECT:
                return
            hello = self._hello(body)
            names = dict(pair[0] for pair in connection.getpeercert()["subject"])
            hello.certificate_name = names.get("commonName", "")
            session = Session(hello, connection)
            code = self.service.connect(hello)
            if code == 0:
                with self._lock:
                    older = self.sessions.get(hello.client_id)
                    self.sessions[hello.client_id] = session
                    self.connects += 1
                if older is not None:
                    self.evictions += 1
                    self._close(older)
            session.send(CONNACK, bytes((0, code)))
            if code != 0:
                return
            connection.settimeout(hello.keep_alive * 1.5 if hello.keep_alive else None)
            while True:
                self._handle(session, *self._packet(connection))
        except HangUp as why:
            self.hang_ups.append(str(why))
        except (OSError, ConnectionError, ValueError):
            pass
        finally:
            if session is not None:
                self._close(session)
            plain.close()

    def _hello(self, body):
        protocol, level, flags, keep_alive = body.text(), body.take(1)[0], body.take(1)[0], body.number()
        if level == 5:  # whoever cares refuses it; properties are of no interest then
            return Hello(protocol, level, "", bool(flags & 2), keep_alive, None, None, None)
        client_id = body.text()
        will = (body.text(), body.blob()) if flags & 4 else None
        username = body.text() if flags & 128 else None
        password = body.blob() if flags & 64 else None
        return Hello(protocol, level, client_id, bool(flags & 2), keep_alive, username, password, will)

    def _handle(self, session, kind, flags, body):
        if kind == PUBLISH:
            self._published(session, flags, body)
        elif kind == SUBSCRIBE:
            number, granted = body.take(2), b""
            while body.data:
                wanted, qos = body.text(), body.take(1)[0]
                answer = self.service.subscribe(session.hello, wanted)
                if answer != 0x80:
                    session.filters[wanted] = min(qos, answer)
                    answer = min(qos, answer)
                granted += bytes((answer,))
            session.send(SUBACK, number + granted)
        elif kind == UNSUBSCRIBE:
            number = body.take(2)
            while body.data:
                session.filters.pop(body.text(), None)
            session.send(UNSUBACK, number)
        elif kind == PINGREQ:
            session.send(PINGRESP, b"")
        elif kind == DISCONNECT:
            raise ConnectionError
        elif kind != PUBACK:
            raise HangUp(f"packet {kind}")

    def _published(self, session, flags, body):
        qos, topic = flags >> 1 & 3, body.text()
        if qos == 2:
            raise HangUp("QoS 2")
        number = body.take(2) if qos else b""
        counts = not self.service.is_reading(topic)
        if counts and self._cut(session, "before"):
            raise ConnectionError
        if self.silent:
            return
        if self.service.publish(session.hello, topic, body.data, bool(flags & 1)) is False:
            return  # discarded: no acknowledgement
        if qos:
            session.send(PUBACK, number)
        if counts:
            self._cut(session, "after", count=False)


class Rate:
    """At most so many in any second."""

    def __init__(self, per_second):
        self.per_second, self._times, self.exceeded = per_second, [], 0

    def take(self):
        now = time.monotonic()
        self._times = [each for each in self._times if now - each < 1.0]
        if len(self._times) >= self.per_second:
            self.exceeded += 1
            return False
        self._times.append(now)
        return True
