# SPDX-License-Identifier: Apache-2.0
"""What each stage of `./dev test` picks from ctest's list: nothing is lost, and nothing is asked of ninja that it cannot build."""
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "toolchains"))
import selection  # noqa: E402


def program(name):
    return {"name": name, "properties": [{"name": "TIMEOUT", "value": 300.0}, {"name": "LABELS", "value": ["program"]}]}


NAMED = sorted({*selection.WITHOUT_THREADS, *selection.ARCHITECTURE_MATTERS, *selection.NOT_UNDER_QEMU})
COMPARISON = {"name": "node_exporter_comparison", "properties": [{"name": "TIMEOUT", "value": 120.0}]}
NEWCOMER = program("newcomer_test")
TESTS = [*map(program, NAMED), COMPARISON, NEWCOMER]
PARTIAL = (selection.for_tsan, selection.for_qemu, selection.for_architecture)


def test_the_whole_build_runs_every_test_program_or_not():
    names, targets = selection.everything(TESTS)
    assert names == [test["name"] for test in TESTS]
    assert targets == []  # ninja's default: all


@pytest.mark.parametrize("select", PARTIAL)
def test_a_partial_build_asks_only_for_programs(select):
    names, targets = select(TESTS)
    assert "node_exporter_comparison" not in names + targets
    assert set(names) == set(targets) <= {test["name"] for test in TESTS}
    assert names


def test_a_program_nobody_named_runs_under_threadsanitizer_and_qemu():
    assert "newcomer_test" in selection.for_tsan(TESTS)[0]
    assert "newcomer_test" in selection.for_qemu(TESTS)[0]


def test_what_is_left_out_is_left_out():
    assert not set(selection.WITHOUT_THREADS) & set(selection.for_tsan(TESTS)[0])
    assert not set(selection.NOT_UNDER_QEMU) & set(selection.for_qemu(TESTS)[0])


@pytest.mark.parametrize("select", PARTIAL)
def test_a_list_that_names_a_lost_test_is_refused(select):
    gone = [test for test in TESTS if test["name"] not in ("segment_test", "hal_network_test")]
    with pytest.raises(selection.Stale, match="which the build does not have"):
        select(gone)


def test_cases_left_out_under_qemu_are_there():
    sources = "".join(path.read_text(encoding="utf-8") for path in pathlib.Path(__file__).resolve().parents[1].rglob("*_test.cpp"))
    for case in selection.SLOW_UNDER_QEMU:
        assert re.search(rf"TEST_F\({case.replace('.', ', ')}\)", sources), f"toolchains/selection.py names {case}, which no test has"


def test_a_build_without_tests_is_refused():
    with pytest.raises(selection.Stale):
        selection.everything([])
