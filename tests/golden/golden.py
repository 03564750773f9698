# SPDX-License-Identifier: Apache-2.0
"""The real binary on captured trees, against outputs that a person has looked at.

tests/golden/TREE.txt and TREE.json belong to this test; the Prometheus form must equal tests/captured/TREE.prom, which
tests/hal/golden_test.cpp writes from the drivers alone."""

from pathlib import Path

from tests.tools.agent import find_binary, run_binary

HERE = Path(__file__).resolve().parent
CAPTURED = HERE.parent / "captured"
TREES = sorted(path.name for path in CAPTURED.iterdir() if (path / "proc").is_dir())
FORMATS = {"text": ".txt", "json": ".json"}


def golden_file(tree, form):
    return CAPTURED / f"{tree}.prom" if form == "prometheus" else HERE / f"{tree}{FORMATS[form]}"


def output(tree, form):
    """What `fieldpost sources` prints for a tree; JSON gets a line break after each sample, for the sake of diffs."""
    answer = run_binary(find_binary(), "sources", "--root", CAPTURED / tree, "--format", form, seconds=60)
    assert answer.returncode == 0 and answer.stderr == "", answer.stderr
    text = answer.stdout.replace(str(CAPTURED), "CAPTURED")
    return text.replace("},{", "},\n{") if form == "json" else text


def update():
    for tree in TREES:
        for form in FORMATS:
            golden_file(tree, form).write_text(output(tree, form), encoding="utf-8")
            print(f"wrote {golden_file(tree, form).relative_to(HERE.parents[1])}")
