# SPDX-License-Identifier: Apache-2.0
"""A throw-away certificate authority for tests, made with the openssl command.

    ca = TestCa(directory)                    # root and intermediate, EC P-256
    server = ca.issue("localhost", names=["DNS:localhost", "IP:127.0.0.1"])
    device = ca.issue("device-7", client=True, key="rsa2048")
    server.chain, server.key, ca.root         # paths of PEM files

A leaf is signed by the intermediate and `chain` holds both, so that peers need only `ca.root`.
Every certificate is valid from an hour ago for ten days unless told otherwise; nothing here is secret,
nothing is kept, and no key may be used outside tests.
"""
import datetime
import os
import pathlib
import subprocess

KEYS = {
    "p256": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa2048": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa1024": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
}
NOW = datetime.timedelta()
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

CONFIGURATION = """
[ca]
default_ca = this
[this]
dir = {directory}
database = {directory}/index.txt
new_certs_dir = {directory}/issued
serial = {directory}/serial
crlnumber = {directory}/crlnumber
certificate = {directory}/ca.pem
private_key = {directory}/ca.key
default_md = sha256
default_days = 10
default_crl_days = 10
policy = anything
unique_subject = no
email_in_dn = no
copy_extensions = none
[anything]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
"""


def openssl(*words, given=None):
    result = subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, words))}: {result.stderr.strip()}")
    return result.stdout


def stamp(offset):
    """The time `offset` from now as `openssl ca` wants it."""
    return (datetime.datetime.now(datetime.timezone.utc) + offset).strftime("%Y%m%d%H%M%SZ")


def make_key(path, kind="p256"):
    openssl(*KEYS[kind], "-out", path)
    os.chmod(path, 0o600)
    return path


class Leaf:
    """One issued certificate: `certificate` alone, `chain` with its intermediate, `key`."""

    def __init__(self, directory, name):
        self.name = name
        self.certificate = directory / f"{name}.pem"
        self.chain = directory / f"{name}.chain.pem"
        self.key = directory / f"{name}.key"

    def key_as(self, form, password=None):
        """The same key in another form: pkcs8, pkcs8-encrypted, sec1, pkcs1, pkcs8-der, legacy-encrypted."""
        path = self.key.with_suffix(f".{form}")
        commands = {
            "pkcs8": ["pkcs8", "-topk8", "-nocrypt"],
            "pkcs8-der": ["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"],
            "pkcs8-encrypted": ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", f"pass:{password}"],
            "sec1": ["ec"],
            "pkcs1": ["rsa", "-traditional"],
            "legacy-encrypted": ["ec", "-aes256", "-passout", f"pass:{password}"],
        }
        openssl(*commands[form], "-in", self.key, "-out", path)
        os.chmod(path, 0o600)
        return path


class Authority:
    """One CA key and what it signed, kept by `openssl ca` so that it can revoke."""

    def __init__(self, directory, name, key="p256", above=None, starts=-HOUR, lasts=10 * DAY):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        (self.directory / "issued").mkdir()
        (self.directory / "index.txt").touch()
        (self.directory / "serial").write_text("1000\n", encoding="ascii")
        (self.directory / "crlnumber").write_text("01\n", encoding="ascii")
        self.configuration = self.directory / "ca.cnf"
        self.configuration.write_text(CONFIGURATION.format(directory=self.directory), encoding="ascii")
        self.certificate = self.directory / "ca.pem"
        self.key = make_key(self.directory / "ca.key", key)
        extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
                      "subjectKeyIdentifier=hash"]
        (above or self).sign(self.key, f"/CN={name}", self.certificate, extensions, starts, lasts, own=above is None)

    def sign(self, key, subject, out, extensions, starts=-HOUR, lasts=10 * DAY, own=False):
        request = out.with_suffix(".csr")
        openssl("req", "-new", "-key", key, "-subj", subject, "-config", self.configuration, "-out", request)
        self.sign_request(request, out, extensions, starts, lasts, own)

    def sign_request(self, request, out, extensions, starts=-HOUR, lasts=10 * DAY, own=False):
        # Serial and database of their own even for the root's own certificate, so that all can be revoked.
        extension_file = out.with_suffix(".ext")
        extension_file.write_text("[x]\n" + "\n".join(extensions) + "\n", encoding="ascii")
        openssl("ca", "-batch", "-notext", "-config", self.configuration, *(["-selfsign"] if own else []),
                "-keyfile", self.key, "-in", request, "-out", out, "-extfile", extension_file, "-extensions", "x",
                "-startdate", stamp(starts), "-enddate", stamp(starts + lasts))

    @staticmethod
    def leaf_extensions(usage):
        return ["basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature", f"extendedKeyUsage={usage}"]

    def answer(self, request, out, usage="clientAuth", **times):
        """Signs what a device asked for; `out` gets the chain, its own certificate first."""
        self.sign_request(request, out, self.leaf_extensions(usage), **times)
        out.write_text(out.read_text() + self.certificate.read_text(), encoding="ascii")
        return out

    def issue(self, name, names=(), client=False, key="p256", starts=-HOUR, lasts=9 * DAY, usage=None, file=None):
        leaf = Leaf(self.directory, (file or name).replace("*", "any"))
        make_key(leaf.key, key)
        extensions = self.leaf_extensions(usage or ("clientAuth" if client else "serverAuth"))
        if names:
            extensions.append("subjectAltName=" + ",".join(names))
        self.sign(leaf.key, f"/CN={name}", leaf.certificate, extensions, starts, lasts)
        leaf.chain.write_text(leaf.certificate.read_text() + self.certificate.read_text(), encoding="ascii")
        return leaf

    def revoke(self, leaf):
        openssl("ca", "-batch", "-config", self.configuration, "-revoke", leaf.certificate)

    def revocation_list(self, name="crl.pem", starts=-HOUR, lasts=9 * DAY):
        path = self.directory / name
        openssl("ca", "-batch", "-config", self.configuration, "-gencrl", "-crl_lastupdate", stamp(starts),
                "-crl_nextupdate", stamp(starts + lasts), "-out", path)
        return path


class TestCa:
    """A root and an intermediate; issue() and revoke() are the intermediate's."""

    __test__ = False  # pytest takes it for a test otherwise

    def __init__(self, directory, key="p256", name="Fieldpost Test"):
        directory = pathlib.Path(directory)
        self.root_authority = Authority(directory / "root", f"{name} Root", key)
        self.intermediate = Authority(directory / "intermediate", f"{name} Intermediate", key, above=self.root_authority)
        self.root = self.root_authority.certificate
        self.bundle = directory / "bundle.pem"
        self.bundle.write_text(self.root.read_text() + self.intermediate.certificate.read_text(), encoding="ascii")

    def issue(self, *words, **options):
        return self.intermediate.issue(*words, **options)

    def answer(self, *words, **options):
        return self.intermediate.answer(*words, **options)

    def revoke(self, leaf):
        self.intermediate.revoke(leaf)

    def revocation_list(self, **options):
        return self.intermediate.revocation_list(**options)
