# SPDX-License-Identifier: Apache-2.0
"""Azure's Device Provisioning Service as a device sees it: an MQTT 3.1.1 server of its own, for no broker would refuse what it does.

After reference/protocols.md 2.3: user name with scope, registration and api-version; the certificate's common name is the
registration; one subscription, two requests; retry-after is kept. Who breaks a rule is refused as the service would, or hung up on,
and `refusals` says why. `ending` is how a registration ends; `issuer` signs requests (preview)."""

import base64
import json
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

USERNAME = re.compile(r"(?P<scope>[^/]+)/registrations/(?P<id>[^/]+)/api-version=(?P<version>.+)")
VERSION, PREVIEW = "2019-03-31", "2025-07-01-preview"
ANSWERS = "$dps/registrations/res/#"
REGISTER = re.compile(r"\$dps/registrations/PUT/iotdps-register/\?\$rid=(?P<number>[^&]+)")
STATUS = re.compile(r"\$dps/registrations/GET/iotdps-get-operationstatus/\?\$rid=(?P<number>[^&]+)&operationId=(?P<operation>.+)")


class HangUp(Exception):
    pass


class AzureDps:
    def __init__(self, authority, folder, *, port, scope="0ne00ABCDEF", known=("proof-1",), hub="hub-7.azure-devices.net",
                 device="{id}", ending="assigned", polls=2, retry_after=1, throttle=0, drop=0, issuer=None, at_once=False):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.scope, self.known = folder, port, scope, set(known)
        self.hub, self.device, self.ending, self.polls = hub, device, ending, polls
        self.retry_after, self.throttle, self.drop, self.issuer, self.at_once = retry_after, throttle, drop, issuer, at_once
        self.refusals, self.assigned = [], []
        self._operations = {}  # operation -> polls left, request
        self._early = {}       # operation -> not before
        certificate = authority.server("localhost", "127.0.0.1")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._context.load_verify_locations(authority.file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", port))

    @property
    def host(self):
        return f"localhost:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        peer.settimeout(60)
        try:
            with self._context.wrap_socket(peer, server_side=True) as stream:
                _Conversation(self, stream).run()
        except HangUp as why:
            self.refusals.append(str(why))
        except OSError:
            pass

    def register(self, session, number, body):
        asked = json.loads(body)
        if not set(asked) <= {"registrationId", "payload", "csr"} or asked.get("registrationId") != session["id"]:
            return 400, {"errorCode": 400004, "message": "the registration in the body"}, None
        if self.throttle > 0:
            self.throttle -= 1
            return 429, {"errorCode": 429001, "message": "too many"}, self.retry_after
        if session["id"] not in self.known:
            return 401, {"errorCode": 401002, "message": "no such enrolment"}, None
        if "csr" in asked and (session["version"] != PREVIEW or not self._is_request(asked["csr"], session["id"])):
            return 400, {"errorCode": 400001, "message": "the csr"}, None
        operation = f"5.{len(self._operations)}.abc"
        self._operations[operation] = [self.polls, asked.get("csr")]
        self._early[operation] = time.monotonic() + self.retry_after
        if self.at_once:
            self._operations[operation][0] = self._early[operation] = 0
            return self.status(session, operation)
        return 202, {"operationId": operation, "status": "assigning"}, self.retry_after

    def status(self, session, operation):
        if operation not in self._operations:
            return 404, {"errorCode": 404201, "message": "no such operation"}, None
        if time.monotonic() < self._early[operation]:
            self.refusals.append("too early")
            return 429, {"errorCode": 429001, "message": "too early"}, self.retry_after
        left, request = self._operations[operation]
        if left > 0:
            self._operations[operation][0] -= 1
            self._early[operation] = time.monotonic() + self.retry_after
            return 202, {"operationId": operation, "status": "assigning"}, self.retry_after
        state = {"registrationId": session["id"], "status": self.ending}
        if self.ending == "assigned":
            state |= {"assignedHub": self.hub, "deviceId": self.device.format(id=session["id"]), "substatus": "initialAssignment"}
            if request:
                state["issuedCertificateChain"] = self._issue(request)
            self.assigned.append(session["id"])
        else:
            state |= {"errorCode": 400209, "errorMessage": "no hub left"}
        return 200, {"operationId": operation, "status": self.ending, "registrationState": state}, None

    def _is_request(self, text, name):
        try:
            der = base64.b64decode(text, validate=True)
        except ValueError:
            return False
        told = subprocess.run(["openssl", "req", "-inform", "DER", "-noout", "-verify", "-subject", "-nameopt", "RFC2253"],
                              input=der, capture_output=True, check=False)
        return told.returncode == 0 and f"subject=CN={name}\n" in told.stdout.decode()

    def _issue(self, request):
        der, pem = self.folder / "asked.der", self.folder / "asked.csr"
        der.write_bytes(base64.b64decode(request))
        subprocess.run(["openssl", "req", "-inform", "DER", "-in", der, "-out", pem], check=True)
        chain = self.issuer.answer(pem, self.folder / "issued.pem").read_text()
        return ["".join(part.split("-----BEGIN CERTIFICATE-----")[1].split()) for part in chain.split("-----END CERTIFICATE-----")[:-1]]


class _Conversation:
    """One connection, packet by packet (MQTT 3.1.1)."""

    def __init__(self, service, stream):
        self.service, self.stream = service, stream
        self.session, self.subscribed = None, False

    def run(self):
        self._connect()
        while True:
            kind, flags, body = self._packet()
            if kind == 8:
                self._subscribe(body)
            elif kind == 3:
                self._publish(flags, body)
            elif kind == 12:
                self.stream.sendall(b"\xd0\x00")
            elif kind == 14:
                return
            elif kind != 4:
                raise HangUp(f"packet {kind}")

    def _exactly(self, count):
        read = b""
        while len(read) < count:
            piece = self.stream.recv(count - len(read))
            if not piece:
                raise OSError("closed")
            read += piece
        return read

    def _packet(self):
        first = self._exactly(1)[0]
        length, shift = 0, 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first >> 4, first & 15, self._exactly(length)

    @staticmethod
    def _text(body, at):
        length = struct.unpack_from(">H", body, at)[0]
        return body[at + 2:at + 2 + length].decode(), at + 2 + length

    def _connect(self):
        kind, _, body = self._packet()
        protocol, at = self._text(body, 0)
        if kind != 1 or protocol != "MQTT" or body[at] != 4:
            self.stream.sendall(b"\x20\x02\x00\x01")
            raise HangUp("not MQTT 3.1.1")
        flags = body[at + 1]
        client, at = self._text(body, at + 4)
        if flags & 0x04 or not flags & 0x02:
            raise HangUp("a will, or a session that is kept")
        username = self._text(body, at)[0] if flags & 0x80 else ""
        parts = USERNAME.fullmatch(username)
        subject = dict(pair[0] for pair in self.stream.getpeercert()["subject"])
        why = None
        if not parts or parts["version"] not in (VERSION, PREVIEW):
            why = "the user name's form"
        elif parts["scope"] != self.service.scope:
            why = "unknown scope"
        elif client != parts["id"] or subject["commonName"] != parts["id"]:
            why = "client identifier, registration and common name differ"
        if why:
            self.stream.sendall(b"\x20\x02\x00\x05")
            raise HangUp(why)
        self.session = parts.groupdict()
        self.stream.sendall(b"\x20\x02\x00\x00")

    def _subscribe(self, body):
        topic, _ = self._text(body, 2)
        if topic != ANSWERS:
            raise HangUp(f"subscription to {topic}")
        self.subscribed = True
        self.stream.sendall(b"\x90\x03" + body[:2] + b"\x01")

    def _publish(self, flags, body):
        topic, at = self._text(body, 0)
        qos = flags >> 1 & 3
        if qos == 2 or flags & 1:
            raise HangUp("QoS 2 or retained")
        if qos == 1:
            self.stream.sendall(b"\x40\x02" + body[at:at + 2])
            at += 2
        if not self.subscribed:
            raise HangUp("a request before its subscription")
        if self.service.drop > 0:
            self.service.drop -= 1
            raise OSError("dropped")
        register, status = REGISTER.fullmatch(topic), STATUS.fullmatch(topic)
        if register:
            code, answer, wait = self.service.register(self.session, register["number"], body[at:])
        elif status and not body[at:]:
            code, answer, wait = self.service.status(self.session, status["operation"])
        else:
            raise HangUp(f"publish on {topic}")
        place = f"$dps/registrations/res/{code}/?$rid={(register or status)['number']}" + (f"&retry-after={wait}" if wait else "")
        packet = struct.pack(">H", len(place)) + place.encode() + json.dumps(answer).encode()
        length, head = len(packet), b"\x30"
        while True:
            head += bytes([length % 128 | (128 if length > 127 else 0)])
            length //= 128
            if not length:
                break
        self.stream.sendall(head + packet)
