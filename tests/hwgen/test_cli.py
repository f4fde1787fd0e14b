"""The command as a user types it: results, exit statuses, and one message for every bad input."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from hwgen import cli
from hwgen.cli import main
from hwgen.design import Design, Goal, load_design
from hwgen.errors import CheckError
from hwgen.graph.text import write
from hwgen.host.protocol import Info
from hwgen.prepare import load, prepare
from hwgen.verbs import flow
from platforms.devices import device
from tests.onnx_models import Dense as Layer
from tests.onnx_models import Maker, mlp, random_mlp, save


@pytest.fixture(autouse=True)
def caches(monkeypatch, tmp_path, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(tmp_path):
    return str(save(random_mlp(np.random.default_rng(4), (6, 4, 3)), tmp_path))


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_inspect_gives_one_line_for_each_node(capsys, tmp_path):
    maker = Maker((1, 4))
    weights = maker.constant(np.eye(4))
    x = maker.node("MatMul", maker.quant("x", name="input"), weights, name="first")
    x = maker.quant(maker.node("Relu", x, name="act"), signed=False, name="middle")
    maker.node("MatMul", x, weights, name="second")
    status, out, _ = run(capsys, "inspect", str(maker.save(tmp_path)))
    assert status == 0
    assert [re.sub(" +", " ", line) for line in out.splitlines()] == [
        "yes input qonnx.custom_op.general.Quant host: quantises the input",
        "yes first MatMul MatVec 4x4",
        "yes act Relu folded into the thresholds of middle",
        "yes middle qonnx.custom_op.general.Quant MultiThreshold 4 x 7",
        "yes second MatMul MatVec 4x4",
    ]


def test_inspect_tells_all_problems_at_once(capsys, tmp_path):
    maker = Maker((1, 4))
    x = maker.quant("x", name="input")
    x = maker.node(
        "LSTM",
        x,
        maker.constant(np.zeros((1, 4, 4), np.float32)),
        maker.constant(np.zeros((1, 4, 1), np.float32)),
        name="memory",
        hidden_size=1,
    )
    x = maker.quant(x, name="second", scale=float("nan"))
    status, out, _ = run(capsys, "inspect", str(maker.save(tmp_path)))
    assert status == 2
    refused = [line.split()[1] for line in out.splitlines() if line.startswith("no")]
    assert refused == ["memory", "second"]


def test_estimate_prints_a_record(capsys, small):
    status, out, _ = run(capsys, "estimate", small, "--device", "up5k", "--fps", "1000", "--json")
    record = json.loads(out)
    assert status == 0
    assert record["frames_per_second"]["value"] >= 1000
    assert record["cycles_per_frame"]["evidence"] == "estimated"


@pytest.mark.synth
@pytest.mark.parametrize("level", ["graph", "cores", "rtl", "netlist"])
def test_every_level_returns_the_same(capsys, tmp_path, small, level):
    x = np.random.default_rng(1).uniform(-2, 17, (20, 6)).astype(np.float32)
    np.savez("in.npz", input=x)
    board = ["--board", "icebreaker"]
    files = ["--inputs", "in.npz", "--out", "out.npz"]
    status, out, _ = run(capsys, "simulate", small, *board, *files, "--level", level, "--json")
    assert status == 0
    assert json.loads(out[out.index("{") :])["samples"] == 20
    first = tmp_path / "first.npz"
    with np.load("out.npz") as found:
        run(capsys, "simulate", small, *board, *files[:2], "--out", str(first), "--level", "graph")
        with np.load(first) as wanted:
            for name in ("output", "output_int"):
                assert np.array_equal(found[name], wanted[name])


def _float_model(folder):
    maker = Maker((1, 4))
    maker.node("MatMul", "x", maker.constant(np.full((4, 2), 0.3, np.float32)), name="dense")
    return maker.save(folder)


def _unsupported(folder):
    maker = Maker((1, 4))
    x = maker.node("Det", maker.quant("x"), name="middle")
    maker.quant(x)
    return maker.save(folder)


def _weights(folder, **changes):
    rng = np.random.default_rng(0)
    return save(mlp([Layer(rng.integers(-2, 3, (3, 4)), **changes)]), folder)


def _nan_scale(folder):
    return _weights(folder, scale=float("nan"))


def _infinite_scale(folder):
    return _weights(folder, scale=float("inf"))


def _shape(*shape):
    def make(folder):
        maker = Maker(shape)
        maker.quant("x")
        return maker.save(folder)

    return make


def _binary_zero_point(folder):
    maker = Maker((1, 4))
    x = maker.quant("x", name="input")
    w = maker.quant(maker.constant(np.ones((4, 2), np.float32)), bits=1.0, zero_point=1.0, name="w")
    maker.node("MatMul", x, w, name="dense")
    return maker.save(folder)


def _text_file(folder):
    (folder / "notes.onnx").write_text("not a model at all, only text\n" * 20)
    return folder / "notes.onnx"


def _truncated(folder):
    path = save(random_mlp(np.random.default_rng(4), (6, 4, 3)), folder)
    path.write_bytes(path.read_bytes()[:-200])
    return path


BAD_MODELS = {
    "not ONNX": (_text_file, r"notes\.onnx: must be a complete ONNX file"),
    "truncated": (_truncated, r"model\.onnx: must be a complete ONNX file"),
    "missing": (lambda folder: folder / "no.onnx", r"no\.onnx: must be a readable file"),
    "float": (_float_model, r"dense: .*quanti"),
    "unsupported op": (_unsupported, r"middle: .*Det"),
    "dynamic shape": (_shape(1, "length"), r"x: .*length"),
    "batch": (_shape(8, 4), r"x: .*batch.*8"),
    "nan scale": (_nan_scale, r"layer0_wq: .*scale.*nan"),
    "infinite scale": (_infinite_scale, r"layer0_wq: .*scale.*inf"),
    "binary zero point": (_binary_zero_point, r"w: .*zero"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
@pytest.mark.parametrize(
    "verb",
    [
        ["inspect"],
        ["estimate", "--device", "up5k"],
        ["build", "--board", "icebreaker", "-o", "out"],
    ],
    ids=lambda v: v[0],
)
def test_a_bad_model_ends_with_status_2_and_a_message(capsys, tmp_path, case, verb):
    make, message = BAD_MODELS[case]
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    status, out, err = run(capsys, verb[0], str(path), *verb[1:])
    assert status == 2
    told = err or out
    assert re.search(message, told), told
    assert "Traceback" not in told
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--board", "breadboard"], r"board must be one of icebreaker, .*, not 'breadboard'$"),
        (["--board", "icebreaker", "--clock-mhz", "900"], r"900"),
        (["--board", "icebreaker", "--fps", "1e9"], r"leave 0 cycles per frame"),
        (
            ["--board", "icebreaker", "--fps", "-3"],
            r"must be a positive number, not -3$",
        ),
        (["--board", "icebreaker", "--folding", "f.toml"], r"f\.toml: cannot be read"),
        (["--board", "icebreaker", "--vectors", "v.npz"], r"v\.npz: must be a readable npz"),
        (["--board", "icebreaker", "--input-type", "u99x"], r"u99x"),
        (["--board", "icebreaker", "--baud", "7000000"], r"baud 7000000"),
        (["--board", "icebreaker", "--link", "usb"], r"must be one of uart, .*, not 'usb'$"),
        (
            ["--board", "icebreaker", "--device", "hx1k"],
            r"device must be up5k, .*, not hx1k$",
        ),
        ([], r"--board must be given; boards: icebreaker"),
    ],
)
def test_a_bad_option_ends_with_status_2_and_a_message(capsys, tmp_path, small, options, message):
    before = sorted(tmp_path.iterdir())
    status, _, err = run(capsys, "build", small, *options, "-o", "out")
    assert status == 2
    assert re.search(message, err.strip()), err
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def chosen(monkeypatch):
    """Runs a command whose verb does nothing; returns the design that it gets."""

    def run(*arguments: str) -> Design:
        found = []
        for verb in ("estimate", "simulate_files"):
            monkeypatch.setattr(flow, verb, lambda design, *_, **__: found.append(design) or {})
        monkeypatch.setattr(cli, "_show", lambda *_: None)
        assert main(arguments) == 0
        return found[0]

    return run


OPTIONS = {
    "device": "hx8k",
    "clock_mhz": 20.0,
    "link": "minimal",
    "baud": 115200,
    "vectors": Path("v.npz"),
    "input_type": "u8",
    "sequential": True,
    "seed": 3,
    "netlist_frames": 0,
}


@pytest.mark.parametrize("verb", ["estimate", "simulate"])
def test_options_override_the_folder(tmp_path, small, chosen, verb):
    text = f'model = "{Path(small).name}"\nboard = "icebreaker"\nclock_mhz = 12\nseed = 9\n'
    (tmp_path / "design.toml").write_text(text + "[goal]\nframes_per_second = 9\n")
    options = []
    for name, value in OPTIONS.items():
        options += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    design = chosen(verb, str(tmp_path), *options, "--fit")
    assert design == Design(tmp_path.name, tmp_path / Path(small).name, **OPTIONS)
    assert chosen(verb, str(tmp_path)) == load_design(tmp_path)
    assert chosen(verb, str(tmp_path), "--fps", "7").goal == Goal(fps=7)


def test_plugins_are_added_to_those_of_the_folder(tmp_path, small, chosen):
    text = f'model = "{Path(small).name}"\nboard = "icebreaker"\nplugins = ["first"]\n'
    (tmp_path / "design.toml").write_text(text)
    design = chosen("estimate", str(tmp_path), "--plugin", "second", "--plugin", "third")
    assert design.plugins == ("first", "second", "third")


def test_a_board_takes_the_place_of_the_device_of_the_folder(tmp_path, small, chosen):
    (tmp_path / "design.toml").write_text(f'model = "{Path(small).name}"\ndevice = "hx8k"\n')
    design = chosen("estimate", str(tmp_path), "--board", "icebreaker")
    assert (design.board, design.device) == ("icebreaker", None)


def test_every_field_of_a_design_has_its_option():
    assert {"board", "plugins", *OPTIONS} == {field.name for field in fields(Design)} - {
        "name",
        "model",
        "goal",
    }


def test_a_netlist_without_a_link_cannot_be_simulated(capsys, small):
    np.savez("in.npz", input=np.zeros((1, 6), np.float32))
    options = ["--board", "icebreaker", "--inputs", "in.npz", "--link", "none"]
    status, _, err = run(capsys, "simulate", small, *options, "--level", "netlist")
    assert (status, err) == (2, "hwgen: link must be uart or minimal for level netlist, not none\n")


@pytest.mark.synth
def test_the_netlist_that_is_simulated_has_the_link_that_was_asked_for(capsys, small, monkeypatch):
    np.savez("in.npz", input=np.zeros((1, 6), np.float32))
    found = []

    def keep(design, *_):
        found.append(design)
        raise CheckError("enough seen")

    monkeypatch.setattr(flow.implement, "synthesise_design", keep)
    options = ["--board", "icebreaker", "--inputs", "in.npz", "--level", "netlist"]
    options += ["--link", "minimal", "--baud", "3000000"]
    assert run(capsys, "simulate", small, *options)[0] == 1
    (design,) = found
    assert (design.manifest.baud, Info.unpack(design.link.info).banks) == (3_000_000, 1)


def test_a_folding_that_does_not_divide_is_refused(capsys, tmp_path, small):
    (tmp_path / "f.toml").write_text("[layer0]\npe = 3\n")
    status, _, err = run(capsys, "estimate", small, "--device", "up5k", "--folding", "f.toml")
    assert status == 2
    assert "PE must divide the 4 rows of MatVec weights, not 3" in err


def test_a_folding_that_was_written_can_be_read_back(tmp_path, small):
    loaded = load(Path(small))
    options = {"device": device("up5k"), "clock_mhz": 24}
    chosen = prepare(loaded, **options, goal=Goal(fps=1e6))
    (tmp_path / "f.toml").write_text(chosen.folding)
    again = prepare(loaded, **options, goal=Goal(folding=tmp_path / "f.toml"))
    assert write(again.folded)[0] == write(chosen.folded)[0]
    assert again.timing.interval == chosen.timing.interval


def test_a_model_too_large_is_refused_with_figures(capsys, tmp_path):
    path = save(random_mlp(np.random.default_rng(0), (128, 256, 10), weight_bits=12), tmp_path)
    status, _, err = run(capsys, "estimate", str(path), "--device", "up5k")
    assert status == 2
    assert re.search(r"does not fit up5k at any folding: .*ram_blocks of 30", err)


def test_a_folder_of_other_things_is_not_overwritten(capsys, tmp_path, small):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    status, _, err = run(capsys, "build", small, "--board", "icebreaker", "-o", "mine")
    assert status == 2
    assert "mine: must be a new folder or the output of a build" in err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.synth
def test_a_tool_that_fails_leaves_its_log_and_nothing_else(
    capsys, tmp_path, small, cache, monkeypatch
):
    tool = tmp_path / "broken"
    tool.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo '(nextpnr-0.0)' && exit 0\n"
        "echo 'ERROR: no more luck'\nexit 1\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("NEXTPNR_ICE40", str(tool))
    before = sorted(tmp_path.iterdir())
    options = ["--board", "icebreaker", "--netlist-frames", "0", "-o", "out"]
    status, _, err = run(capsys, "build", small, *options)
    assert status == 1
    log = re.search(r"place and route failed: ERROR: no more luck \(see (.*)\)$", err.strip())
    assert log, err
    with open(log[1]) as file:
        assert file.read() == "ERROR: no more luck\n"
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_input_shapes_and_nan_are_refused(capsys, small):
    np.savez("in.npz", input=np.zeros((2, 5), np.float32))
    status, _, err = run(capsys, "simulate", small, "--inputs", "in.npz", "--level", "graph")
    assert (status, err) == (2, "hwgen: input x must have shape (N, 6), not (2, 5)\n")
    np.savez("in.npz", input=np.full((2, 6), np.nan, np.float32))
    status, _, err = run(capsys, "simulate", small, "--inputs", "in.npz", "--level", "graph")
    assert (status, err) == (2, "hwgen: input x must be finite; it holds NaN or infinity\n")
