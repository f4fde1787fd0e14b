"""The real driver at an emulated board, in one process and through a pseudo-terminal."""

import json
import os
import signal
import subprocess
import sys
from threading import Event, Thread

import numpy as np
import pytest

from cores.link.packets import Type
from hwgen.board.emulated_board import EmulatedBoard, SimulatedTransport
from hwgen.board.implement import PATTERN_FRAMES, board_design, save_for_hosts, synthesise_design
from hwgen.board.terminal import Terminal
from hwgen.cli import main
from hwgen.design import Goal
from hwgen.errors import InputError
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.protocol import Packet
from hwgen.ladder.simulation import run_graph
from hwgen.prepare import load, prepare
from hwgen.session import Session
from hwgen.verbs.flow import emulated
from platforms.boards.catalogue import board as find_board
from tests.hwgen.host.linked import CLK_HZ, emulate, link, threshold
from tests.onnx_models import random_mlp, save

X = np.random.default_rng(0).integers(0, 16, (40, 6))


@pytest.fixture(scope="module")
def design():
    return link(threshold())


@pytest.fixture(scope="module")
def board(design, cache, tools):
    return emulate(design, cache=cache, tools=tools)


@pytest.fixture
def terminal(board):
    """A terminal whose board runs in a thread."""
    board.power_on()
    stop = Event()
    terminal = Terminal(board)
    thread = Thread(target=terminal.serve, args=(stop.is_set,))
    thread.start()
    yield terminal
    stop.set()
    thread.join()
    terminal.close()


def test_time_is_simulated_in_one_process(design, board):
    board.power_on()
    transport = SimulatedTransport(board)
    start = board.line.cycle
    with Accelerator.open(transport, design.manifest) as accelerator:
        assert np.array_equal(accelerator.execute(X), design.op.compute(X))
        assert accelerator.device.retries == 0
    assert transport.now() == board.line.cycle / CLK_HZ
    now = transport.now()
    assert transport.read(1, 0.01) == b""
    assert transport.now() - now == pytest.approx(0.01)
    # Not one bit time passed while the host computed: 40 frames of 6 bytes each way and frames.
    assert board.line.cycle - start < 40 * 110 * 10 * 4


def test_the_driver_opens_the_terminal_as_a_serial_port(design, terminal):
    with Accelerator.open(terminal.path, design.manifest) as accelerator:
        assert np.array_equal(accelerator.execute(X), design.op.compute(X))
    with Accelerator.open(terminal.path, design.manifest) as accelerator:
        assert accelerator.validate(X, design.op.compute(X)).accuracy == 1


def test_any_program_talks_through_the_terminal(terminal):
    # Bytes that a terminal would change or act on, were it not raw.
    payload = b"\r\n\x03\x04\x11\x13\x7f"
    port = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(port, Packet(Type.PING, 7, payload).encode())
        found = b""
        while not found.endswith(b"\0"):
            found += os.read(port, 99)
    finally:
        os.close(port)
    assert Packet.decode(found[:-1]) == Packet(0x80 | Type.PING, 7, payload)


def test_run_sends_a_file_through_a_serial_port(capsys, tmp_path, design, terminal):
    design.manifest.save(tmp_path / "manifest.json")
    labels = design.op.compute(X).argmax(axis=1)
    labels[:10] += 1
    np.savez(tmp_path / "in.npz", input=X, label=labels)
    files = ["--inputs", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]
    assert main(["run", str(tmp_path), "--port", terminal.path, *files, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["samples"], record["accuracy"], record["packets_sent_again"]) == (40, 0.75, 0)
    with np.load(tmp_path / "out.npz") as found:
        assert np.array_equal(found["output"], design.op.compute(X))
    assert main(["run", str(tmp_path), "--port", terminal.path, *files[:2]]) == 0
    assert "accuracy: 0.75\n" in capsys.readouterr().out


def test_power_on_makes_the_board_forget(design, board):
    board.power_on()
    transport = SimulatedTransport(board)
    accelerator = Accelerator.open(transport, design.manifest)
    transport.write(Packet(Type.DATA, 50, bytes(4) + b"abc").encode()[:5])
    board.power_on()
    assert np.array_equal(accelerator.execute(X[:1]), design.op.compute(X[:1]))


def test_an_unplugged_board_is_an_error(design, board):
    board.power_on()
    stop = Event()
    terminal = Terminal(board)
    thread = Thread(target=terminal.serve, args=(stop.is_set,))
    thread.start()
    accelerator = Accelerator.open(terminal.path, design.manifest)
    stop.set()
    thread.join()
    terminal.close()
    with pytest.raises(LinkError, match=r"^the link closed during [A-Z]+: "):
        accelerator.execute(X)


@pytest.fixture(scope="module")
def build(tmp_path_factory, tools):
    """What a build leaves of a small network, before place and route."""
    folder = tmp_path_factory.mktemp("build")
    model = save(random_mlp(np.random.default_rng(4), (6, 4, 3)), folder)
    chosen = find_board("icebreaker")
    prepared = prepare(load(model), chosen.device, clock_mhz=24, goal=Goal(fps=1000))
    design = board_design(prepared, chosen)
    save_for_hosts(design, folder)
    synthesise_design(design, tools, folder / "tools")
    model.unlink()
    return folder, prepared


SAMPLES = np.random.default_rng(2).uniform(-2, 17, (5, 6)).astype(np.float32)


@pytest.mark.synth
@pytest.mark.parametrize("netlist", [False, True])
def test_the_folder_of_a_build_is_all_that_emulation_needs(build, netlist, cache):
    folder, prepared = build
    session = Session(environment=os.environ, cache=cache.parent / "hwgen")
    transport = SimulatedTransport(emulated(folder, session, netlist=netlist))
    with Accelerator.open(transport, folder / "manifest.json") as accelerator:
        y = accelerator.execute(SAMPLES)
        assert accelerator.throughput_test(2)["checksum_frames"] == PATTERN_FRAMES
    assert np.array_equal(y, run_graph(prepared, SAMPLES).output)


@pytest.mark.synth
def test_the_command_prints_the_port_and_ends_when_interrupted(build, cache):
    folder, prepared = build
    command = [sys.executable, "-m", "hwgen.cli", "emulate", str(folder), "--json"]
    # With what the test before has compiled.
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache.parent)}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        # A shell lets what it starts in the background ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout
            port = json.loads(process.stdout.readline())["port"]
            with Accelerator.open(port, folder / "manifest.json") as accelerator:
                y = accelerator.execute(SAMPLES)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert np.array_equal(y, run_graph(prepared, SAMPLES).output)


@pytest.mark.parametrize("missing", ["manifest.json", "emulation.il", "tools/top.json"])
def test_another_folder_is_refused(design, tmp_path, missing, cache, tools):
    if missing != "manifest.json":
        design.manifest.save(tmp_path / "manifest.json")
    message = rf"^{tmp_path}: must be the output folder of a build; it has no {missing}: build it"
    with pytest.raises(InputError, match=message):
        if missing == "tools/top.json":
            EmulatedBoard.of_netlist(tmp_path, cache=cache)
        else:
            EmulatedBoard.of_build(tmp_path, cache=cache, tools=tools)
