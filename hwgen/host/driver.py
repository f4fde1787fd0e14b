"""A connected accelerator as an object: numpy in, numpy out."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2s
from pathlib import Path
from typing import Any, Self

import numpy as np

from hwgen.errors import InputError
from hwgen.host import edges
from hwgen.host.channel import LinkError, RefusedError
from hwgen.host.device import ConnectedDevice
from hwgen.host.manifest import HASH_BYTES, WEIGHTS, Manifest
from hwgen.host.throughput import measure
from hwgen.host.transport import LinkClosedError, SerialTransport, Transport

__all__ = ["Accelerator", "LinkError", "RefusedError", "Validation"]

PATIENCE_S = 0.5


@dataclass(frozen=True)
class Validation:
    """Samples compared, and those that were right."""

    samples: int
    correct: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.samples


class Accelerator:
    """An accelerator on a board, or anything that speaks its protocol.

    Opening resets the device and checks that it is the one of the manifest.

    Parameters
    ----------
    transport : Transport
    manifest : Manifest
    patience_s : float
        Time a reply may take beyond its time on the line and in the accelerator.
    progress : bool
        Long transfers show a progress bar on a terminal.

    Attributes
    ----------
    device : ConnectedDevice
        The same in bytes: what it says of itself, its counters, resets, `close`.

    Raises
    ------
    LinkError
        No answer.
    InputError
        The device holds another model, or speaks another protocol.
    """

    def __init__(
        self,
        transport: Transport,
        manifest: Manifest,
        *,
        patience_s: float = PATIENCE_S,
        progress: bool = True,
    ):
        self.manifest = manifest
        self._folder: Path | None = None
        for what, ports in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
            if len(ports) != 1:
                raise InputError(
                    f"the driver serves models with one input and one output, "
                    f"not the {len(ports)} {what} {', '.join(ports)}"
                )
        ((self._input_name, self._input),) = manifest.inputs.items()
        ((self._output_name, self._output),) = manifest.outputs.items()
        self.device = ConnectedDevice(transport, manifest, patience_s=patience_s, progress=progress)

    @classmethod
    def open(
        cls,
        port: str | Transport,
        manifest: str | Path | Manifest,
        *,
        patience_s: float = PATIENCE_S,
        progress: bool = True,
    ) -> Self:
        """Connects to a serial port, or through another transport.

        Parameters
        ----------
        port : str or Transport
            A serial port such as ``/dev/ttyUSB1``, or the path that ``hwgen emulate`` prints.
        manifest : str, Path or Manifest
            ``manifest.json`` of the build, or the folder of the build.

        Raises
        ------
        InputError
            The manifest cannot be read, or the device is not the one that it describes.
        LinkError
            The port cannot be opened, or nothing answers.
        """
        folder = None
        if not isinstance(manifest, Manifest):
            path = Path(manifest)
            path = path / "manifest.json" if path.is_dir() else path
            folder = path.parent
            try:
                manifest = Manifest.load(path)
            except (ValueError, OSError) as error:
                raise InputError(str(error)) from error
        if isinstance(port, str):
            try:
                transport: Transport = SerialTransport(port, manifest.baud)
            except LinkClosedError as error:
                raise LinkError(f"cannot open the link: {error}") from error
        else:
            transport = port
        try:
            result = cls(transport, manifest, patience_s=patience_s, progress=progress)
        except BaseException:
            transport.close()
            raise
        result._folder = folder
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.device.close()

    def execute(self, x: np.ndarray) -> np.ndarray:
        """What the model returns.

        Parameters
        ----------
        x : array, (N, *shape) or shape of one sample
            The model's input; integers count as numbers, not as quantised values.

        Raises
        ------
        InputError
            Shape or values are not the model's.
        LinkError
            The device did not answer in time.
        """
        x = np.asarray(x)
        port = self._input
        if x.shape == port.shape:
            return self.execute(x[np.newaxis])[0]
        if x.shape[1:] != port.shape or x.ndim != len(port.shape) + 1:
            raise InputError(
                f"input {self._input_name} must have shape {port.shape} or "
                f"(N, {', '.join(map(str, port.shape))}), not {x.shape}"
            )
        try:
            n = edges.apply(port.steps, x).reshape(len(x), *port.int_shape)
        except ValueError as error:
            raise InputError(f"input {self._input_name}: {error}") from error
        y = edges.apply(self._output.steps, self.execute_integers(n))
        return y.reshape(len(x), *self._output.shape).astype(self._output.elem)

    def execute_integers(self, n: np.ndarray) -> np.ndarray:
        """The accelerator alone, without the model's host edges.

        Parameters
        ----------
        n : int array, (N, *int_shape)

        Returns
        -------
        int64 array, (N, *int_shape of the output)

        Raises
        ------
        InputError
            Shape or range is not the accelerator's.
        LinkError
            The device did not answer in time.
        """
        try:
            frames = self._input.wire.pack(np.asarray(n))
        except ValueError as error:
            raise InputError(f"input {self._input_name}: {error}") from error
        wire = self._output.wire
        results = [wire.unpack(frame) for frame in self.device.transfer(frames)]
        return np.array(results, np.int64).reshape(len(frames), *self._output.int_shape)

    def validate(self, x: np.ndarray, y: np.ndarray) -> Validation:
        """Executes and compares.

        Parameters
        ----------
        x : array, (N, *shape)
        y : array
            What the model must return, compared by equality after rounding to the model's type;
            or labels (N,), compared with the largest score.

        Raises
        ------
        InputError
            The shape of `x` or `y` is not the model's.
        LinkError
            The device did not answer in time.
        """
        found = self.execute(x)
        y = np.asarray(y)
        if y.shape == found.shape:
            equal = found == y.astype(found.dtype)
            right = equal.reshape(len(found), -1).all(axis=1)
        elif y.shape == found.shape[:1]:
            scores = found.reshape(len(found), -1)
            right = (scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0]) == y
        else:
            raise InputError(
                f"expected values must have shape {found.shape} or, as labels, "
                f"{found.shape[:1]}, not {y.shape}"
            )
        return Validation(len(found), int(right.sum()))

    def load_weights(self, image: bytes | str | Path | None = None) -> None:
        """Loads the weights of a design whose bitstream does not hold them.

        Parameters
        ----------
        image : bytes, str, Path or None
            The image of the build, or its file; if None, the file in the build folder.

        Raises
        ------
        InputError
            The design takes none, or those of another build.
        LinkError
        """
        size = self.device.info.weight_bytes
        if not size:
            raise InputError(f"{self.manifest.model} has its weights in its bitstream")
        if image is None:
            if self._folder is None:
                raise InputError(
                    "weights must be given where the manifest was not read from a file"
                )
            image = self._folder / WEIGHTS
        if not isinstance(image, bytes):
            try:
                image = Path(image).read_bytes()
            except OSError as error:
                raise InputError(str(error)) from error
        if len(image) != size:
            raise InputError(
                f"weights must have {size} bytes, not {len(image)}: take the "
                "image of the bitstream programmed"
            )
        found = blake2s(image, digest_size=HASH_BYTES).hexdigest()
        if found != self.manifest.weights_hash:
            raise InputError(
                f"weights must be the image {self.manifest.weights_hash} of the manifest, "
                f"not {found}"
            )
        self.device.load(image)

    def throughput_test(
        self,
        frames: int = 1000,
        *,
        reference: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> dict[str, Any]:
        """Measures the device itself, on a pattern of its own, and the way to it.

        Parameters
        ----------
        frames : int
            Run on the device.
        reference : callable, optional
            Integers (N, *int_shape) of the accelerator's input to those of its output, exactly:
            the checksum of all frames is compared with it. The checksum of the first frames is
            always compared with the one that the build has computed.

        Returns
        -------
        dict
            See `hwgen.host.throughput.measure`.

        Raises
        ------
        InputError
            The device has no pattern source.
        LinkError
            A checksum differs, or no answer.
        """
        return measure(self.device, self.manifest, frames, reference)
