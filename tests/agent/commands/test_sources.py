# SPDX-License-Identifier: Apache-2.0
"""`fieldpost sources` here, with a configuration, and where there is nothing."""

import json


def test_this_machine_offers_something_in_every_format(fieldpost):
    text = fieldpost("sources", seconds=60)
    assert text.returncode == 0 and text.stderr == ""
    assert "\n  node_load1 " in text.stdout
    assert "need a [source.NAME] in the configuration:\n" in text.stdout
    sources = json.loads(fieldpost("sources", "--format", "json", seconds=60).stdout)["sources"]
    load = next(source for source in sources if source["name"] == "load")
    assert load["present"] and load["on_by_default"] and load["error"] == ""
    assert [sample["name"] for sample in load["samples"]] == ["node_load1", "node_load5", "node_load15"]
    simulated = next(source for source in sources if source["name"] == "simulated")
    assert not simulated["on_by_default"] and not simulated["present"] and simulated["samples"] == []
    exposition = fieldpost("sources", "--format", "prometheus", seconds=60).stdout
    assert "# TYPE node_load1 gauge\nnode_load1 " in exposition


def test_an_empty_tree_offers_nothing_and_says_why(fieldpost, tmp_path):
    answer = fieldpost("sources", "--root", tmp_path)
    assert answer.returncode == 0
    assert "not on this machine:\n" in answer.stdout
    assert "node_load1" not in answer.stdout


def test_a_root_that_is_no_directory(fieldpost, tmp_path):
    answer = fieldpost("sources", "--root", tmp_path / "no")
    assert answer.returncode == 1
    assert answer.stderr == (f"fieldpost sources: --root {tmp_path}/no is not a directory; it wants one "
                             "that holds proc/ and sys/\n")


def test_configured_sources_are_read_with_their_options(fieldpost, tmp_path):
    path = tmp_path / "f.toml"
    path.write_text('[sampling]\ndefault_sources = false\n'
                    '[source.proof]\ndriver = "simulated"\nshape = "ramp"\nseries = 3\n')
    sources = json.loads(fieldpost("sources", "--config", path, "--format", "json").stdout)["sources"]
    assert [source["name"] for source in sources] == ["proof"]
    assert [sample["value"] for sample in sources[0]["samples"]] == [0, 0, 0]


def test_a_wrong_configuration_is_refused(fieldpost, tmp_path):
    path = tmp_path / "f.toml"
    path.write_text("[sampling]\ninterval = 5\n")
    answer = fieldpost("sources", "--config", path)
    assert answer.returncode == 1 and answer.stdout == ""
    assert f"{path}:2: " in answer.stderr
