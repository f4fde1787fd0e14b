"""What the tests of the simulators share: tools, and libraries compiled once for all runs."""

import os
from pathlib import Path

import pytest

from hwgen.session import Session
from platforms.tools import Tools

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
