"""Traffic over the damaged serial line of an emulated board; every result compared.

python -m scripts.link_torture [DESIGN] [--bytes N] [--rates R ...] [--baud B] [--link L]

The baud rate is a quarter of the design's clock. At each rate of faults, bytes are lost, doubled,
changed and added in both directions, whole packets are doubled, hosts stop in the middle of a
packet and begin again, and the board loses its power. Rate 0 shows what the undamaged line carries.
Exit status 1 on any wrong result, on any call that overruns its deadline, and if nothing happened.
"""

import argparse
import faulthandler
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from cores.link.packets import Type
from cores.link.uart import MIN_DIVISOR
from hwgen.board.emulated_board import EmulatedBoard, SimulatedTransport
from hwgen.board.implement import board_design, portable_design
from hwgen.board.target import board_of, on_board, prepared_for
from hwgen.design import load_design
from hwgen.host.channel import LinkError
from hwgen.host.driver import Accelerator
from hwgen.host.manifest import Manifest
from hwgen.host.protocol import Feature, Packet
from hwgen.host.throughput import ChecksumError
from hwgen.ladder.simulation import interpret
from platforms.tools import Tools

ROOT = Path(__file__).parents[1]
PATIENCE_S = 0.001
"""Simulated; a host without an operating system."""

MOST_FRAMES = 40
HANG_S = 4.0
"""Simulated time after which a call counts as hanging: more than any chain of repetitions."""

STALLED_BYTES_PER_S = 500
"""Rate of traffic, in real time, below which the script counts as hanging."""

KINDS = ("changed", "lost", "doubled", "added", "bit flipped")


@dataclass
class Tally:
    """What happened at one rate."""

    rate: float
    sent: int = 0
    received: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    frames: int = 0
    payload: int = 0
    retries: int = 0
    recoveries: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    hangs: int = 0
    seconds: float = 0.0

    @property
    def traffic(self) -> int:
        return self.sent + self.received


class FaultyTransport:
    """A transport that damages what it carries.

    Parameters
    ----------
    transport : SimulatedTransport
    rate : float
        Faults per byte, in each direction.
    rng : Generator
    tally : Tally
        Counts bytes and faults.
    """

    def __init__(
        self, transport: SimulatedTransport, rate: float, rng: np.random.Generator, tally: Tally
    ):
        self._transport = transport
        self._rate = rate
        self._rng = rng
        self._tally = tally

    def write(self, data: bytes) -> None:
        self._tally.sent += len(data)
        spoilt = self._spoil(data)
        if self._happens(len(data) / 10):
            self._tally.faults["packet doubled"] += 1
            spoilt += spoilt
        self._transport.write(spoilt)

    def read(self, count: int, timeout: float) -> bytes:
        deadline = self.now() + timeout
        while (left := deadline - self.now()) > 0:
            data = self._transport.read(count, left)
            self._tally.received += len(data)
            # All bytes of a read may have been lost, which is no reason to stop waiting.
            if spoilt := self._spoil(data):
                return spoilt
        return b""

    def now(self) -> float:
        return self._transport.now()

    def close(self) -> None:
        self._transport.close()

    def _happens(self, times: float) -> bool:
        return bool(self._rng.random() < self._rate * times)

    def _spoil(self, data: bytes) -> bytes:
        spoilt = bytearray()
        for byte in data:
            if not self._happens(1):
                spoilt.append(byte)
                continue
            kind = KINDS[int(self._rng.integers(len(KINDS)))]
            self._tally.faults[kind] += 1
            other = int(self._rng.integers(256))
            spoilt += {
                "changed": bytes([other]),
                "lost": b"",
                "doubled": bytes([byte, byte]),
                "added": bytes([other, byte]),
                "bit flipped": bytes([byte ^ 1 << other % 8]),
            }[kind]
        return bytes(spoilt)


