# SPDX-License-Identifier: Apache-2.0
"""A throw-away certificate authority for one run, in the words of brokers and clients."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.test_ca import TestCa


@dataclass(frozen=True)
class Certificate:
    certificate_file: Path  # leaf first, then the intermediate
    key_file: Path


class CertificateAuthority:
    """Root and intermediate; `file` is what peers must trust."""

    def __init__(self, folder, name="Fieldpost throw-away"):
        self._authority = TestCa(folder, name=name)
        self.file = self._authority.root
        self.bundle = self._authority.bundle  # with the intermediate
        # Tests start many brokers and agents of the same name; a key pair each would cost them seconds.
        self._issued = {}

    def server(self, host, address):
        """A broker's certificate for a host name (or an address in its place)."""
        names = [] if host == address else [f"DNS:{host}"]
        if address:
            names.append(f"IP:{address}")
        return self._issue(f"server-{host}", host, names=names)

    def client(self, name):
        return self._issue(f"client-{name}", name, client=True)

    def answer(self, request, out, **options):
        """The chain for a request that a device made; in `out`."""
        return self._authority.answer(request, out, **options)

    def _issue(self, file, name, **options):
        if file not in self._issued:
            leaf = self._authority.issue(name, file=file, **options)
            self._issued[file] = Certificate(leaf.chain, leaf.key)
        return self._issued[file]
