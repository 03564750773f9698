# SPDX-License-Identifier: Apache-2.0
"""Each captured tree gives the same bytes as ever; and a whole run on one keeps exactly its series."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.golden.golden import CAPTURED, FORMATS, TREES, golden_file, output  # noqa: E402
from tests.tools.agent import Agent, find_binary, run_binary  # noqa: E402
from tests.tools.child import Child, wait_until  # noqa: E402


@pytest.mark.parametrize("form", [*FORMATS, "prometheus"])
@pytest.mark.parametrize("tree", TREES)
def test_sources_of_a_captured_tree(tree, form):
    file = golden_file(tree, form)
    assert file.exists(), f"{file} is missing: python3 -m tests.golden -u makes it"
    assert output(tree, form) == file.read_text(encoding="utf-8"), \
        f"differs from {file}; if that is right: python3 -m tests.golden -u"


@pytest.mark.parametrize("tree", TREES)
def test_a_run_on_a_captured_tree_keeps_exactly_its_series(tree, tmp_path):
    binary = find_binary()
    agent = Agent(binary, tmp_path / "agent", name="gw", default_sources=True,
                  sections={"sampling": {"interval": "500ms"}, "self": {"enabled": False}})
    child = Child([binary, "run", "--config", agent.configuration_file, "--root", CAPTURED / tree],
                  error_file=tmp_path / "run.log")
    try:
        wait_until(agent.socket.exists, 20, "the control socket")
        wait_until(lambda: agent.status()["store"]["commits"] >= 3, 30, "three commits")
        assert child.stop(15) == 0, (tmp_path / "run.log").read_text()
    finally:
        if child.running:
            child.kill()
    dump = run_binary(binary, "dump", "--directory", agent.state_directory, seconds=60)
    assert dump.returncode == 0, dump.stderr
    lines = [json.loads(line) for line in dump.stdout.splitlines()]
    kept = {line["series"] for line in lines if line["kind"] == "sample"}
    wanted = {line.rsplit(" ", 1)[0] for line in (CAPTURED / f"{tree}.prom").read_text().splitlines()
              if not line.startswith("#")}
    assert kept == wanted
    # Every series at every read: the same number of samples each, but for the last read.
    counts = {}
    for line in lines:
        if line["kind"] == "sample":
            counts[line["series"]] = counts.get(line["series"], 0) + 1
    assert max(counts.values()) - min(counts.values()) <= 1
