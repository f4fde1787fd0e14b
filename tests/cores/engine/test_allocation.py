import numpy as np
import pytest

from cores.engine.allocation import KeptTensor, busiest, place


def chain(*sizes: int) -> list[KeptTensor]:
    return [KeptTensor(words, k - 1, k) for k, words in enumerate(sizes)]


def test_a_chain_takes_the_largest_neighbours():
    assert place(chain(5, 9, 4, 8, 1)) == ([9, 0, 9, 0, 8], 14)
    assert busiest(chain(5, 9, 4, 8, 1)) == (0, 14)


def test_a_tensor_is_kept_until_the_last_layer_that_takes_it():
    # The frame is taken by the layers 0 and 2; two others lie beside it by turns.
    tensors = [KeptTensor(4, -1, 2), KeptTensor(3, 0, 1), KeptTensor(2, 1, 2), KeptTensor(5, 2, 3)]
    assert place(tensors)[1] == 11
    assert busiest(tensors) == (2, 11)


def test_a_sum_may_take_the_place_of_what_it_adds():
    ends = {"over": (0, 1)}
    kept = [KeptTensor(4, -1, 0), KeptTensor(4, 0, 1), KeptTensor(4, 1, 2, **ends)]
    assert place(kept) == ([0, 4, 4], 8)  # of the two, the frame has ended before
    longer = [KeptTensor(4, -1, 2), KeptTensor(4, 0, 1), KeptTensor(4, 1, 2, (0, 1))]
    assert place(longer) == ([0, 4, 4], 8)
    both = [KeptTensor(4, -1, 2), KeptTensor(4, 0, 2), KeptTensor(4, 1, 2, (0, 1))]
    assert place(both)[1] == 12
    smaller = [KeptTensor(4, -1, 2), KeptTensor(3, 0, 1), KeptTensor(4, 1, 2, (1,))]
    assert place(smaller)[1] == 11


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_at_the_same_time_shares_no_word(seed):
    rng = np.random.default_rng(seed)
    tensors = []
    for made in range(-1, 12):
        last = made + 1 + int(rng.integers(0, 4))
        tensors.append(KeptTensor(int(rng.integers(1, 30)), made, last))
    starts, size = place(tensors)
    assert size == max(start + each.words for start, each in zip(starts, tensors, strict=True))
    assert size >= busiest(tensors)[1]
    for a, first in enumerate(tensors):
        for b, second in enumerate(tensors[:a]):
            if first.made <= second.last and second.made <= first.last:
                apart = (
                    starts[a] + first.words <= starts[b] or starts[b] + second.words <= starts[a]
                )
                assert apart
