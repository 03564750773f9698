# SPDX-License-Identifier: Apache-2.0
"""The check of a shipped binary can say no: held against programs that are not what is shipped."""
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "toolchains"))
import static_binary  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="g++ is not installed")


def built(folder, *flags):
    program = folder / "program"
    subprocess.run(["g++", "-x", "c++", "-", "-o", str(program), *flags], input="int main() {}", text=True, check=True)
    return static_binary.StaticBinary("x86_64", program)


def test_a_static_stripped_program_passes(tmp_path):
    binary = built(tmp_path, "-static", "-s")
    assert binary.faults() == []
    assert binary.sections[".text"] > 0


@pytest.mark.parametrize("flags, words", [
    (["-s"], ["an interpreter", "a dynamic section"]),
    (["-static-pie", "-s"], ["a dynamic section"]),
    (["-static"], ["not stripped"]),
])
def test_what_is_not_static_and_stripped_is_named(tmp_path, flags, words):
    faults = built(tmp_path, *flags).faults()
    assert len(faults) == len(words)
    for fault, word in zip(faults, words):
        assert word in fault


def test_the_budget_holds_to_the_byte(tmp_path, monkeypatch):
    size = built(tmp_path, "-static", "-s").size
    monkeypatch.setitem(static_binary.BUDGET_BYTES, "x86_64", size)
    assert static_binary.StaticBinary("x86_64", tmp_path / "program").faults() == []
    monkeypatch.setitem(static_binary.BUDGET_BYTES, "x86_64", size - 1)
    assert "1 over its budget" in static_binary.StaticBinary("x86_64", tmp_path / "program").faults()[0]
