# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test stands on: a scratch directory that stays behind when the test fails, a
broker and consumer of its own, and an alarm clock, so that no test can hang the run."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.end_to_end.road import Road  # noqa: E402
from tests.tools.agent import find_binary  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

TEST_SECONDS_MAX = 300


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.failed = True


@pytest.fixture(autouse=True)
def alarm_clock(request):
    def ring(*_):
        raise TimeoutError(f"{request.node.name} took more than {TEST_SECONDS_MAX} s")
    previous = signal.signal(signal.SIGALRM, ring)
    signal.alarm(TEST_SECONDS_MAX)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def binary():
    try:
        return find_binary()
    except FileNotFoundError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def authority():
    with Scratch("ca") as scratch:
        yield CertificateAuthority(scratch.path)


@pytest.fixture
def scratch(request):
    with Scratch("e2e") as scratch:
        yield scratch
        if getattr(request.node, "failed", False):
            print(f"\nleft for a look: {scratch.keep()}")


@pytest.fixture
def road(binary, scratch, authority):
    """Broker and consumer up; agents are made by the test and gone afterwards."""
    with Road(binary, scratch, authority) as road:
        yield road
