"""Manifest of a build: what the driver must know and the bitstream does not hold, as JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hwgen.host.protocol import WireFormat

FORMAT = 2
"""Version of the file; a driver reads its own only."""

WEIGHTS = "weights.bin"
"""File beside the manifest with the weights to be loaded, if there are such."""

HASH_BYTES = 8
"""Bytes of the hashes and of the build id."""


@dataclass(frozen=True)
class Port:
    """One input or output of the model.

    Parameters
    ----------
    shape : tuple of int
        Of one sample in the model, without batch axis.
    elem : str
        numpy name of the model's element type, as ``float32``.
    int_shape : tuple of int
        Of one frame in the accelerator, channels last.
    dtype : str
        Integer type in the accelerator, as ``u4``, ``s8`` or ``-7..7``.
    link_lanes : int
        Channels of a link beat.
    lanes : int
        Channels of a beat of the accelerator itself.
    steps : tuple of dict
        Edge between the model's values and the accelerator's integers; see `hwgen.host.edges`.

    Raises
    ------
    ValueError
        `dtype` is not an integer type, or lanes do not divide the channels.
    """

    shape: tuple[int, ...]
    elem: str
    int_shape: tuple[int, ...]
    dtype: str
    link_lanes: int
    lanes: int
    steps: tuple[dict[str, Any], ...]

    def __post_init__(self):
        parse_range(self.dtype)
        for name, lanes in (("link_lanes", self.link_lanes), ("lanes", self.lanes)):
            if not self.int_shape or lanes < 1 or self.int_shape[-1] % lanes:
                raise ValueError(
                    f"{name} must divide the last axis of {self.int_shape}, not {lanes}"
                )

    @property
    def wire(self) -> WireFormat:
        lo, hi = parse_range(self.dtype)
        return WireFormat(self.int_shape, lo, hi, self.link_lanes)


@dataclass(frozen=True)
class PatternCheck:
    """Outputs for the device's own pattern by the integer graph.

    Parameters
    ----------
    frames : int
        Number of frames, from the first on.
    checksum : int
        Of their outputs; see `hwgen.host.pattern`.
    """

    frames: int
    checksum: int


@dataclass(frozen=True)
class Manifest:
    """What was built.

    Parameters
    ----------
    model : str
        Name of the model.
    model_hash : str
        BLAKE2s of the model file's bytes, its first 8 bytes in hexadecimal.
    build_id : str
        8 bytes in hexadecimal that tell builds of the same model apart.
    board, device : str
    clock_mhz : float
    baud : int
    inputs, outputs : dict of str to Port
    cycles_per_frame, latency_cycles : int
        As scheduled.
    streams : tuple of str
        Streams whose stalls the device can count, in the order of its register.
    pattern : PatternCheck or None
    weights_hash : str
        BLAKE2s of the image of loaded weights, its first 8 bytes in hexadecimal; empty if the
        bitstream holds the weights.

    Raises
    ------
    ValueError
        A hash is not 8 bytes in hexadecimal.
    """

    model: str
    model_hash: str
    build_id: str
    board: str
    device: str
    clock_mhz: float
    baud: int
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    cycles_per_frame: int
    latency_cycles: int
    streams: tuple[str, ...] = ("input", "output")
    pattern: PatternCheck | None = None
    weights_hash: str = ""

    def __post_init__(self):
        for name in ("model_hash", "build_id", "weights_hash"):
            value = getattr(self, name)
            if name == "weights_hash" and not value:
                continue
            if not re.fullmatch("[0-9a-f]{16}", value):
                raise ValueError(f"{name} must be 16 hexadecimal digits, not {value!r}")

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Reads a file that `save` wrote.

        Raises
        ------
        ValueError
            Not a manifest, or one of another version.
        OSError
        """
        try:
            record = json.loads(Path(path).read_text())
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: a manifest must be JSON: {error}") from error
        if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
            raise ValueError(f'{path}: a manifest must have "format": {FORMAT}; build it again')
        _check_fields(cls, record, path)
        for side in ("inputs", "outputs"):
            record[side] = {name: _port(form, path) for name, form in record[side].items()}
        record["streams"] = tuple(record["streams"])
        if record["pattern"] is not None:
            _check_fields(PatternCheck, record["pattern"], path)
            record["pattern"] = PatternCheck(**record["pattern"])
        return cls(**record)


def _check_fields(cls: type, record: dict[str, Any], path: Path) -> None:
    if wrong := set(record) ^ {field.name for field in fields(cls)}:
        raise ValueError(
            f"{path}: must have the fields of a manifest; missing or unknown: "
            + ", ".join(sorted(wrong))
        )


def _port(form: dict[str, Any], path: Path) -> Port:
    _check_fields(Port, form, path)
    return Port(
        shape=tuple(form["shape"]),
        elem=form["elem"],
        int_shape=tuple(form["int_shape"]),
        dtype=form["dtype"],
        link_lanes=form["link_lanes"],
        lanes=form["lanes"],
        steps=tuple(form["steps"]),
    )


def parse_range(dtype: str) -> tuple[int, int]:
    """Lowest and highest value of an integer type such as ``u4``, ``s8`` or ``-7..7``.

    Raises
    ------
    ValueError
        Another text.
    """
    if match := re.fullmatch(r"u([1-9]\d*)", dtype):
        return 0, (1 << int(match[1])) - 1
    if match := re.fullmatch(r"s([1-9]\d*)", dtype):
        half = 1 << (int(match[1]) - 1)
        return -half, half - 1
    if match := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", dtype):
        if int(match[1]) > int(match[2]):
            raise ValueError(f"integer type must have its lower end first, not {dtype!r}")
        return int(match[1]), int(match[2])
    raise ValueError(f"integer type must be like 'u4', 's8' or '-7..7', not {dtype!r}")
