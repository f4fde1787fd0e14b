"""What the tests of the simulators share: tools, and libraries compiled once for all runs. And the
guard that keeps marks true."""

import os
from pathlib import Path

import pytest

from hwgen.session import Session
from platforms.tools import Tools
from tests.guard import Guard

GUARD = Guard()
GUARD.install()

SIMULATORS = Path(__file__).parents[1] / "build" / "simulators"


@pytest.fixture(scope="session")
def cache():
    return SIMULATORS


@pytest.fixture(scope="session")
def tools():
    return Tools(os.environ)


@pytest.fixture(scope="session")
def session(cache):
    return Session(os.environ, cache)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marks
def pytest_collection_modifyitems(items):
    for item in items:
        if "cache" in item.fixturenames:
            item.add_marker(pytest.mark.compiled)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    GUARD.marks = {mark.name for mark in item.iter_markers()}
    yield
    GUARD.marks = None
