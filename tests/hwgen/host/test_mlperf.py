"""A runner's session, as that of MLCommons Tiny holds it, at a design in simulation."""

import os
import re
import subprocess
import sys
from threading import Event, Thread

import numpy as np
import pytest
import serial

from hwgen.board.emulated_board import SimulatedTransport
from hwgen.board.terminal import Terminal
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.manifest import Port
from hwgen.host.mlperf import RunnerTerminal, serve
from hwgen.host.mlperf_protocol import MAX_COMMAND, InputFormat, Responder
from tests.hwgen.host.linked import CLK_HZ, emulate, link, threshold

BYTES = InputFormat("uint8")
X = np.array([2, 9, 4, 8, 15, 6])


@pytest.fixture(scope="module")
def design():
    return link(threshold())


@pytest.fixture(scope="module")
def board(design, cache, tools):
    return emulate(design, cache=cache, tools=tools)


@pytest.fixture
def accelerator(design, board):
    board.power_on()
    return Accelerator.open(SimulatedTransport(board), design.manifest)


class Runner:
    """The runner's side: sends a command, takes lines until one says that the device is ready."""

    def __init__(self, responder: Responder):
        self._responder = responder

    def send(self, command: str) -> list[str]:
        return b"".join(self._responder.feed(command.encode() + b"%")).decode().splitlines()

    def load(self, data: bytes, at_once: int = 31) -> list[str]:
        self.send(f"db load {len(data)}")
        answers = [
            self.send(f"db {data[i : i + at_once].hex()}") for i in range(0, len(data), at_once)
        ]
        return answers[-1]


def results(lines: list[str]) -> list[float]:
    (found,) = [m for line in lines if (m := re.match(r"^m-results-\[([^]]+)\]$", line))]
    return [float(value) for value in found[1].split(",")]


def laps(lines: list[str]) -> list[int]:
    return [int(m[1]) for line in lines if (m := re.match(r"^m-lap-us-([0-9]+)$", line))]


def test_session_by_hand(accelerator, design):
    seconds = iter([1.5, 2.25])
    runner = Runner(
        Responder(accelerator, name="toy", model="ic01", form=BYTES, now=lambda: next(seconds))
    )
    assert runner.send("name") == ["m-name-dut-[toy]", "m-ready"]
    assert runner.send("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[ic01]", "m-ready"
    ]  # fmt: skip
    assert runner.send("db load 6") == ["m-[Expecting 6 bytes]", "m-ready"]
    assert runner.send("db 020904") == ["m-ready"]
    assert runner.send("db 080f06") == ["m-load-done", "m-ready"]
    assert runner.send("db print") == ["m-buffer-02-09-04-08-0f-06", "m-ready"]
    # Starts 3 and 5 + c: 2 reaches none, 9 reaches 3 and 6, 4 only 3, and so on.
    shown = "m-results-[0.000000,2.000000,1.000000,2.000000,2.000000,1.000000]"
    assert runner.send("infer 2 1") == [
        "m-warmup-start-1",
        "m-warmup-done",
        "m-infer-start-2",
        "m-lap-us-1500000",
        "m-lap-us-2250000",
        "m-infer-done",
        shown,
        "m-ready",
    ]
    assert runner.send("results") == [shown, "m-ready"]
    assert np.array_equal(results([shown]), design.op.compute(X[np.newaxis])[0])


def test_device_time_is_what_the_device_counts(accelerator):
    responder = Responder(accelerator, form=BYTES, device_time=True)
    runner = Runner(responder)
    runner.load(bytes(X.tolist()))
    start, end = laps(runner.send("infer 40 3"))
    latency = accelerator.device.latency_cycles
    assert latency is not None and latency >= 3  # two channels per cycle
    assert start == round(3 * latency / CLK_HZ * 1e6)
    assert end == round(43 * latency / CLK_HZ * 1e6)
    assert laps(runner.send("timestamp")) == [end]