class Torture:
    """A design, its reference, and the calls that are made.

    Parameters
    ----------
    board : EmulatedBoard
    manifest : Manifest
    reference : callable
        Integers of the input to those of the output.
    """

    def __init__(
        self,
        board: EmulatedBoard,
        manifest: Manifest,
        reference: Callable[[np.ndarray], np.ndarray],
    ):
        self.board = board
        self.manifest = manifest
        self.reference = reference

    def run(self, rate: float, *, traffic: int, seed: int) -> Tally:
        """Calls at one rate until that many bytes were on the line."""
        rng = np.random.default_rng(seed)
        tally = Tally(rate)
        transport = FaultyTransport(SimulatedTransport(self.board), rate, rng, tally)
        start = transport.now()
        accelerator: Accelerator | None = None
        while tally.traffic < traffic:
            if rate:
                self._disturb(rng, tally)
            called = transport.now()
            try:
                if accelerator is None:
                    accelerator = Accelerator.open(
                        transport, self.manifest, patience_s=PATIENCE_S, progress=False
                    )
                self._call(accelerator, rng, tally)
            except LinkError as error:
                tally.errors[type(error).__name__] += 1
                tally.hangs += transport.now() - called > HANG_S
                accelerator = self._forget(accelerator, tally)
            else:
                tally.hangs += transport.now() - called > HANG_S
                # A host that is killed, and another that takes its place.
                if rate and rng.random() < 0.02:
                    tally.faults["host restarted"] += 1
                    accelerator = self._forget(accelerator, tally)
        self._forget(accelerator, tally)
        tally.seconds = transport.now() - start
        return tally

    def _forget(self, accelerator: Accelerator | None, tally: Tally) -> None:
        if accelerator is not None:
            tally.retries += accelerator.device.retries
            tally.recoveries += accelerator.device.recoveries

    def _disturb(self, rng: np.random.Generator, tally: Tally) -> None:
        """Between two calls."""
        line = self.board.line
        if rng.random() < 0.02:
            tally.faults["power lost"] += 1
            self.board.power_on()
        if rng.random() < 0.05:
            tally.faults["packet cut off"] += 1
            whole = Packet(Type.DATA, int(rng.integers(256)), bytes(80)).encode()
            line.send(whole[: int(rng.integers(1, len(whole)))])
        if rng.random() < 0.05:
            tally.faults["noise"] += 1
            line.send(rng.bytes(int(rng.integers(1, 40))))

    def _call(self, accelerator: Accelerator, rng: np.random.Generator, tally: Tally) -> None:
        tally.calls += 1
        if Feature.RUN in accelerator.device.info.features and rng.random() < 0.05:
            frames = int(rng.integers(1, 4))
            tally.frames += frames
            try:
                accelerator.throughput_test(frames, reference=self.reference)
            except ChecksumError:
                tally.wrong += frames
            return
        (port,) = self.manifest.inputs.values()
        wire = port.wire
        frames = int(rng.integers(1, MOST_FRAMES)) if tally.rate else 8 * MOST_FRAMES
        n = rng.integers(wire.lo, wire.hi, (frames, *wire.shape), endpoint=True)
        y = accelerator.execute_integers(n)
        tally.frames += frames
        info = accelerator.device.info
        tally.payload += frames * max(info.in_bytes, info.out_bytes)
        tally.wrong += int((y != self.reference(n)).reshape(frames, -1).any(axis=1).sum())


def prepare_torture(
    folder: Path, *, cache: Path, baud: int | None = None, link: str = "uart"
) -> Torture:
    """A design folder's design; without `baud` at a quarter of its clock."""
    design = replace(load_design(folder), link=link)
    target = on_board(design)
    prepared = prepared_for(design, target, cache=cache)
    fastest = round(target.clock_mhz * 1e6) // MIN_DIVISOR
    built = board_design(prepared, board_of(design), baud=baud or fastest)
    tools = Tools(dict(os.environ))
    board = EmulatedBoard.of_rtlil(portable_design(built), built.manifest, cache=cache, tools=tools)
    return Torture(board, built.manifest, partial(interpret, prepared))


def report(tally: Tally, manifest: Manifest) -> str:
    """One paragraph."""
    line = tally.payload * 10 / manifest.baud / tally.seconds
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.faults.items()))
    errors = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.errors.items()))
    return "\n".join(
        [
            f"rate {tally.rate:g} per byte, {manifest.baud} baud",
            f"  bytes sent: {tally.sent}, received: {tally.received}",
            f"  faults injected: {sum(tally.faults.values())} ({faults or 'none'})",
            f"  calls: {tally.calls}, frames: {tally.frames}",
            f"  packets sent again: {tally.retries}, device reset: {tally.recoveries}",
            f"  clear errors: {sum(tally.errors.values())} ({errors or 'none'})",
            f"  payload: {line:.1%} of the line rate",
            f"  wrong results: {tally.wrong}, hangs: {tally.hangs}",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A damaged line: every result compared.")
    parser.add_argument(
        "design", type=Path, nargs="?", default=ROOT / "designs/digits_mlp", help="design folder"
    )
    parser.add_argument("--bytes", type=int, default=1_000_000, help="traffic at each rate")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0, 1e-4, 1e-3])
    parser.add_argument("--baud", type=int, help="instead of a quarter of the clock")
    parser.add_argument("--link", choices=("uart", "minimal"), default="uart")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=ROOT / "build/simulators")
    options = parser.parse_args(arguments)
    torture = prepare_torture(
        options.design, cache=options.cache, baud=options.baud, link=options.link
    )
    bad = False
    for rate in options.rates:
        start = time.monotonic()
        # A call that never returns ends the script with a traceback and status 1.
        limit_s = 60 + options.bytes / STALLED_BYTES_PER_S
        faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__ or sys.stderr)
        tally = torture.run(rate, traffic=options.bytes, seed=options.seed)
        print(report(tally, torture.manifest))
        print(f"  simulated: {tally.seconds:.2f} s in {time.monotonic() - start:.1f} s", flush=True)
        bad |= bool(tally.wrong or tally.hangs or not tally.frames)
        bad |= bool(rate and not tally.faults)
    faulthandler.cancel_dump_traceback_later()
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
