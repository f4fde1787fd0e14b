"""SB_SPRAM256KA of UltraPlus: 16,384 words of 16 bits, written by the half byte."""

from collections.abc import Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

_DEPTH = 1 << 14


def single_port(
    m: Module,
    *,
    words: int,
    init: Sequence[int],
    address: Signal,
    write_bytes: Signal,
    write_data: Signal,
    en: Value,
    data: Signal,
) -> None:
    """Two memories side by side; a bitstream cannot fill them."""
    assert words <= _DEPTH
    for half in range(2):
        writing, wide = write_bytes.any(), Signal(range(_DEPTH), name=f"address{half}")
        m.d.comb += wide.eq(address)
        low, high = write_bytes[2 * half], write_bytes[2 * half + 1]
        m.submodules[f"spram{half}"] = Instance(
            "SB_SPRAM256KA",
            i_CLOCK=ClockSignal(),
            i_ADDRESS=wide,
            i_DATAIN=write_data.word_select(half, 16),
            i_MASKWREN=Cat(low, low, high, high),
            i_WREN=writing,
            i_CHIPSELECT=writing | en,
            i_STANDBY=Const(0, 1),
            i_SLEEP=Const(0, 1),
            i_POWEROFF=Const(1, 1),
            o_DATAOUT=data.word_select(half, 16),
        )
