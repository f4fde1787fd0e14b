"""What some ops say beyond the contract of `cores.op`, asked for by those who need it.

An op has a facet by having its members; it inherits from nothing and is registered nowhere:
``isinstance(op, Costed)``. An op without a facet has nothing of the kind: no price, no weights to
be loaded.
"""

from typing import Protocol, Self, runtime_checkable

from cores.cost import Count
from cores.fields.pruning import Pruned
from cores.types import StreamType
from platforms.device import Device


@runtime_checkable
class Costed(Protocol):
    """Tells what its core takes of a device; else it counts as nothing, and reports name it."""

    def cost(self, device: Device) -> Count:
        """Primitives the core consists of; priced by `cores.cost.price` alone."""
        ...


@runtime_checkable
class RoughlyCosted(Protocol):
    """Has foldings whose `cost` takes a search."""

    def rough_cost(self, device: Device) -> Count | None:
        """About what `cost` says, where that takes a search; None where it does not."""
        ...


@runtime_checkable
class Searching(Protocol):
    """Has foldings whose unit is found by a long search; what it found can be kept."""

    @property
    def sought(self) -> tuple[object, ...] | None:
        """What the search depends on, as `content_key` takes it; None without one."""
        ...

    def found(self) -> list:
        """What it found, of what JSON has; searches if nothing was recalled."""
        ...

    def recall(self, found: list) -> None:
        """Takes what an equal op once found instead of searching.

        Raises
        ------
        ValueError
            It is not what the op needs.
        """
        ...


@runtime_checkable
class Sparse(Protocol):
    """Has foldings in which products with 0 cost nothing."""

    @property
    def density(self) -> float:
        """Share of its products that cost anything: less than 1 where zeros are left out."""
        ...


@runtime_checkable
class Weighted(Protocol):
    """Has weights, of which some may be 0."""

    def pruned(self, device: Device) -> Pruned:
        """What weights that are 0 spare."""
        ...


@runtime_checkable
class Multiplying(Protocol):
    """Multiplies and adds."""

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of one frame."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """Runs several layers of a network on the units of its core."""

    @property
    def macs_per_cycle(self) -> int:
        """What its multipliers can do at most."""
        ...


@runtime_checkable
class Loading(Protocol):
    """May have weights that are not in the bitstream."""

    @property
    def image(self) -> bytes:
        """What must come through the core's stream `weights`, of 16-bit words with the lower byte
        first, before the first frame; empty where there is no such stream."""
        ...


@runtime_checkable
class Following(Protocol):
    """Emits another order than the dense one, as its consumer asks: that is folded, and it
    follows."""

    def emitting(self, wanted: StreamType) -> Self:
        """This op folded so that its output ``o`` has the beats and the order of `wanted`.

        Raises
        ------
        ValueError
            The op has no such folding.
        """
        ...


@runtime_checkable
class Buffering(Protocol):
    """Stores beats and does nothing else: with another capacity, or left out, it changes times
    alone. It has the ports ``i`` and ``o``."""

    @property
    def outputs(self) -> dict[str, StreamType]: ...

    @property
    def capacity(self) -> int:
        """Beats stored in all."""
        ...

    def holding(self, capacity: int, device: Device) -> Self:
        """The same with room for so many beats, in the memory that suits."""
        ...


def cost_of(op: object, device: Device) -> Count:
    """What its core takes as far as it tells."""
    return op.cost(device) if isinstance(op, Costed) else Count()


def image_of(op: object) -> bytes:
    """What must be loaded before the first frame."""
    return op.image if isinstance(op, Loading) else b""


def macs_of(op: object) -> int:
    """Multiply-accumulate operations of a frame."""
    return op.macs if isinstance(op, Multiplying) else 0
