import pytest

from hwgen.errors import CheckError
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.line import WAKE_CYCLES, SerialLine
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from tests.hwgen.simulators.netlists import synthesise
from tests.hwgen.simulators.simulated import Inverter

DATA = b"\x00\xff\x5aserial"
INVERTED = bytes(0xFF - byte for byte in DATA)
BYTE = 10 * Inverter.DIVIDER


@pytest.fixture
def simulator(cache, tools):
    return CompiledSimulator(Inverter(), cache=cache, tools=tools)


def line(simulator, divider=Inverter.DIVIDER):
    return SerialLine(simulator, rx="rx", tx="tx", divider=divider)


def test_bytes_go_out_and_come_back(simulator):
    port = line(simulator)
    port.send(DATA)
    assert port.waiting == len(DATA)
    assert port.run(2000) == INVERTED
    assert port.waiting == 0
    assert port.cycle == WAKE_CYCLES + 2000


def test_a_byte_goes_on_in_the_next_call(simulator):
    port = line(simulator)
    port.send(DATA[:4])
    port.send(DATA[4:])
    assert b"".join(port.run(7) for _ in range(300)) == INVERTED


def test_a_run_ends_with_room_full_or_behind_the_byte_wanted(simulator):
    port = line(simulator)
    port.send(DATA)
    assert port.run(2000, room=0) == b""
    assert port.run(2000, stop=0) == b"\xff\x00"
    # The stop bit of the second answer is seen; a third byte is on its way meanwhile.
    assert 2 * BYTE < port.cycle - WAKE_CYCLES < 4 * BYTE
    assert port.run(2000, room=3) == INVERTED[2:5]
    assert port.run(2000, room=99) == INVERTED[5:]


def test_power_on_forgets_what_is_on_the_line(simulator):
    port = line(simulator)
    port.send(DATA)
    port.run(BYTE + 5)
    port.power_on()
    assert port.run(2000) == b""
    port.send(b"\x0f")
    assert port.run(2000) == b"\xf0"


def test_a_byte_without_its_bits_is_an_error(simulator):
    port = line(simulator, divider=8)
    port.send(b"\x00")
    with pytest.raises(CheckError, match=r"^Inverter sent a byte without start or stop bit \(at "):
        port.run(2000)


@pytest.mark.synth
def test_a_netlist_has_the_same_line(cache, tools, tmp_path):
    netlist = GateNetlist.load(synthesise(Inverter(), "synth_ice40", tools, tmp_path), "ice40")
    port = line(NetlistSimulator(netlist, cache=cache, lanes=1))
    port.send(DATA)
    assert b"".join(port.run(33) for _ in range(60)) == INVERTED
