# SPDX-License-Identifier: Apache-2.0
"""The real binary, asked in its own words."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.tools.agent import find_binary, run_binary  # noqa: E402


@pytest.fixture(scope="session")
def fieldpost():
    try:
        binary = find_binary()
    except FileNotFoundError as error:
        pytest.fail(str(error))
    return lambda *words, seconds=20: run_binary(binary, *words, seconds=seconds)
