"""A network whose layers run one after the other, from the file to the netlist."""

import numpy as np
import pytest

from hwgen.board.emulated_board import EmulatedBoard, SimulatedTransport
from hwgen.board.implement import board_design, save_for_hosts, synthesise_design
from hwgen.design import Goal
from hwgen.errors import FitError, InputError
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.manifest import WEIGHTS
from hwgen.ladder.checks import through_netlist
from hwgen.ladder.simulation import compiled, run_graph, run_rtl, to_integers
from hwgen.prepare import load, prepare
from platforms.boards.catalogue import board as find_board
from platforms.devices import device
from tests.onnx_models import Maker, random_mlp, save


def residual(space: tuple[int, ...]) -> Maker:
    """A sum of two branches with other scales, a shortcut of every other place, a mean."""
    rng = np.random.default_rng(9)
    maker = Maker((1, 2, *space))

    def convolution(x: str, channels: int, columns: int, *, stride: int = 1, size: int = 3) -> str:
        weights = rng.integers(-7, 8, (channels, columns, *(size,) * len(space))).astype(float)
        w = maker.quant(maker.constant(weights), scale=0.25, bits=4.0, narrow=True)
        pads = [(size - 1) // 2] * 2 * len(space)
        return maker.node("Conv", x, w, pads=pads, strides=[stride] * len(space))

    def quantised(x: str, scale: float, *, signed: bool = True) -> str:
        return maker.quant(x, scale=scale, bits=6.0, signed=signed)

    start = convolution(quantised("x", 0.5), 5, 2)
    first = quantised(maker.node("Relu", start), 0.7071, signed=False)
    branch = quantised(convolution(first, 5, 5), 1.1313)
    both = maker.node("Add", first, branch)
    second = quantised(maker.node("Relu", both), 0.9, signed=False)
    left = quantised(convolution(second, 6, 5, stride=2), 2.0)
    right = quantised(convolution(second, 6, 5, stride=2, size=1), 2.0)
    joined = quantised(maker.node("Add", left, right), 4.0)
    mean = quantised(maker.node("GlobalAveragePool", joined), 2.0)
    flat = maker.node("Flatten", mean)
    last = maker.quant(maker.constant(rng.integers(-7, 8, (6, 3)).astype(float)), scale=0.25)
    maker.node("MatMul", flat, last)
    return maker


MODELS = {
    "mlp": lambda: random_mlp(np.random.default_rng(4), (6, 4, 3)),
    "residual": lambda: residual((4, 3)).model(),
    "residual in one dimension": lambda: residual((7,)).model(),
}


@pytest.fixture(scope="module", params=MODELS)
def loaded(request, tmp_path_factory):
    model = save(MODELS[request.param](), tmp_path_factory.mktemp("model"))
    return load(model, sequential=True)


@pytest.fixture(scope="module")
def x(loaded) -> np.ndarray:
    (entry,) = loaded.model.graph.inputs.values()
    return np.random.default_rng(2).uniform(-2, 17, (6, *entry.shape[1:])).astype(np.float32)


@pytest.fixture(scope="module")
def design(loaded):
    chosen = find_board("icebreaker")
    prepared = prepare(loaded, chosen.device, clock_mhz=24, goal=Goal())
    return board_design(prepared, chosen, baud=6_000_000)


@pytest.mark.parametrize("name", ["up5k", "ecp5-25f"])
def test_the_compiled_accelerator_keeps_its_schedule(loaded, x, name, cache):
    prepared = prepare(loaded, device(name), clock_mhz=24, goal=Goal())
    found = run_rtl(prepared, x, compiled(prepared, cache=cache))
    assert np.array_equal(found.output_int, run_graph(prepared, x).output_int)
    assert (found.interval, found.latency) == (prepared.timing.interval, prepared.timing.last_out)


@pytest.mark.parametrize("loaded", ["mlp"], indirect=True)
def test_the_host_must_load_the_weights(design, x, tmp_path, cache, tools):
    save_for_hosts(design, tmp_path)
    image = (tmp_path / WEIGHTS).read_bytes()
    board = EmulatedBoard.of_build(tmp_path, cache=cache, tools=tools)
    with Accelerator.open(SimulatedTransport(board), tmp_path / "manifest.json") as accelerator:
        assert accelerator.device.info.weight_bytes == len(image)
        with pytest.raises(LinkError, match="the weights must be loaded first"):
            accelerator.execute(x)
        with pytest.raises(InputError, match=f"^weights must have {len(image)} bytes, not 2: "):
            accelerator.load_weights(b"ab")
        with pytest.raises(InputError, match=r"^weights must be the image [0-9a-f]{16} of the"):
            accelerator.load_weights(bytes(len(image)))
        accelerator.load_weights()
        assert np.array_equal(accelerator.execute(x), run_graph(design.prepared, x).output)
        accelerator.device.reset()
        assert np.array_equal(accelerator.execute(x), run_graph(design.prepared, x).output)


@pytest.mark.synth
@pytest.mark.parametrize("loaded", ["mlp", "residual"], indirect=True)
def test_the_netlist_computes_with_what_it_was_loaded(design, x, tmp_path, cache, tools):
    netlist = synthesise_design(design, tools, tmp_path)
    prepared = design.prepared
    rung = through_netlist(
        prepared,
        design.manifest,
        design.board,
        netlist.path,
        to_integers(prepared.loaded, x),
        cache=cache,
    )
    assert (rung.samples, rung.mismatches) == (len(x), 0)


def test_a_device_without_room_is_refused(tmp_path):
    model = save(random_mlp(np.random.default_rng(4), (300, 240, 3)), tmp_path)
    loaded = load(model, sequential=True)
    message = r"^layers does not fit up5k: weights of LayerSequence take \d+ bytes, more than the"
    with pytest.raises(FitError, match=message):
        prepare(loaded, device("up5k"), clock_mhz=24, goal=Goal())
    with pytest.raises(FitError, match=r"^the model does not fit hx8k .*or smaller layers$"):
        prepare(loaded, device("hx8k"), clock_mhz=24, goal=Goal())
    assert prepare(loaded, device("ecp5-85f"), clock_mhz=24, goal=Goal()).resources.dsp == 64
