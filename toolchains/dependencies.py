#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds, checks, unpacks and builds the third-party code that dependencies.json pins.

Each artefact is looked for in this order, and its SHA-256 is checked wherever it came from:
  1. the folder FIELDPOST_DEPENDENCIES_DIR names (a machine without internet; fill it with `collect`)
  2. the cache, ${FIELDPOST_CACHE:-~/.cache/fieldpost}/artefacts
  3. Debian, through a private apt configuration that takes the mirror from this machine's own sources; the machine's
     configuration, package lists and architectures are left alone
  4. upstream, where upstream's file is byte for byte the pinned one

CMake calls `build`; a person calls the others.
"""
import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BUILD_RULES = "1"  # raise it when this file changes what it builds
TARGETS = ("amd64", "arm64", "armhf", "armel", "riscv64")


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


def load_pins():
    path = HERE / "dependencies.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError) as error:
        raise Trouble(f"{path}: cannot be read as the list of dependencies ({error}); restore it with git") from error


def artefacts_for(pins, target):
    """(dependency, artefact) pairs that a build for `target` needs; target None means all of them."""
    for dependency in pins:
        chosen = [a for a in dependency["artefacts"] if target is None or a.get("target", target) == target]
        if not chosen:
            raise Trouble(f"{dependency['name']}: dependencies.json has no artefact for {target}; add one")
        for artefact in chosen:
            yield dependency, artefact


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
                command = ["apt-get", "source", "-qq", "--download-only", f"{wanted['source']}={version}"]
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
        """The revision that carries the pinned tarball; revisions come and go, the tarball stays."""
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


# --- Unpacking --------------------------------------------------------------------------------------------------------


def unpack(archive, directory):
    """A tarball without its top folder, or the files of a Debian package."""
    directory.mkdir(parents=True)
    if archive.name.endswith(".deb"):
        name, content = _debian_payload(archive)
        if name.endswith(".zst"):
            raise Trouble(f"{archive.name}: compressed with zstd, which Python's library cannot read; pin another build")
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            _extract(tar, directory)
        return
    with tarfile.open(archive) as tar:
        _extract(tar, directory)
    top = list(directory.iterdir())
    if len(top) == 1 and top[0].is_dir():
        for child in top[0].iterdir():
            child.rename(directory / child.name)
        top[0].rmdir()


def _extract(tar, directory):
    # The archive's hash has been checked; the filter (Python 3.11.4 and later) is the second lock on the door.
    if hasattr(tarfile, "data_filter"):
        tar.extractall(directory, filter="data")
    else:
        tar.extractall(directory)


def _debian_payload(path):
    """A .deb is an ar archive; dpkg is not needed to read it."""
    with open(path, "rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise Trouble(f"{path}: not a Debian package")
        while header := file.read(60):
            name = header[:16].decode("ascii").strip().rstrip("/")
            size = int(header[48:58])
            content = file.read(size + size % 2)[:size]
            if name.startswith("data.tar"):
                return name, content
    raise Trouble(f"{path}: holds no data.tar")


def prepare_sources(pins, target, directory):
    """Every dependency's files below `directory`, patched, and SQLite's amalgamation generated."""
    needed = list(artefacts_for(pins, target))
    archives = fetch_all([artefact for _, artefact in needed])
    for (dependency, artefact), archive in zip(needed, archives):
        key = hashlib.sha256(artefact["sha256"].encode())
        patches = sorted((HERE / dependency["patches"]).glob("*.patch")) if "patches" in dependency else []
        for patch in patches:
            key.update(patch.read_bytes())
        key.update(json.dumps(dependency.get("defines", [])).encode())
        unpacked = cache_directory() / "unpacked" / f"{dependency['name']}-{key.hexdigest()[:16]}"
        with lock(unpacked.with_suffix(".lock"), f"unpacking {dependency['name']}"):
            if not unpacked.is_dir():
                partial = unpacked.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                unpack(archive, partial)
                for patch in patches:
                    _run_step(["patch", "-p1", "--forward", "--no-backup-if-mismatch", "-i", str(patch)], partial, f"patch {patch.name}")
                if dependency["name"] == "sqlite":
                    _generate_amalgamation(partial, dependency["defines"])
                partial.rename(unpacked)
        (directory / dependency["name"]).symlink_to(unpacked)


def _generate_amalgamation(directory, defines):
    # Debian ships SQLite's tree, not the amalgamation; the generated parser must see the same OMITs as the compiler.
    if not shutil.which("tclsh"):
        raise Trouble("SQLite's amalgamation is generated with tclsh, which is missing; install the package tcl")
    say("generating SQLite's amalgamation (12 s)")
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS")}
    options = " ".join("-D" + define for define in defines)
    _run_step(["./configure", "--quiet", "--disable-readline", "--disable-load-extension"], directory, "configure", environment)
    _run_step(["make", "sqlite3.c", f"OPTS={options}"], directory, "make sqlite3.c", environment)


def _run_step(command, directory, what, environment=None):
    try:
        result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Trouble(f"{what}: {command[0]} is missing; install it") from error
    if result.returncode != 0:
        output = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        raise Trouble(f"{what} failed in {directory}:\n{output}")


# --- Building ---------------------------------------------------------------------------------------------------------


def build_key(pins, arguments):
    """Whatever changes the built files changes the key; a reworded reason does not."""
    key = hashlib.sha256(BUILD_RULES.encode())
    for dependency, artefact in artefacts_for(pins, arguments.target):
        key.update(json.dumps([dependency["name"], artefact["sha256"], dependency.get("defines", [])]).encode())
    for path in sorted([HERE / "mbedtls_config.h.in", *HERE.glob("dependencies/*"), *HERE.glob("patches/*/*"), *HERE.glob("shims/*")]):
        key.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    key.update(f"{arguments.target}\0{arguments.compiler_identity}\0".encode())
    for define in sorted(arguments.define):
        name, _, value = define.partition("=")
        # A second clone has its toolchain file elsewhere; what counts is what it says.
        key.update(pathlib.Path(value).read_bytes() if name == "CMAKE_TOOLCHAIN_FILE" else define.encode())
    return key.hexdigest()[:20]


def build(arguments):
    pins = load_pins()
    prefix = cache_directory() / "built" / f"{arguments.target}-{arguments.profile}-{build_key(pins, arguments)}"
    if (prefix / "complete").is_file():
        os.utime(prefix / "complete")
        return prefix
    # One build a target and profile at a time, always in the same folder: that is what lets ccache recognise the files.
    work = prefix.parent / f"work-{arguments.target}-{arguments.profile}"
    with lock(work.with_suffix(".lock"), f"the dependencies for {arguments.target}"):
        if (prefix / "complete").is_file():
            return prefix
        started = time.monotonic()
        say(f"building {len(pins)} dependencies for {arguments.target}, profile {arguments.profile} (about two minutes, once)")
        shutil.rmtree(work, ignore_errors=True)
        sources = work / "sources"
        sources.mkdir(parents=True)
        prepare_sources(pins, arguments.target, sources)
        staging = work / "install"
        configure = [arguments.cmake, "-G", "Ninja", "-S", str(HERE / "dependencies"), "-B", str(work / "build"),
                     f"-DCMAKE_INSTALL_PREFIX={staging}", f"-DFIELDPOST_SOURCES={sources}",
                     *(f"-D{define}" for define in arguments.define)]
        if shutil.which("ccache"):
            configure += ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        _run_step(configure, HERE, "configuring the dependencies")
        _build_with_progress([arguments.cmake, "--build", str(work / "build"), "--target", "install"])
        (staging / "complete").write_text("", encoding="ascii")
        shutil.rmtree(prefix, ignore_errors=True)
        staging.rename(prefix)
        shutil.rmtree(work, ignore_errors=True)
        _forget_unused(prefix)
        say(f"dependencies for {arguments.target} ready after {time.monotonic() - started:.0f} s")
    return prefix


def _forget_unused(prefix):
    """Each change of a pin or flag leaves 25 MB behind: what no configure asked for in a month goes."""
    family = prefix.name.rsplit("-", 1)[0]
    for other in prefix.parent.glob(f"{family}-*/complete"):
        if time.time() - other.stat().st_mtime > 30 * 24 * 3600:
            shutil.rmtree(other.parent, ignore_errors=True)


def _build_with_progress(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        tail, shown = [], time.monotonic()
        for line in process.stdout:
            tail = (tail + [line.rstrip()])[-60:]
            if line.startswith("[") and time.monotonic() - shown > 10:
                say(line.rstrip()[:100])
                shown = time.monotonic()
    if process.returncode != 0:
        raise Trouble("building the dependencies failed:\n" + "\n".join(tail))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build", help="build for one target into the cache; prints where (called by CMake)")
    one.add_argument("--target", required=True, choices=TARGETS)
    one.add_argument("--profile", required=True)
    one.add_argument("--cmake", default="cmake")
    one.add_argument("--compiler-identity", required=True)
    one.add_argument("--define", action="append", default=[], metavar="NAME=VALUE", help="handed to CMake as -D")
    fetch_command = commands.add_parser("fetch", help="fetch and check every artefact, or one target's")
    fetch_command.add_argument("target", nargs="?", choices=TARGETS)
    collect = commands.add_parser("collect", help="copy every artefact into a folder for a machine without internet")
    collect.add_argument("folder")
    commands.add_parser("list", help="print what is pinned")
    arguments = parser.parse_args()

    if arguments.command == "build":
        print(build(arguments))
    elif arguments.command == "list":
        for dependency in load_pins():
            print(f"{dependency['name']:<14}{dependency['version']:<10}{dependency['licence']:<34}{dependency['why']}")
    else:
        target = arguments.target if arguments.command == "fetch" else None
        artefacts = [artefact for _, artefact in artefacts_for(load_pins(), target)]
        paths = fetch_all(artefacts)
        if arguments.command == "collect":
            folder = pathlib.Path(arguments.folder)
            folder.mkdir(parents=True, exist_ok=True)
            for path, artefact in zip(paths, artefacts):
                if path.parent.resolve() != folder.resolve():
                    shutil.copyfile(path, folder / artefact["file"])
        print(f"{len(paths)} artefacts, every SHA-256 as pinned")


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        sys.exit(f"dependencies: {trouble}")
    except KeyboardInterrupt:
        sys.exit("dependencies: interrupted")
