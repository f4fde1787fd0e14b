"""The digits test set through emulated boards: what a user of a board would see."""

from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from hwgen.board.emulated_board import EmulatedBoard, SimulatedTransport
from hwgen.board.implement import PATTERN_FRAMES, board_design, portable_design
from hwgen.board.terminal import Terminal
from hwgen.design import load_design
from hwgen.host.driver import Accelerator
from hwgen.ladder.simulation import interpret, run_graph
from hwgen.prepare import load, prepare
from platforms.boards.catalogue import board as find_board

FOLDER = Path(__file__).parents[2] / "designs" / "digits_mlp"
RIGHT = 446
"""Digits of the 450 held out that the model gets right."""


@pytest.fixture(scope="module")
def built():
    design = load_design(FOLDER)
    chosen = find_board(design.board)
    prepared = prepare(load(design.model), chosen.device, clock_mhz=24, goal=design.goal)
    return board_design(prepared, chosen)


@pytest.fixture(scope="module")
def machine(built, cache, tools):
    return EmulatedBoard.of_rtlil(portable_design(built), built.manifest, cache=cache, tools=tools)


@pytest.fixture
def board(machine):
    machine.power_on()
    return machine


@pytest.fixture(scope="module")
def vectors():
    with np.load(FOLDER / "vectors.npz") as found:
        return found["input"], found["label"]


def test_digits_through_a_serial_port(built, board, vectors):
    x = vectors[0][:60]
    stop = Event()
    with Terminal(board) as terminal:
        thread = Thread(target=terminal.serve, args=(stop.is_set,))
        thread.start()
        try:
            with Accelerator.open(terminal.path, built.manifest) as accelerator:
                output = accelerator.execute(x)
        finally:
            stop.set()
            thread.join()
    assert np.array_equal(output, run_graph(built.prepared, x).output)


def test_many_frames_fill_the_line(built, board, vectors):
    x, labels = vectors
    transport = SimulatedTransport(board)
    accelerator = Accelerator.open(transport, built.manifest, progress=False)
    start = transport.now()
    assert accelerator.validate(x, labels).correct == RIGHT
    seconds = transport.now() - start
    payload = len(x) * accelerator.device.info.in_bytes
    assert payload * 10 / built.manifest.baud / seconds >= 0.85
    assert accelerator.device.retries == 0


def test_the_device_alone_is_as_fast_as_scheduled(built, board):
    accelerator = Accelerator.open(SimulatedTransport(board), built.manifest, progress=False)
    found = accelerator.throughput_test(40, reference=lambda n: interpret(built.prepared, n))
    assert found["checksum_frames"] == 40
    assert accelerator.throughput_test(5)["checksum_frames"] == PATTERN_FRAMES
    timing = built.prepared.timing
    assert found["cycles"] == timing.last_out + 39 * timing.interval
    accelerator.device.reset()
    accelerator.device.run(6)
    counters = accelerator.device.counters()
    assert (counters.frames_in, counters.frames_out) == (6, 6)
    assert (counters.latency_cycles, counters.interval_cycles) == (timing.last_out, timing.interval)


def test_a_stream_that_waits_is_seen(built, board):
    accelerator = Accelerator.open(SimulatedTransport(board), built.manifest, progress=False)
    stalls = {}
    for stream in built.manifest.streams:
        accelerator.device.watch(stream)
        accelerator.device.run(4)
        stalls[stream] = accelerator.device.counters().stalls
    # Frames wait in front of the first layer; behind the last one nothing does.
    assert stalls["input"] > 3 * built.prepared.timing.interval // 2
    assert stalls["output"] == 0
    assert len(stalls) == 2 + len(built.prepared.folded.nodes) - 1
