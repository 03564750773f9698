# SPDX-License-Identifier: Apache-2.0
"""An EST server (RFC 7030) as a device sees it: cacerts, simpleenroll, simplereenroll over HTTPS.

Strict: method, path, content type, base64, the request's own signature, who may ask; and that a request answered with 202 comes
again unchanged, and not before its time. `spoil` answers wrongly in one way; `pending` answers 202 that often first."""

import base64
import binascii
import http.server
import ssl
import subprocess
import threading
import time

PLACE = "/.well-known/est/"
SPOILS = ("content-type", "another-key", "expired", "truncated", "two-lengths", "no-certificate", "not-base64", "endless")


class Refused(Exception):
    def __init__(self, status, words, **headers):
        super().__init__(words)
        self.status, self.words, self.headers = status, words, headers


class EstServer:
    def __init__(self, authority, folder, *, port, users=None, pending=0, retry_after=1, spoil=None, chunked=False, silent=0, redirect=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority, self.folder, self.port = authority, folder, port
        self.users, self.pending, self.retry_after = users or {}, pending, retry_after
        self.spoil, self.chunked, self.silent, self.redirect = spoil, chunked, silent, redirect
        self.issued = []    # (operation, subject)
        self.refusals = []  # status
        self._promised = None  # (request, not before)
        self._number = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self):
                server.serve(self)

            def do_POST(self):
                server.serve(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        certificate = authority.server("localhost", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler):
        try:
            if self.silent > 0:
                self.silent -= 1
                handler.close_connection = True
                return
            if handler.headers.get("Host") != f"localhost:{self.port}":
                raise Refused(400, "wrong Host")
            answer = self._answer(handler)
        except Refused as refused:
            self.refusals.append(refused.status)
            words = refused.words.encode()
            handler.send_response(refused.status)
            for name, value in {"Content-Type": "text/plain", "Content-Length": len(words), **refused.headers}.items():
                handler.send_header(name.replace("_", "-"), str(value))
            handler.end_headers()
            handler.wfile.write(words)
            return
        self._give(handler, answer)

    def _give(self, handler, answer):
        operation = handler.path.rsplit("/", 1)[1]
        spoil = None if operation == "cacerts" else self.spoil
        if spoil == "not-base64":
            answer = b"%%%%"
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html" if spoil == "content-type" else
                            "application/pkcs7-mime; smime-type=certs-only" if operation != "cacerts" else "application/pkcs7-mime")
        handler.send_header("Content-Transfer-Encoding", "base64")
        if spoil == "endless":
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b"A" * 65536)
            except OSError:
                return
        if self.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for at in range(0, len(answer), 100):
                piece = answer[at:at + 100]
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\n\r\n")
            return
        handler.send_header("Content-Length", str(len(answer)))
        if spoil == "two-lengths":
            handler.send_header("Content-Length", str(len(answer) + 1))
        handler.end_headers()
        handler.wfile.write(answer[:len(answer) // 2] if spoil == "truncated" else answer)
        handler.close_connection = True

    def _answer(self, handler):
        if self.redirect and handler.path.startswith(PLACE):
            raise Refused(302, "elsewhere", Location=self.redirect + handler.path)
        operation = handler.path.removeprefix(PLACE) if handler.path.startswith(PLACE) else None
        if operation == "cacerts":
            if handler.command != "GET":
                raise Refused(405, "GET only")
            return self._bag(self.authority.bundle)
        if operation not in ("simpleenroll", "simplereenroll"):
            raise Refused(404, "no such operation")
        if handler.command != "POST":
            raise Refused(405, "POST only")
        if handler.headers.get("Content-Type") != "application/pkcs10":
            raise Refused(415, "application/pkcs10 is wanted")
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request, subject = self._request(body)
        self._authorise(handler, operation, subject)
        if self._promised and (request != self._promised[0] or time.monotonic() < self._promised[1]):
            raise Refused(400, "another request, or too early")
        if self.pending > 0:
            self.pending -= 1
            self._promised = (request, time.monotonic() + self.retry_after)
            raise Refused(202, "an operator decides", Retry_After=self.retry_after)
        self.issued.append((operation, subject))
        return self._issue(request)

    def _request(self, body):
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error as error:
            raise Refused(400, "no base64") from error
        self._number += 1
        file = self.folder / f"{self._number}.csr"
        told = subprocess.run(["openssl", "req", "-inform", "DER", "-out", file, "-verify"], input=der, capture_output=True, check=False)
        if told.returncode != 0 or b"verify OK" not in told.stderr:
            raise Refused(400, "the request does not verify")
        subject = subprocess.run(["openssl", "req", "-in", file, "-noout", "-subject", "-nameopt", "RFC2253"],
                                 check=True, capture_output=True, text=True).stdout
        return file.read_text(), subject.strip().removeprefix("subject=")

    def _authorise(self, handler, operation, subject):
        certificate = handler.connection.getpeercert()
        name = certificate and dict(pair[0] for pair in certificate["subject"])["commonName"]
        if operation == "simplereenroll":
            if name is None:
                raise Refused(401, "a renewal comes with the present certificate")
            if f"CN={name}" not in subject:
                raise Refused(403, "a renewal is for the same subject")
            return
        given = handler.headers.get("Authorization", "")
        known = [base64.b64encode(f"{user}:{word}".encode()).decode() for user, word in self.users.items()]
        if name is None and given.removeprefix("Basic ") not in known:
            raise Refused(401, "who are you?", WWW_Authenticate='Basic realm="est"')

    def _issue(self, request):
        file = self.folder / f"{self._number}.asked.csr"
        file.write_text(request)
        chain = self.folder / f"{self._number}.pem"
        times = {}
        if self.spoil == "expired":
            from tests.support.test_ca import DAY
            times = {"starts": -9 * DAY, "lasts": 8 * DAY}
        self.authority.answer(file, chain, **times)
        if self.spoil == "another-key":
            chain = self.authority.client("somebody").certificate_file
        if self.spoil == "no-certificate":
            return self._bag(self.authority.file)
        leaf = self.folder / "leaf.pem"
        leaf.write_text(chain.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        return self._bag(leaf)  # the issued one alone, as RFC 7030 4.2.3 has it

    @staticmethod
    def _bag(file):
        der = subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", file, "-outform", "DER"], check=True, capture_output=True).stdout
        return base64.encodebytes(der)
