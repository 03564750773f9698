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

from artefacts import Trouble, cache_directory, fetch_all, lock, say

HERE = pathlib.Path(__file__).resolve().parent
BUILD_RULES = "2"  # raise it when this file changes what it builds
UNPACK_RULES = "1"  # or what it unpacks
TARGETS = ("amd64", "arm64", "armhf", "armel", "riscv64")


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
    for dependency in pins:
        source, patches, key = None, [], hashlib.sha256(UNPACK_RULES.encode())
        for (owner, artefact), archive in zip(needed, archives):
            if owner is dependency:
                key.update(artefact["sha256"].encode())
                if "patches" in artefact:
                    patches.append((archive, list(artefact["patches"])))
                else:
                    source = archive
        key.update(json.dumps([[names for _, names in patches], dependency.get("defines", [])]).encode())
        unpacked = cache_directory() / "unpacked" / f"{dependency['name']}-{key.hexdigest()[:16]}"
        with lock(unpacked.with_suffix(".lock"), f"unpacking {dependency['name']}"):
            if not unpacked.is_dir():
                partial = unpacked.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                unpack(source, partial)
                for archive, names in patches:
                    _apply_patches(archive, names, partial)
                if dependency["name"] == "sqlite":
                    _generate_amalgamation(partial, dependency["defines"])
                partial.rename(unpacked)
        (directory / dependency["name"]).symlink_to(unpacked)


def _apply_patches(archive, names, directory):
    """The named ones of a Debian revision's debian/patches, in the order of their series."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as work:
        folder = pathlib.Path(work) / "debian"
        unpack(archive, folder)  # its top folder, debian/, is taken off
        series = [line.split()[0] for line in (folder / "patches/series").read_text(encoding="utf-8").splitlines()
                  if line.strip() and not line.startswith("#")]
        strangers = sorted(set(names) - set(series))
        if strangers:
            raise Trouble(f"{archive.name} has no patch {', '.join(strangers)}; dependencies.json names it")
        for name in series:
            if name in names:
                _run_step(["patch", "-p1", "--forward", "--no-backup-if-mismatch", "-i", str(folder / "patches" / name)], directory,
                          f"patch {name}")


def _generate_amalgamation(directory, defines):
    # Debian ships SQLite's tree, not the amalgamation; the generated parser must see the same OMITs as the compiler.
    if not shutil.which("tclsh"):
        raise Trouble("SQLite's amalgamation is generated with tclsh, which is missing; install the package tcl")
    say("generating SQLite's amalgamation (12 s)")
    options = " ".join("-D" + define for define in defines)
    _run_step(["./configure", "--quiet", "--disable-readline", "--disable-load-extension"], directory, "configure", _own_environment())
    _run_step(["make", "sqlite3.c", f"OPTS={options}"], directory, "make sqlite3.c", _own_environment())


def _own_environment():
    """Without the flags of whoever calls (an SDK's shell, say): they are not part of the cache's key."""
    foreign = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS")
    return {name: value for name, value in os.environ.items() if name not in foreign}


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
        key.update(json.dumps([dependency["name"], artefact["sha256"], list(artefact.get("patches", ())),
                               dependency.get("defines", [])]).encode())
    for path in sorted([HERE / "mbedtls_config.h.in", *HERE.glob("dependencies/*"), *HERE.glob("shims/*")]):
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
        _run_step(configure, HERE, "configuring the dependencies", _own_environment())
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
