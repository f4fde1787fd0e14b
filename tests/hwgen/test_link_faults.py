"""Each fault that the link must survive, at an emulated board: right results or a clear error."""

import signal
import subprocess
import sys
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from cores.link.packets import RESPONSE, NakCode, Type
from hwgen.board.emulated_board import SimulatedTransport
from hwgen.board.terminal import Terminal
from hwgen.errors import InputError
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.protocol import Packet
from tests.hwgen.host.linked import emulate, link, threshold

X = np.random.default_rng(0).integers(0, 16, (60, 6))
PATIENCE_S = 0.002


@pytest.fixture(scope="module")
def design():
    return link(threshold())


@pytest.fixture(scope="module")
def machine(design, cache, tools):
    return emulate(design, cache=cache, tools=tools)


@pytest.fixture
def board(machine):
    machine.power_on()
    return machine


def connect(design, board):
    return Accelerator.open(
        SimulatedTransport(board), design.manifest, patience_s=PATIENCE_S, progress=False
    )


def right(design, accelerator, x=X):
    return np.array_equal(accelerator.execute(x), design.op.compute(x))


def exchange(board, *frames):
    """Frames as they are, and the packets that come back in 30 ms."""
    for frame in frames:
        board.line.send(frame)
    data = board.line.run(round(0.03 * board.clk_hz))
    return [Packet.decode(frame) for frame in data.split(b"\0") if frame]


def data(sequence, offset, payload):
    return Packet(Type.DATA, sequence, offset.to_bytes(4, "little") + payload).encode()


def code(packet):
    assert packet.type == Type.NAK
    return NakCode(packet.payload[0])


class Line(SimulatedTransport):
    """A line with a function between the host and each direction."""

    def __init__(self, board, *, out=lambda data: data, back=lambda data: data):
        super().__init__(board)
        self.out, self.back = out, back

    def write(self, data):
        super().write(self.out(data))

    def read(self, count, timeout):
        return self.back(super().read(count, timeout))


def test_random_bytes_are_noise(design, board):
    rng = np.random.default_rng(1)
    board.line.send(rng.bytes(700))
    accelerator = connect(design, board)
    for size in (1, 5, 300, 900):
        board.line.send(rng.bytes(size))
        assert right(design, accelerator)


def test_dropped_bytes_cost_repetitions(design, board):
    counts = [0, 0]

    def drop(side):
        def spoil(data):
            first = counts[side]
            counts[side] += len(data)
            return bytes(b for k, b in enumerate(data) if (first + k) % 331 != 330)

        return spoil

    line = Line(board, out=drop(0), back=drop(1))
    accelerator = Accelerator.open(line, design.manifest, patience_s=PATIENCE_S, progress=False)
    for _ in range(4):
        assert right(design, accelerator)
    assert accelerator.device.retries > 5
    assert accelerator.device.recoveries == 0


def test_duplicated_frames_act_once(design, board):
    line = Line(board, out=lambda data: data * 2, back=lambda data: data * 2)
    accelerator = Accelerator.open(line, design.manifest, patience_s=PATIENCE_S, progress=False)
    assert right(design, accelerator)


def test_a_host_that_stops_in_mid_frame_is_forgotten_after_the_timeout(board):
    whole = data(0, 0, bytes(6))
    assert exchange(board, whole[:7]) == []
    board.line.run(round(0.11 * board.clk_hz))
    # Nothing of the cut frame is left: no delimiter is needed in front.
    (reply,) = exchange(board, whole)
    assert reply == Packet(Type.DATA | RESPONSE, 0)


def test_a_host_that_begins_anew_in_mid_frame_is_served(design, board):
    accelerator = connect(design, board)
    board.line.send(data(accelerator.device.info.credits, 0, bytes(6))[:5])
    assert right(design, connect(design, board))


def test_a_frame_too_long_is_refused_and_the_next_is_taken(board):
    long = bytes([200]) + b"\1" * 199
    replies = exchange(board, long * 2 + b"\0", Packet(Type.PING, 9, b"alive").encode())
    assert code(replies[0]) == NakCode.TOO_LONG
    assert replies[-1] == Packet(Type.PING | RESPONSE, 9, b"alive")
    assert len(replies) == 2


def test_an_unknown_type_is_refused(board):
    (reply,) = exchange(board, Packet(0x55, 3, b"what").encode())
    assert (code(reply), reply.sequence) == (NakCode.UNKNOWN, 3)


def test_an_inference_before_all_data_is_refused_and_changes_nothing(design, board):
    wire = design.manifest.inputs["x"].wire
    (frame,) = wire.pack(X[:1])
    replies = exchange(
        board,
        Packet(Type.INFER, 0).encode(),
        data(0, 0, frame[:2]),
        Packet(Type.INFER, 1).encode(),
        data(1, 2, frame[2:]),
    )
    assert [packet.type for packet in replies] == [0x7F, 0x90, 0x7F, 0x90]
    assert [code(replies[k]) for k in (0, 2)] == [NakCode.INCOMPLETE] * 2
    (result,) = exchange(board, Packet(Type.INFER, 2).encode())
    found = design.manifest.outputs["y"].wire.unpack(result.payload[9:])
    assert np.array_equal(found, design.op.compute(X[:1])[0])


