"""Windows of several neighbouring positions at once, as one window over wider columns."""

from dataclasses import dataclass

from cores.window.window_schedule import Axis


@dataclass(frozen=True)
class WideColumns:
    """Windows along an axis, `pixels` at a time, over columns of as many elements.

    Parameters
    ----------
    axis : Axis
    pixels : int
        Divides the size and the number of windows of `axis`, so that a wide column lies on the
        input or in the padding as a whole.
    """

    axis: Axis
    pixels: int

    @property
    def _first(self) -> int:
        """Wide column of the first tap of the first windows."""
        return -self.axis.before // self.pixels

    @property
    def wide(self) -> Axis:
        """The axis of the wide columns: the windows are as one that reaches over all of them."""
        axis, pixels = self.axis, self.pixels
        if pixels == 1:
            return axis
        last = ((pixels - 1) * axis.stride - axis.before + axis.reach) // pixels
        kernel, before, size = last - self._first + 1, -self._first, axis.size // pixels
        after = (axis.windows // pixels - 1) * axis.stride + kernel - before - size
        return Axis(size, kernel, axis.stride, 1, before, max(0, after))

    def place(self, pixel: int, tap: int) -> tuple[int, int]:
        """Tap of the wide axis that holds a tap of the window of a pixel, and its place therein."""
        axis = self.axis
        if self.pixels == 1:
            return tap, 0
        column = pixel * axis.stride - axis.before + tap * axis.dilation
        return divmod(column - self._first * self.pixels, self.pixels)
