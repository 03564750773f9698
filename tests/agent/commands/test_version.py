# SPDX-License-Identifier: Apache-2.0
"""`fieldpost version`: the pins of the build are the pins of dependencies.json."""

import json
from pathlib import Path

PINS = Path(__file__).resolve().parents[3] / "toolchains" / "dependencies.json"


def test_versions_are_those_that_were_pinned(fieldpost):
    answer = fieldpost("version", "--format", "json")
    assert answer.returncode == 0
    version = json.loads(answer.stdout)
    pins = {pin["name"]: pin["version"] for pin in json.loads(PINS.read_text())["dependencies"]
            if pin["name"] != "gtest"}
    assert version["dependencies"] == pins
    assert version["profile"] in ("debug", "release", "tsan")
    assert "mqtt5" in version["features"]
    text = fieldpost("version").stdout
    assert text.startswith(f"fieldpost {version['version']}")
    assert fieldpost("--version").stdout == text
