"""A simulated design without lanes: whole frames through its two streams."""

import numpy as np

from cores.types import StreamType
from hwgen.simulators.driver import NO_STALL, Driver, Stall, StreamRun, pack_tensor, unpack_tensor


class FrameDriver(Driver):
    """What `Driver` leaves open, for one design at a time."""

    def run_tensor(
        self,
        tensor: np.ndarray,
        i_type: StreamType,
        o_type: StreamType,
        *,
        stall: Stall = NO_STALL,
        patience: int = 100_000,
        drain: int = 0,
    ) -> tuple[np.ndarray, StreamRun]:
        """Whole frames through the design, one after the other.

        Parameters
        ----------
        tensor : int array, (frames, *i_type.shape)

        Returns
        -------
        tensor : int64 array, (frames, *o_type.shape)
        run : StreamRun
        """
        beats = pack_tensor(tensor, i_type)
        run = self.run(
            beats.reshape(-1, beats.shape[-1]),
            len(tensor) * o_type.beats,
            stall=stall,
            patience=patience,
            drain=drain,
        )
        return unpack_tensor(run.beats, o_type), run

    def _size(self, width: int) -> int:
        return -(-width // 8)

    def _encode(self, values: np.ndarray, width: int) -> np.ndarray:
        if values.ndim != 2 or values.shape[1] != self._size(width):
            raise ValueError(
                f"beats of {self._name} must have the shape (beats, {self._size(width)}), "
                f"not {values.shape}"
            )
        return np.ascontiguousarray(values)

    def _decode(self, data: np.ndarray, width: int) -> np.ndarray:
        return data
