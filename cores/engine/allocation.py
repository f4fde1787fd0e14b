"""Where tensors lie in one memory: two that are kept at the same time never share a word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class KeptTensor:
    """Words that are kept from one layer to another.

    Parameters
    ----------
    words : int
    made, last : int
        The layer that makes it, and the last one that takes it; -1 makes the frame.
    over : tuple of int
        Tensors in whose place it may be made: each of its words is written after the same word of
        theirs was read for the last time.
    """

    words: int
    made: int
    last: int
    over: tuple[int, ...] = ()


@dataclass
class _Area:
    """Tensors of one size at one place, one after the other."""

    members: list[int]
    words: int
    made: int
    last: int


def place(tensors: Sequence[KeptTensor]) -> tuple[list[int], int]:
    """First word of each tensor, and how many words there must be.

    Each goes to the lowest place that is free while it is kept; of several orders in which they can
    be placed, the one that ends lowest is taken.
    """
    areas = _areas(tensors)
    orders: tuple[Callable[[_Area], tuple[int, ...]], ...] = (
        lambda area: (-area.words, area.made),
        lambda area: (area.made,),
        lambda area: (area.made - area.last, -area.words),
    )
    found = [_placed(sorted(areas, key=order)) for order in orders]
    starts, size = min(found, key=lambda pair: pair[1])
    return [starts[number] for number in range(len(tensors))], size


def busiest(tensors: Sequence[KeptTensor]) -> tuple[int, int]:
    """The layer while which most words are kept, and how many."""
    areas = _areas(tensors)
    layers = range(max(tensor.last for tensor in tensors) + 1)
    kept = [sum(area.words for area in areas if area.made <= k <= area.last) for k in layers]
    return kept.index(max(kept)), max(kept)


def _areas(tensors: Sequence[KeptTensor]) -> list[_Area]:
    """A tensor that is made when another ends, in whose place it may be, joins it there."""
    area_of: dict[int, _Area] = {}
    found: list[_Area] = []
    for number, tensor in enumerate(tensors):
        for old in tensor.over:
            area = area_of[old]
            if area.last == tensor.made and area.words == tensor.words:
                area.members.append(number)
                area.last = tensor.last
                break
        else:
            area = _Area([number], tensor.words, tensor.made, tensor.last)
            found.append(area)
        area_of[number] = area
    return found


def _placed(areas: Sequence[_Area]) -> tuple[dict[int, int], int]:
    """First word of each tensor and the end of all, if they are placed in this order."""
    placed: list[tuple[int, _Area]] = []
    for area in areas:
        start = 0
        for begin, other in sorted(placed, key=lambda pair: pair[0]):
            if other.last < area.made or area.last < other.made:
                continue
            if start + area.words <= begin:
                break
            start = max(start, begin + other.words)
        placed.append((start, area))
    starts = {member: start for start, area in placed for member in area.members}
    return starts, max(start + area.words for start, area in placed)
