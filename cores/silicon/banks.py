"""Words that are deeper or wider than one block of memory, over several blocks."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value


def read_banks(
    m: Module,
    words: Sequence[int],
    *,
    shape: tuple[int, int],
    cycles: int,
    block: Callable[[str, Sequence[int], Signal], None],
    en: Value,
    addr: Signal,
    data: Signal,
) -> None:
    """Blocks side by side for the bits of a word, and banks of them one behind the other.

    Parameters
    ----------
    words : sequence of int
    shape : (depth, width)
        Of one block.
    cycles : int
        From the address to the word of a block.
    block : callable
        Adds one block, given its name, its contents and what it reads at `addr`.
    """
    rows, width = shape
    mask = (1 << width) - 1
    outputs = []
    for bank, first in enumerate(range(0, len(words), rows)):
        parts = []
        for column in range(-(-len(data) // width)):
            part = Signal(width, name=f"data{bank}_{column}")
            contents = [word >> column * width & mask for word in words[first : first + rows]]
            block(f"block{bank}_{column}", contents, part)
            parts.append(part)
        outputs.append(Cat(*parts)[: len(data)])
    if len(outputs) == 1:
        m.d.comb += data.eq(outputs[0])
        return
    # The number of the bank arrives with the word.
    number = addr[(rows - 1).bit_length() :]
    late = [Signal.like(number, name=f"bank{k}", reset_less=True) for k in range(cycles)]
    with m.If(en):
        m.d.sync += [b.eq(a) for a, b in zip([number, *late], late, strict=False)]
    word: Value = outputs[0]
    for k, output in enumerate(outputs[1:], 1):
        word = Mux(late[-1] == k, output, word)
    m.d.comb += data.eq(word)
