"""What the cells of each family do: one line a family."""

from collections.abc import Callable, Mapping

from hwgen.simulators.cell import Cell
from hwgen.simulators.cells import ecp5, ice40

CELLS: dict[str, Mapping[str, Callable[[Cell], None]]] = {
    "ice40": ice40.CELLS,
    "ecp5": ecp5.CELLS,
}
