# SPDX-License-Identifier: Apache-2.0
"""What a shipped binary must be: static through and through, stripped, and no larger than its budget."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = (".text", ".rodata", ".data", ".bss")
MIB = 1024 * 1024
# DESIGN section 14: what everything together may take on aarch64; the others have no excuse either.
BUDGET_BYTES = dict.fromkeys(("aarch64", "armhf", "armel", "riscv64", "x86_64"), 3 * MIB)


class StaticBinary:
    def __init__(self, target, path):
        self.target = target
        self.path = pathlib.Path(path)
        self.size = self.path.stat().st_size
        self.budget = BUDGET_BYTES.get(target)
        text = subprocess.run(["readelf", "-SlW", str(path)], capture_output=True, text=True, check=True).stdout
        self.sections = {name: int(size, 16) for name, size in
                         re.findall(r"^\s*\[\s*\d+\] (\.\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", text, re.MULTILINE)}
        self.interpreter = bool(re.search(r"^\s*INTERP\s", text, re.MULTILINE))
        self.dynamic = bool(re.search(r"^\s*DYNAMIC\s", text, re.MULTILINE)) or ".dynamic" in self.sections

    def faults(self):
        """Sentences; an interpreter or a dynamic section would need something of the system the binary lands on."""
        found = []
        if self.interpreter:
            found.append("has an interpreter")
        if self.dynamic:
            found.append("has a dynamic section")
        if ".symtab" in self.sections:
            found.append("is not stripped")
        if self.budget and self.size > self.budget:
            found.append(f"is {self.size:,} bytes, {self.size - self.budget:,} over its budget of {self.budget:,}"
                         f" (toolchains/sizes.py {self.path}.map tells who)")
        return [f"{self.target}: the binary {fault}" for fault in found]
