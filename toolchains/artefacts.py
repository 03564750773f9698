# SPDX-License-Identifier: Apache-2.0
"""Finds one pinned archive after another and checks its SHA-256; dependencies.py says in what order it looks."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request


class Trouble(Exception):
    """What went wrong and what to do about it, in one line."""


def say(text):
    print(f"dependencies: {text}", file=sys.stderr, flush=True)


def cache_directory():
    named = os.environ.get("FIELDPOST_CACHE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".cache" / "fieldpost"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def lock(path, what):
    """One process at a time; the others wait and say for what. The kernel drops the lock of a process that dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build to finish {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Debian -----------------------------------------------------------------------------------------------------------


class Debian:
    """A private apt: own lists, own status, own cache; only the mirror, its key and the proxy are the machine's."""

    def __init__(self, directory, artefacts):
        """`artefacts` are all that may be asked for: their package lists are read at once, at the first question."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.artefacts = [artefact for artefact in artefacts if "debian" in artefact]
        self.updated = False
        self.batch = {}  # SHA-256 -> path of what one call of apt brought for all

    def fetch(self, artefact, destination):
        wanted = artefact["debian"]
        if not shutil.which("apt-get"):
            raise Trouble("this machine has no apt-get")
        self._update()
        if "package" in wanted and artefact["sha256"] in self.batch:
            shutil.move(self.batch.pop(artefact["sha256"]), destination)
            return
        with tempfile.TemporaryDirectory(dir=self.directory) as work:
            if "source" in wanted:
                version = self._source_version(artefact)
                part = "--diff-only" if "patches" in artefact else "--tar-only"
                command = ["apt-get", "source", "-qq", "--download-only", part, f"{wanted['source']}={version}"]
            else:
                command = ["apt-get", "download", "-qq", self._name(wanted)]
            result = self._run(command, cwd=work)
            for file in pathlib.Path(work).iterdir():
                if sha256(file) == artefact["sha256"]:
                    shutil.move(file, destination)
                    return
            reason = _last_line(result.stderr) or "apt delivered a different file"
            raise Trouble(f"Debian {wanted['suite']}: {reason}")

    @staticmethod
    def _name(wanted):
        suffix = "" if wanted["architecture"] == "all" else ":" + wanted["architecture"]
        return f"{wanted['package']}{suffix}={wanted['version']}"

    def _fetch_packages_together(self):
        # apt reads all its lists anew for each call, five seconds; should one package be gone, each is asked for alone.
        names = [self._name(artefact["debian"]) for artefact in self.artefacts if "package" in artefact["debian"]]
        if len(names) < 2:
            return
        folder = self.directory / "packages"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._run(["apt-get", "download", "-qq", *names], cwd=folder)
        self.batch = {sha256(file): file for file in folder.iterdir()}

    def _source_version(self, artefact):
        """The revision that carries the pinned file: the tarball stays while revisions come and go, patches come with one of them."""
        wanted = artefact["debian"]
        result = self._run(["apt-cache", "showsrc", "--only-source", wanted["source"]])
        seen = []
        for paragraph in result.stdout.split("\n\n"):
            version = next((l.split(" ", 1)[1] for l in paragraph.splitlines() if l.startswith("Version: ")), None)
            if version:
                seen.append(version)
                if artefact["sha256"] in paragraph:
                    return version
        offered = ", ".join(seen) or "nothing"
        raise Trouble(f"Debian: no revision of source {wanted['source']} holds {artefact['file']} (offered: {offered})")

    def _update(self):
        if self.updated:
            return
        mirror, options = self._mirror()
        entries = {}  # (deb or deb-src, suite) -> architectures
        for artefact in self.artefacts:
            wanted = artefact["debian"]
            architectures = entries.setdefault(("deb-src" if "source" in wanted else "deb", wanted["suite"]), set())
            if "architecture" in wanted:
                architectures.add("amd64" if wanted["architecture"] == "all" else wanted["architecture"])
        lines = []
        for (kind, suite), architectures in sorted(entries.items()):
            chosen = " ".join(options + ([f"arch={','.join(sorted(architectures))}"] if architectures else []))
            lines.append(f"{kind} [{chosen}] {mirror} {suite} main" if chosen else f"{kind} {mirror} {suite} main")
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").write_text("", encoding="ascii")
        (self.directory / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
        architectures = sorted(set().union(*entries.values()) | {"amd64"})
        (self.directory / "apt.conf").write_text(
            f'Dir::State "{self.directory}/state";\n'
            f'Dir::State::status "{self.directory}/status";\n'
            f'Dir::Cache "{self.directory}/cache";\n'
            f'Dir::Etc::sourcelist "{self.directory}/sources.list";\n'
            'Dir::Etc::sourceparts "/dev/null";\n'
            'Dir::Etc::preferences "/dev/null";\n'
            'Dir::Etc::preferencesparts "/dev/null";\n'
            f'APT::Architecture "{architectures[0]}";\n'
            "APT::Architectures { " + " ".join(f'"{a}";' for a in architectures) + " };\n"
            'APT::Sandbox::User "root";\n'  # the download folder is ours alone; _apt could not write to it
            'Acquire::Languages "none";\nAcquire::Retries "2";\nAcquire::http::Timeout "30";\n'
            "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n#clear DPkg::Post-Invoke;\n",
            encoding="utf-8",
        )
        say("reading Debian's package lists (20 to 60 MB)")
        result = self._run(["apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any"])
        if result.returncode != 0:
            raise Trouble(f"apt-get update: {_last_line(result.stderr)}")
        self.updated = True
        self._fetch_packages_together()

    def _run(self, command, cwd=None):
        environment = dict(os.environ, APT_CONFIG=str(self.directory / "apt.conf"), LC_ALL="C")
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)

    @staticmethod
    def _mirror():
        """Where this machine itself gets Debian from, with its signing key; never a host name of ours."""
        etc = pathlib.Path("/etc/apt")
        known = {"buster", "bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing", "oldstable", "unstable"}
        for path in sorted(etc.glob("sources.list.d/*.sources")):
            for paragraph in path.read_text(encoding="utf-8", errors="replace").split("\n\n"):
                fields = {}
                for line in paragraph.splitlines():
                    if not line.startswith(("#", " ", "\t")) and ":" in line:
                        key, value = line.split(":", 1)
                        fields[key.strip().lower()] = value.strip()
                if known & set(fields.get("suites", "").split()) and "main" in fields.get("components", "").split():
                    if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
                        continue
                    key = fields.get("signed-by", "")
                    return fields["uris"].split()[0], [f"signed-by={key}"] if key.startswith("/") else []
        for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
            if not path.is_file():
                continue
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                words = line.split("#", 1)[0].replace("[", " [ ").replace("]", " ] ").split()
                if not words or words[0] != "deb":
                    continue
                options = []
                if "[" in words and "]" in words:
                    options = [w for w in words[words.index("[") + 1 : words.index("]")] if w.startswith("signed-by=")]
                    words = words[: words.index("[")] + words[words.index("]") + 1 :]
                if len(words) >= 4 and words[2] in known and "main" in words[3:]:
                    return words[1], options
        raise Trouble("no Debian mirror stands in this machine's /etc/apt")


def _last_line(text):
    """apt's own sentence: the first error, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or [""])[0 if errors else -1]


# --- Finding ----------------------------------------------------------------------------------------------------------


def at_hand(artefact):
    """The path of an artefact that is here already and whose SHA-256 has been checked, or None."""
    name = artefact["file"]
    local = os.environ.get("FIELDPOST_DEPENDENCIES_DIR")
    if local:
        if not pathlib.Path(local).is_dir():
            raise Trouble(f"FIELDPOST_DEPENDENCIES_DIR names {local}, which is not a folder; correct or unset it")
        candidate = pathlib.Path(local) / name
        if candidate.is_file():
            found = sha256(candidate)
            if found != artefact["sha256"]:
                raise Trouble(
                    f"{candidate}: SHA-256 is {found}, dependencies.json pins {artefact['sha256']};"
                    " replace the file, or remove it to have it fetched"
                )
            return candidate
    cached = cache_path(artefact)
    if cached.is_file():
        if sha256(cached) == artefact["sha256"]:
            return cached
        say(f"{cached} is damaged; fetching it again")
        cached.unlink()
    return None


def cache_path(artefact):
    return cache_directory() / "artefacts" / f"{artefact['sha256'][:16]}-{artefact['file']}"


def fetch_all(artefacts):
    """The paths of all of them, each checked; what is not here is fetched."""
    with lock(cache_directory() / "fetch.lock", "fetching"):
        paths = [at_hand(artefact) for artefact in artefacts]
        missing = [artefact for artefact, path in zip(artefacts, paths) if path is None]
        debian = Debian(cache_directory() / "apt", missing)
        return [path or fetch(artefact, debian) for artefact, path in zip(artefacts, paths)]


def fetch(artefact, debian):
    name = artefact["file"]
    cached = cache_path(artefact)
    cached.parent.mkdir(parents=True, exist_ok=True)

    reasons = []
    partial = cached.with_suffix(cached.suffix + ".partial")
    say(f"fetching {name}")
    for source, attempt in (("debian", debian.fetch), ("url", fetch_upstream)):
        if source not in artefact:
            continue
        try:
            attempt(artefact, partial)
            found = sha256(partial)
            if found != artefact["sha256"]:
                partial.unlink()
                raise Trouble(f"{source}: SHA-256 is {found}, dependencies.json pins {artefact['sha256']}")
            partial.rename(cached)
            return cached
        except Trouble as trouble:
            reasons.append(str(trouble))
    raise Trouble(
        f"{name} is not to be had: {'; '.join(reasons)}. Put the file into a folder and set FIELDPOST_DEPENDENCIES_DIR to"
        " it, or run `toolchains/dependencies.py collect FOLDER` on a machine with internet"
    )


def fetch_upstream(artefact, destination):
    try:
        with urllib.request.urlopen(artefact["url"], timeout=30) as answer, open(destination, "wb") as file:
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, OSError) as error:
        raise Trouble(f"upstream: {getattr(error, 'reason', error)}") from error
