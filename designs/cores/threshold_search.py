"""Steps found by binary search: one comparison a stage, the widest stages in block RAM."""

import numpy as np
from alone import show

from cores.choices import BinarySearch
from cores.thresholding import MultiThreshold
from cores.types import IntType

dtype = IntType.parse("s16")
starts = np.sort(np.random.default_rng(1).integers(dtype.lo, dtype.hi, (16, 15)), axis=1)
values = np.arange(16)[None]
search = BinarySearch()
show(MultiThreshold((16,), dtype, starts, values, pe=2, comparison=search, block_stages=1))
