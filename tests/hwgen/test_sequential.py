"""A network whose layers run one after the other, from the file to the netlist."""

import numpy as np
import pytest

from hwgen.checks import through_netlist
from hwgen.design import Goal
from hwgen.emulated_board import EmulatedBoard, SimulatedTransport
from hwgen.errors import InputError
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.manifest import WEIGHTS
from hwgen.implement import board_design, save_for_hosts, synthesise_design
from hwgen.prepare import load, prepare
from hwgen.simulation import compiled, run_graph, run_rtl, to_integers
from platforms.boards import board as find_board
from platforms.devices import device
from tests.onnx_models import random_mlp, save

X = np.random.default_rng(2).uniform(-2, 17, (6, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    model = save(random_mlp(np.random.default_rng(4), (6, 4, 3)), tmp_path_factory.mktemp("model"))
    return load(model, sequential=True)


@pytest.fixture(scope="module")
def design(loaded):
    chosen = find_board("icebreaker")
    prepared = prepare(loaded, chosen.device, clock_mhz=24, goal=Goal())
    return board_design(prepared, chosen, baud=6_000_000)


@pytest.mark.parametrize("name", ["up5k", "ecp5-25f"])
def test_the_compiled_accelerator_keeps_its_schedule(loaded, name, cache):
    prepared = prepare(loaded, device(name), clock_mhz=24, goal=Goal())
    found = run_rtl(prepared, X, compiled(prepared, cache=cache))
    assert np.array_equal(found.output_int, run_graph(prepared, X).output_int)
    assert (found.interval, found.latency) == (prepared.timing.interval, prepared.timing.last_out)


def test_the_host_must_load_the_weights(design, tmp_path, cache, tools):
    save_for_hosts(design, tmp_path)
    image = (tmp_path / WEIGHTS).read_bytes()
    board = EmulatedBoard.of_build(tmp_path, cache=cache, tools=tools)
    with Accelerator.open(SimulatedTransport(board), tmp_path / "manifest.json") as accelerator:
        assert accelerator.info.weight_bytes == len(image)
        with pytest.raises(LinkError, match="the weights must be loaded first"):
            accelerator.execute(X)
        with pytest.raises(InputError, match=f"^weights must have {len(image)} bytes, not 2: "):
            accelerator.load_weights(b"ab")
        with pytest.raises(InputError, match=r"^weights must be the image [0-9a-f]{16} of the"):
            accelerator.load_weights(bytes(len(image)))
        accelerator.load_weights()
        assert np.array_equal(accelerator.execute(X), run_graph(design.prepared, X).output)
        accelerator.reset()
        assert np.array_equal(accelerator.execute(X), run_graph(design.prepared, X).output)


@pytest.mark.synth
def test_the_netlist_computes_with_what_it_was_loaded(design, tmp_path, cache, tools):
    netlist = synthesise_design(design, tools, tmp_path)
    prepared = design.prepared
    rung = through_netlist(
        prepared,
        design.manifest,
        design.board,
        netlist.path,
        to_integers(prepared.loaded, X),
        cache=cache,
    )
    assert (rung.samples, rung.mismatches) == (len(X), 0)
