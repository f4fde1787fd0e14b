import numpy as np
import pytest

from cores import conformance
from cores.beats import to_beats
from cores.pixel_converter import ConvertPixels
from cores.sim import run
from cores.types import IntType, StreamType
from platforms.devices import device
from tests.cores.silicon.primitives import Modelled

U4 = IntType(0, 15)
EXAMPLES = ConvertPixels.examples(np.random.default_rng(7))
TARGETS = [device("up5k"), device("ecp5-25f")]


def beats(op: ConvertPixels, x: list[list[int]]) -> list[list[int]]:
    found = run(op, [np.array([x])])
    return to_beats(found.outputs["o"], op.outputs["o"])[0].tolist()


def test_worked_example_of_gathering():
    # Beats 01 23, then 45 67; the first position waits for the second.
    op = ConvertPixels(StreamType((2, 4), U4, 2), 2)
    assert op.cycles == 4
    assert op.timing.reads("i").tolist() == [0, 1, 2, 3]
    assert op.timing.emits("o").tolist() == [2, 3]
    assert beats(op, [[0, 1, 2, 3], [4, 5, 6, 7]]) == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_worked_example_of_spreading():
    op = ConvertPixels(StreamType((2, 4), U4, 2, pixels=2), 1)
    assert op.cycles == 4
    assert op.timing.reads("i").tolist() == [0, 1]
    assert op.timing.emits("o").tolist() == [0, 1, 2, 3]
    assert beats(op, [[0, 1, 2, 3], [4, 5, 6, 7]]) == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("target", TARGETS, ids=["up5k", "ecp5"])
@pytest.mark.parametrize("op", EXAMPLES, ids=map(str, range(len(EXAMPLES))))
def test_form_for_a_device_keeps_values_and_schedule(op, target):
    conformance.check_values(op, lambda: Modelled(op.core(target)), stall=0.4)
    conformance.check_schedule(op, lambda: Modelled(op.core(target)))


def test_rejects_pixels_that_are_neither_multiple_nor_divisor():
    message = "^pixels of ConvertPixels must be a multiple or a divisor of the 2 of its input, "
    with pytest.raises(ValueError, match=message + "not 3$"):
        ConvertPixels(StreamType((6, 4), U4, 2, pixels=2), 3)


def test_rejects_pixels_that_do_not_divide_the_positions():
    message = "^pixels must divide the 6 positions of a stream, not 4$"
    with pytest.raises(ValueError, match=message):
        ConvertPixels(StreamType((6, 4), U4, 2, pixels=2), 4)
