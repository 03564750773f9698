# SPDX-License-Identifier: Apache-2.0
"""A built binary of another architecture as a program that this machine can start: QEMU's user emulation around it."""
import pathlib
import shlex
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
# None: this machine itself, which the presets take to be an x86_64.
EMULATORS = {"aarch64": "qemu-aarch64-static", "armhf": "qemu-arm-static", "armel": "qemu-arm-static",
             "riscv64": "qemu-riscv64-static", "x86_64": None}


def missing_emulator(target):
    """The name of what would have to be installed, or None."""
    name = EMULATORS[target]
    return name if name and not shutil.which(name) else None


def startable(target, built="agent/fieldpost"):
    """The path of a program that starts a built one: itself, or a script with the emulator before it. The script becomes the
    emulator, so its process id is the agent's and a signal goes where it should."""
    program = ROOT / "build" / f"cross-{target}" / built
    if not EMULATORS[target]:
        return program
    script = program.with_name(f"{program.name}-under-qemu")
    script.write_text(f"#!/bin/sh\nexec {shutil.which(EMULATORS[target])} {shlex.quote(str(program))} \"$@\"\n", encoding="utf-8")
    script.chmod(0o755)
    return script
