import numpy as np
import pytest

from cores.dot.multiplier import DEPTH
from cores.engine.lanes import Lanes
from tests.cores.engine.parts import SUMS, bits, run

WORD = [3, -5, 7, -128]
WEIGHTS = [1, -2, 127, -128]


def word(numbers: list[int]) -> int:
    return sum(bits(n, 8) << 8 * k for k, n in enumerate(numbers))


def sums(steps: list[dict[str, int]], **options) -> list[int]:
    """Of the four lanes, after steps with equal weights."""
    part, found = Lanes(4, SUMS, **options), []

    async def bench(ctx):
        for lane, weight in enumerate(WEIGHTS):
            ctx.set(part.weights[lane], weight)
        for n, step in enumerate([*steps, *[{}] * DEPTH]):
            for name in ("word", "byte", "apart", "largest"):
                ctx.set(getattr(part, name), step.get(name, 0))
            arrived = n - DEPTH  # products of the operands of that step
            ctx.set(part.add, arrived >= 0)
            ctx.set(part.last, arrived == len(steps) - 1)
            ctx.set(part.up, steps[arrived].get("up", 0) if arrived >= 0 else 0)
            if arrived >= 0:
                ctx.set(part.largest, steps[arrived].get("largest", 0))
            await ctx.tick()
        ctx.set(part.add, 0)
        for _ in range(4):
            found.append(ctx.get(part.sum))
            ctx.set(part.shift, 1)
            await ctx.tick()

    run(part, bench)
    return found


@pytest.mark.parametrize("byte", range(4))
def test_one_number_meets_the_weight_of_every_lane(byte):
    found = sums([{"word": word(WORD), "byte": byte}])
    # 16384 is beyond the sums of this example: they wrap as their width says.
    wanted = [wrapped(WORD[byte] * weight) for weight in WEIGHTS]
    assert found == wanted


def wrapped(n: int) -> int:
    width = SUMS.width
    return (n + (1 << width - 1)) % (1 << width) - (1 << width - 1)


def test_lanes_apart_take_a_number_each_and_add_up():
    steps = [{"word": word([1, 2, 3, 4]), "apart": 1}, {"word": word([5, 6, 7, 8]), "apart": 1}]
    products = np.array([[1, 2, 3, 4], [5, 6, 7, 8]]) * WEIGHTS
    assert sums(steps) == products.sum(axis=0).tolist()


def test_digits_of_the_next_place_go_up_by_a_byte():
    steps = [
        {"word": word([1, 1, 0, 0]), "apart": 1, "up": 1},
        {"word": word([2, 3, 0, 0]), "apart": 1},
    ]
    assert sums(steps, joins=True)[:2] == [1 * 256 + 2, -2 * 256 - 6]


def test_the_largest_is_kept_counted_from_the_lowest_byte():
    steps = [{"word": word([n, n, 0, 0]), "apart": 1, "largest": 1} for n in (-7, 9, 4)]
    assert sums(steps, compares=True)[:2] == [9 + 128, 14 + 128]