def test_a_run_while_another_runs_is_refused(board):
    many = Packet(Type.RUN, 0, (2000).to_bytes(4, "little")).encode()
    one = Packet(Type.RUN, 1, (1).to_bytes(4, "little")).encode()
    replies = exchange(board, many, one)
    assert (code(replies[0]), replies[0].sequence) == (NakCode.BUSY, 1)
    assert [packet.type for packet in replies[1:]] in ([], [Type.RUN | RESPONSE])


def test_a_power_loss_during_a_run_is_repaired(design, board):
    class Fading(Line):
        """Loses power while the answer to the first RUN is awaited."""

        lost = False

        def read(self, count, timeout):
            if self.running and not self.lost:
                self.lost = True
                self.board.line.run(500)
                self.board.power_on()
            return super().read(count, timeout)

        def write(self, data):
            self.running = Packet.decode(data.strip(b"\0")).type == Type.RUN
            super().write(data)

    line = Fading(board)
    line.running = False
    accelerator = Accelerator.open(line, design.manifest, patience_s=PATIENCE_S, progress=False)
    found = accelerator.throughput_test(3000, reference=design.op.compute)
    assert (line.lost, found["checksum_frames"]) == (True, 3000)
    assert accelerator.device.recoveries == 1


@pytest.mark.parametrize("reads", [0, 1, 2, 3, 5, 8])
def test_a_power_loss_during_execute_is_repaired(design, board, reads):
    class Fading(Line):
        left = None

        def read(self, count, timeout):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None
                    self.board.power_on()
            return super().read(count, timeout)

    line = Fading(board)
    accelerator = Accelerator.open(line, design.manifest, patience_s=PATIENCE_S, progress=False)
    line.left = reads
    assert right(design, accelerator, np.tile(X, (20, 1)))
    assert line.left is None
    assert accelerator.device.recoveries == 1


def test_another_model_is_refused(design, board):
    with pytest.raises(InputError, match=r"^the device holds model 0001020304050607, the manifest"):
        Accelerator.open(SimulatedTransport(board), replace(design.manifest, model_hash="f" * 16))


def test_another_protocol_is_refused(design, cache, tools):
    info = design.config.info
    old = replace(design, config=replace(design.config, info=info[:4] + b"\1" + info[5:]))
    board = emulate(old, cache=cache, tools=tools)
    with pytest.raises(
        InputError, match=r"^wrong device: the device must speak protocol version 2, not 1\.0$"
    ):
        connect(design, board)


VICTIM = """
import sys
import numpy as np
from hwgen.host.driver import Accelerator
accelerator = Accelerator.open(sys.argv[1], sys.argv[2])
print("open", flush=True)
while True:
    accelerator.execute(np.ones((60, 6), int))
"""


def test_a_host_that_is_killed_does_not_disturb_the_next(design, board, tmp_path):
    design.manifest.save(tmp_path / "manifest.json")
    stop = Event()
    with Terminal(board) as terminal:
        thread = Thread(target=terminal.serve, args=(stop.is_set,))
        thread.start()
        try:
            for _ in range(3):
                with subprocess.Popen(
                    [sys.executable, "-c", VICTIM, terminal.path, str(tmp_path)],
                    stdout=subprocess.PIPE,
                ) as victim:
                    assert victim.stdout
                    assert victim.stdout.readline() == b"open\n"
                    victim.send_signal(signal.SIGKILL)
                with Accelerator.open(terminal.path, design.manifest) as accelerator:
                    assert right(design, accelerator)
        finally:
            stop.set()
            thread.join()


def test_a_board_that_does_not_answer_is_an_error_in_time(design, board):
    with (
        Terminal(board) as terminal,
        pytest.raises(LinkError, match=r"^no valid reply to RESET in 4 attempts of 0\.51 s$"),
    ):
        Accelerator.open(terminal.path, design.manifest)


def test_a_board_that_is_unplugged_in_mid_transfer_is_an_error_in_time(design, board):
    stop = Event()
    terminal = Terminal(board)
    thread = Thread(target=terminal.serve, args=(stop.is_set,))
    thread.start()
    accelerator = Accelerator.open(terminal.path, design.manifest)
    errors = []

    def use():
        try:
            while True:
                accelerator.execute(X)
        except LinkError as error:
            errors.append(str(error))

    user = Thread(target=use)
    user.start()
    stop.set()
    thread.join()
    terminal.close()
    user.join(20)
    assert not user.is_alive()
    assert errors[0].startswith("the link closed during ")
