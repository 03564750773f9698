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


def test_what_was_read_can_be_recorded(fieldpost, tmp_path):
    configuration = tmp_path / "f.toml"
    configuration.write_text('[sampling]\ndefault_sources = false\n'
                             '[source.proof]\ndriver = "simulated"\nshape = "ramp"\nseries = 3\ninterval = "100ms"\n')
    file = tmp_path / "readings.txt"
    answer = fieldpost("sources", "--config", configuration, "--record", file, "--for", "1s", seconds=60)
    assert answer.returncode == 0, answer.stderr
    lines = file.read_text().splitlines()
    assert lines[0] == "# fieldpost sources --record, version 1"
    series = [json.loads(line) for line in lines if line.startswith("{")]
    assert [one["name"] for one in series] == ["fieldpost_simulated_value"] * 3
    first = [line.split()[1] for line in lines if line.startswith(f"{series[0]['id']} ")]
    assert len(first) >= 2 and [float(value) for value in first] == sorted(float(value) for value in first)
    assert answer.stdout == f"{sum(line[0].isdigit() for line in lines)} samples written to {file}\n"


def test_a_length_that_is_none_is_refused(fieldpost, tmp_path):
    answer = fieldpost("sources", "--record", tmp_path / "r", "--for", "soon")
    assert answer.returncode == 2 and "--for soon is not a duration like 60s or 10m" in answer.stderr
