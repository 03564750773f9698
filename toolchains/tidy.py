#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev tidy`: clang-tidy over our own .cpp, as .clang-tidy says.

The product's files get every check; of the tests only what clang itself says, so that the whole tree is known to compile with
clang 14 as well as with g++ 12. A file that passed is not looked at again until it, a header of it, a flag, the checks or clang-tidy
change (the keys lie in the cache of the dependencies). A cold run takes about ten minutes on two cores.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run_tests  # noqa: E402
from artefacts import cache_directory  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESET = "debug"
FOREIGN = "-Wno-unknown-warning-option"  # g++ has warnings that clang does not know
WITHOUT_ANALYZER = "-clang-analyzer-*"  # it follows paths: half a minute for one large file


def compile_commands():
    """Path below the root -> what clang is given for it (no compiler, no output)."""
    commands = {}
    for entry in json.loads((ROOT / "build" / PRESET / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["file"])
        if path.suffix != ".cpp" or not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "build"):
            continue
        words = shlex.split(entry["command"])
        while words and not words[0].startswith("-"):  # ccache, compiler
            words.pop(0)
        commands[str(path.relative_to(ROOT))] = words[:words.index("-o")] + ["-c", str(path)]
    return commands


def key_of(arguments, checks, identity):
    """What the file and all it includes come to after the preprocessor; None if even that fails."""
    result = subprocess.run(["clang++", *arguments, "-E", "-o", "-", "-w"], cwd=ROOT / "build" / PRESET, capture_output=True, check=False)
    if result.returncode:
        return None
    digest = hashlib.sha256(f"{identity}\0{checks}\0{arguments}\0".encode())
    digest.update(result.stdout)
    return digest.hexdigest()


def look_at(path, arguments, deep, identity):
    """None if there is nothing to say, else what clang-tidy says."""
    checks = "none" if path.startswith("tests/") else "" if deep else WITHOUT_ANALYZER
    key = key_of(arguments, checks, identity)
    passed = cache_directory() / "tidy" / key if key else None
    if passed and passed.exists():
        os.utime(passed)
        return None
    if checks == "none":
        command = ["clang++", *arguments, "-fsyntax-only", FOREIGN]
    else:
        command = ["clang-tidy", "-p", ".", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", f"--extra-arg={FOREIGN}",
                   *([f"--checks={checks}"] if checks else []), str(ROOT / path)]
    result = subprocess.run(command, cwd=ROOT / "build" / PRESET, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        if passed:
            passed.parent.mkdir(parents=True, exist_ok=True)
            passed.touch()
        return None
    return result.stdout.strip() or result.stderr.strip()


def main():
    parser = argparse.ArgumentParser(prog="./dev tidy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="only these .cpp; default: all that a debug build compiles")
    parser.add_argument("--deep", action="store_true", help="also clang's static analyzer: several times as long")
    arguments = parser.parse_args()
    if not run_tests.configure(PRESET):
        sys.exit(f"tidy: CMake does not configure {PRESET}")
    commands = compile_commands()
    chosen = [str(pathlib.Path(name).resolve().relative_to(ROOT)) for name in arguments.files] or sorted(commands)
    unknown = [name for name in chosen if name not in commands]
    if unknown:
        sys.exit(f"tidy: {unknown[0]} is not a .cpp of the {PRESET} build")
    identity = (subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
                + (ROOT / ".clang-tidy").read_text(encoding="utf-8"))

    faulty = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        waiting = {pool.submit(look_at, name, commands[name], arguments.deep, identity): name for name in chosen}
        for number, done in enumerate(concurrent.futures.as_completed(waiting), start=1):
            said = done.result()
            if said is not None:
                faulty += 1
                print(f"\n{said}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{number}/{len(chosen)}", end="", file=sys.stderr, flush=True)
    print(f"\n{len(chosen)} files, {faulty} with something to mend")
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
