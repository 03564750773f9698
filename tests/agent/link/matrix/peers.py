# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave on purpose, each on a loopback port of its own and in threads of its own:
a broker that says what it is told to say, proxies that trickle, throttle or fall silent."""
import contextlib
import socket
import ssl
import threading
import time

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 12, 14


class Peer:
    """Listens until the test ends; serve(connection) runs in a thread for each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.connections = []
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.accepted += 1
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError, ssl.SSLError, EOFError, ValueError):
            self.serve(connection)

    def serve(self, connection):
        raise NotImplementedError

    def close(self):
        self.ended.set()
        for one in [self.listener, *self.connections]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Silent(Peer):
    """Accepts and never says a word."""

    def serve(self, connection):
        while connection.recv(65536):
            pass


class Says(Peer):
    """Answers the first bytes with fixed ones and hangs up."""

    def __init__(self, answer):
        self.answer = answer
        super().__init__()

    def serve(self, connection):
        connection.recv(65536)
        connection.sendall(self.answer)
        time.sleep(0.2)
        connection.close()


def tls_context(certificates, server=None, client_ca=True, highest=None, lowest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = server or certificates.server
    context.load_cert_chain(server.chain, server.key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca.root)
    if highest:
        context.maximum_version = highest
    if lowest:
        context.minimum_version = lowest
    return context


def exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_packet(connection):
    """Type, flags and body of one MQTT packet."""
    first = exactly(connection, 1)[0]
    length = shift = 0
    while True:
        byte = exactly(connection, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first >> 4, first & 15, exactly(connection, length)


class FakeBroker(Peer):
    """A broker of two hundred lines' worth of manners: what it answers is up to the test.

    connack: bytes after the fixed header, or None for silence. puback: a reason code, or None for none.
    on_publish: called with (broker, connection, number of publish); True ends the usual answer.
    """

    def __init__(self, context=None, version=5, connack=None, silent=False, puback=0, on_publish=None, session_tickets=2):
        self.context = context
        self.version = version
        self.connack = connack if connack is not None else (b"\0\0\0" if version == 5 else b"\0\0")
        self.silent = silent
        self.puback = puback
        self.on_publish = on_publish
        self.reused = []
        self.alpn = []
        self.names = []
        self.versions = []
        self.connects = []
        self.published = 0
        self.pings = 0
        self.said_goodbye = 0
        if context:
            context.num_tickets = session_tickets
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        super().__init__()

    def serve(self, connection):
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
            self.connections.append(connection)
            self.reused.append(connection.session_reused)
            self.alpn.append(connection.selected_alpn_protocol())
            self.versions.append(connection.version())
        while True:
            kind, flags, body = read_packet(connection)
            if kind == CONNECT:
                self.connects.append(body)
                if self.silent:
                    continue
                connection.sendall(bytes([CONNACK << 4, len(self.connack)]) + self.connack)
                refused = self.connack[1] != 0
                if refused:
                    connection.close()
                    return
            elif kind == PUBLISH:
                self.published += 1
                if self.on_publish and self.on_publish(self, connection, self.published):
                    continue
                qos = flags >> 1 & 3
                if qos and self.puback is not None:
                    at = 2 + int.from_bytes(body[:2], "big")
                    reason = bytes([self.puback, 0]) if self.version == 5 and self.puback else b""
                    connection.sendall(bytes([PUBACK << 4, 2 + len(reason)]) + body[at:at + 2] + reason)
            elif kind == PINGREQ:
                self.pings += 1
                connection.sendall(b"\xd0\0")
            elif kind == DISCONNECT:
                self.said_goodbye += 1


class Forward(Peer):
    """A proxy to 127.0.0.1:`upstream`; subclasses say how bytes pass."""

    def __init__(self, upstream):
        self.upstream = upstream
        super().__init__()

    def serve(self, connection):
        other = socket.create_connection(("127.0.0.1", self.upstream))
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.append(other)
        back = threading.Thread(target=self._pass, args=(other, connection, "down"), daemon=True)
        back.start()
        self._pass(connection, other, "up")
        back.join()

    def _pass(self, source, target, direction):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.carry(data, target, direction)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def carry(self, data, target, direction):
        target.sendall(data)


class Trickle(Forward):
    """Seven bytes at a time, so that every record and packet arrives in pieces."""

    def carry(self, data, target, direction):
        for at in range(0, len(data), 7):
            target.sendall(data[at:at + 7])


class Throttle(Forward):
    """So many bytes a second upstream, and small buffers in between."""

    def __init__(self, upstream, bytes_per_second):
        self.rate = bytes_per_second
        super().__init__(upstream)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)

    def carry(self, data, target, direction):
        if direction == "down":
            target.sendall(data)
            return
        for at in range(0, len(data), 4096):
            piece = data[at:at + 4096]
            target.sendall(piece)
            time.sleep(len(piece) / self.rate)


class BlackHole(Forward):
    """Passes everything until told to swallow; then nothing passes and nothing ends."""

    def __init__(self, upstream, after_down=None):
        self.swallow = threading.Event()
        self.left_down = after_down
        super().__init__(upstream)

    def carry(self, data, target, direction):
        if direction == "down" and self.left_down is not None:
            data, self.left_down = data[:self.left_down], max(0, self.left_down - len(data))
        if not self.swallow.is_set():
            target.sendall(data)


class HttpProxy(Peer):
    """An HTTP proxy that makes tunnels, or answers with `status` instead; `user` is "user:password"."""

    def __init__(self, status="200 Connection established", user=None):
        self.status = status
        self.user = user
        self.asked = []
        super().__init__()

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += exactly(connection, 1)
        text = head.decode("ascii")
        self.asked.append(text)
        host, port = text.split(" ")[1].rsplit(":", 1)
        status = self.status
        if self.user is not None:
            import base64  # pylint: disable=import-outside-toplevel
            wanted = "Proxy-Authorization: Basic " + base64.b64encode(self.user.encode()).decode()
            if wanted not in text:
                status = "407 Proxy Authentication Required"
        if not status.startswith("200"):
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            connection.close()
            return
        tunnel = Forward.__new__(Forward)
        tunnel.upstream = int(port)
        tunnel.connections = self.connections
        assert host in ("localhost", "127.0.0.1")
        connection.sendall(f"HTTP/1.1 {status}\r\nVia: test\r\n\r\n".encode())
        Forward.serve(tunnel, connection)
