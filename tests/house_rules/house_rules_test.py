# SPDX-License-Identifier: Apache-2.0
"""The house rules on this tree. `python3 -m pytest tests/house_rules`, or `python3 -m tests.house_rules` for the bare list."""

import pathlib

import pytest

from . import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree():
    return rules.Tree(ROOT)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule, tree):
    violations = list(rule(tree))
    assert not violations, "\n" + "\n".join(map(str, violations))


def test_there_is_something_to_check(tree):
    """A wrong root would pass every rule."""
    assert "platform/result.hpp" in tree
    assert len(tree.ours(".cpp")) > 50
    assert len(list(rules.includes(tree))) > 500
