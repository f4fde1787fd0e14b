"""Random numbers of a test are the same whatever ran before it."""

import numpy as np
import pytest

from tests.hwgen.frontend import agreement


@pytest.fixture(autouse=True)
def seeded():
    agreement.RNG.bit_generator.state = np.random.default_rng(4).bit_generator.state