def test_inferences_run_as_often_as_asked(accelerator, monkeypatch):
    seen = []
    execute = accelerator.execute

    def count(x):
        if x.shape == X.shape:  # it calls itself with a batch of one
            seen.append(x)
        return execute(x)

    monkeypatch.setattr(accelerator, "execute", count)
    runner = Runner(Responder(accelerator, form=BYTES))
    runner.load(bytes(X.tolist()), at_once=2)
    runner.send("infer 5 2")
    assert len(seen) == 7
    runner.send("infer 1")
    assert len(seen) == 7 + 11
    runner.send("infer 1 0 ignored")
    assert len(seen) == 7 + 11 + 1
    assert all(np.array_equal(x, X) for x in seen)


def test_answers_come_line_by_line(accelerator):
    """A runner waits some seconds for a line, not for the end of many inferences."""
    responder = Responder(accelerator, form=BYTES)
    Runner(responder).load(bytes(X.tolist()))
    answer = responder.feed(b"infer 3%")
    assert next(answer) == b"m-warmup-start-10\r\n"
    assert accelerator.device.latency_cycles is None
    assert next(answer) == b"m-warmup-done\r\n"
    assert accelerator.device.latency_cycles is not None


def test_commands_come_in_any_pieces(accelerator):
    responder = Responder(accelerator, name="toy")
    pieces = [b"na", b"me", b"%\r\nname", b"%"]
    said = [b"".join(responder.feed(piece)) for piece in pieces]
    assert said == [b"", b"", *2 * [b"m-name-dut-[toy]\r\nm-ready\r\n"]]


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (["fly"], "Unknown command: fly"),
        ([""], "Unknown command:"),
        (["db"], "Unknown command: db"),
        (["db load 7"], "db load must announce the 6 bytes of an input, not 7"),
        (["db load"], "db load must announce the 6 bytes of an input, not 0"),
        (["db load -1"], "a number must be decimal, not -1"),
        (["db 01"], "db load must come before the bytes"),
        (["db load 6", "db 0g"], "db must be followed by pairs of hex digits, not 0g"),
        (["db load 6", "db 012"], "db must be followed by pairs of hex digits, not 012"),
        (["db load 6", "db 01", "infer 1"],
         "infer must come after all 6 bytes of an input, not after 1"),
        (["infer 1"], "infer must come after all 6 bytes of an input, not after 0"),
        (["infer 0"], "Inference iterations must be >0"),
        (["results"], "results must come after infer"),
        (["x" * 5000], f"a command must have at most {MAX_COMMAND} characters"),
        (["db load 6", "db 1f0000000000", "infer 1"],
         "input x: integers must lie within 0..15, not 0..31"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_the_session_goes_on(accelerator, commands, message):
    runner = Runner(Responder(accelerator, name="toy", form=BYTES))
    answers = [runner.send(command) for command in commands]
    assert answers[-1][-2:] == [f"e-[{message}]", "m-ready"]
    assert runner.send("name") == ["m-name-dut-[toy]", "m-ready"]


def test_a_link_that_fails_is_told(accelerator, monkeypatch):
    runner = Runner(Responder(accelerator, form=BYTES))
    runner.load(bytes(X.tolist()))

    def fail(x):
        raise LinkError("no valid reply\nin time")

    monkeypatch.setattr(accelerator, "execute", fail)
    assert runner.send("infer 1 1") == [
        "m-warmup-start-1", "e-[no valid reply in time]", "m-ready"
    ]  # fmt: skip


def test_bytes_beyond_the_input_are_left_out(accelerator):
    runner = Runner(Responder(accelerator, form=BYTES))
    runner.send("db load 6")
    assert runner.send("db 0102030405060708") == ["m-load-done", "m-ready"]
    assert runner.send("db 09") == ["m-ready"]
    assert runner.send("db print") == ["m-buffer-01-02-03-04-05-06", "m-ready"]


def test_answers_are_ascii(accelerator):
    """A runner decodes byte by byte."""
    runner = Runner(Responder(accelerator, name="naïve µ"))
    assert runner.send("name") == ["m-name-dut-[na?ve ?]", "m-ready"]


def test_reset_forgets_the_input(accelerator):
    runner = Runner(Responder(accelerator, form=BYTES))
    runner.load(bytes(X.tolist()))
    runner.send("infer 1")
    assert runner.send("reset") == ["m-init-done", "m-ready"]
    assert runner.send("results")[0].startswith("e-[")
    assert runner.send("infer 1")[0].startswith("e-[")


def test_help_names_every_command(accelerator):
    text = " ".join(Runner(Responder(accelerator)).send("help"))
    for command in ("name", "profile", "help", "reset", "timestamp", "results", "db load", "infer"):
        assert command in text


def test_default_is_the_models_own_element(accelerator):
    runner = Runner(Responder(accelerator))
    assert runner.load(X.astype("<i8").tobytes(), at_once=26) == ["m-load-done", "m-ready"]
    assert results(runner.send("infer 1")) == [0, 2, 1, 2, 2, 1]


def test_pixels_become_the_models_numbers():
    port = Port(
        shape=(2, 1, 3),
        elem="float32",
        int_shape=(1, 3, 2),
        dtype="u8",
        link_lanes=1,
        lanes=1,
        steps=(),
    )
    form = InputFormat("uint8", offset=-128, scale=0.5, channels_last=True)
    # One row of three pixels of two channels each.
    x = form.decode(bytes([128, 0, 130, 2, 132, 255]), port)
    assert x.dtype == np.float32
    assert x.tolist() == [[[0, 1, 2]], [[-64, -63, 63.5]]]
    assert InputFormat("float32").size(port) == 24


def test_terminal_returns_nothing_of_what_it_is_told():
    terminal = RunnerTerminal()
    terminal.write(b"m-ready\r\n")
    runner = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
    os.write(runner, b"name%")
    assert terminal.read() == b"name%"
    assert os.read(runner, 99) == b"m-ready\r\n"
    os.close(runner)
    terminal.close()


def test_runner_at_a_pseudo_terminal(accelerator, design):
    terminal = RunnerTerminal()

    def read() -> bytes:
        data = terminal.read()
        return b"" if data == b"~" else data

    responder = Responder(accelerator, form=BYTES)
    thread = Thread(target=serve, args=(responder, read, terminal.write), daemon=True)
    thread.start()

    def send(port: serial.Serial, command: str) -> list[str]:
        port.write(command.encode() + b"%")
        lines = [""]
        while "m-ready" not in lines[-1]:
            lines.append(port.readline().decode().strip())
            assert lines[-1], "no answer in time"
        return lines[1:]

    with serial.Serial(terminal.path, 115200, timeout=10) as port:
        assert send(port, "name") == ["m-name-dut-[hwgen on none]", "m-ready"]
        send(port, "db load 6")
        send(port, "db 0209")
        assert send(port, "db 04080f06") == ["m-load-done", "m-ready"]
        found = results(send(port, "infer 3 0"))
        port.write(b"~")
    thread.join()
    terminal.close()
    assert np.array_equal(found, design.op.compute(X[np.newaxis])[0])


def test_command_on_standard_input_and_output(design, board, tmp_path):
    board.power_on()
    stop = Event()
    terminal = Terminal(board)
    thread = Thread(target=terminal.serve, args=(stop.is_set,), daemon=True)
    thread.start()
    design.manifest.save(tmp_path / "manifest.json")
    command = [
        *(sys.executable, "-m", "hwgen.host.mlperf", str(tmp_path / "manifest.json")),
        *("--port", terminal.path, "--element", "uint8", "--offset", "-1", "--model", "ic01"),
    ]
    # 1 is subtracted from every byte.
    script = f"profile%db load 6%db {bytes((X + 1).tolist()).hex()}%infer 1 0%"
    done = subprocess.run(command, input=script.encode(), capture_output=True, timeout=60)
    stop.set()
    thread.join()
    terminal.close()
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines.count("m-ready") == 4
    assert "m-model-[ic01]" in lines
    assert results(lines) == [0, 2, 1, 2, 2, 1]


def test_command_without_a_board_ends_with_a_message(design, tmp_path, capsys):
    from hwgen.host.mlperf import main

    design.manifest.save(tmp_path / "manifest.json")
    status = main([str(tmp_path / "manifest.json"), "--port", str(tmp_path / "nothing")])
    assert status == 1
    assert capsys.readouterr().err.startswith("mlperf: cannot open the link: ")
