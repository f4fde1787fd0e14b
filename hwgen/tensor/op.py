"""Ops of the tensor graph: the model as real numbers, every quantiser in one normal form.

The reader makes these from ONNX; nothing here knows ONNX. A graph input is described by a
`TensorType`. All arithmetic is meant in real numbers, with constants as stored (DESIGN: the
referee); axes are those of the model, batch axis included.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorType:
    """Shape and element type of a graph input: `elem` is an ONNX name such as ``FLOAT`` or
    ``INT8``."""

    shape: tuple[int, ...]
    elem: str
