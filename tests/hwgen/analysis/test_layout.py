import numpy as np

from hwgen.analysis.coded import Coded
from hwgen.analysis.layout import StreamLayout


def test_in_order_inverts_the_order():
    layout = StreamLayout.in_order(np.array([2, 0, 1]))
    assert layout.index.tolist() == [1, 2, 0]


def test_constants_become_one_per_channel_or_nothing():
    layout = StreamLayout(np.array([[0, 2], [1, 3]]), (2, 2))  # (positions, channels), transposed
    rows = Coded.of_array(np.array([[5.0], [6.0]]), float)
    found = layout.per_channel(rows)
    assert found is not None
    assert [found.item(c) for c in range(2)] == [5.0, 6.0]
    assert layout.per_channel(Coded.of_array(np.array([5.0, 6.0]), float)) is None
