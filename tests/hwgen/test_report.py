"""Records and their views: every number says how it was found."""

import io

import pytest
from rich.console import Console

from hwgen.errors import InputError
from hwgen.report.markdown import BEGIN, END, replace_results, results_table
from hwgen.report.record import entry, use
from hwgen.report.table import show

RECORD = {
    "model": {"name": "digits", "hash": "00"},
    "board": "icebreaker",
    "device": "up5k",
    "layers": [
        {
            "name": "fc0",
            "op": "MatVec",
            "shape": "64 -> 10",
            "folding": "PE 2 x SIMD 4",
            "cycles": entry(80, "estimated"),
            "weights": 640,
            "zero_weights": 160,
            "spared_lut4": entry(1234, "estimated"),
        }
    ],
    "resources": {"lut4": use(1320, 5280, "placed"), "spram": use(0, 0, "placed")},
    "cycles_per_frame": entry(1024, "simulated"),
    "accuracy": entry(0.955, "simulated"),
    "energy": entry([2e-7, 8e-7], "estimated"),
    "bit_exact": [
        {"rung": "compiled", "against": "graph", "samples": 450, "mismatches": 0},
    ],
    "tool_versions": {"yosys": "Yosys 0.70", "hwgen": "0.1.0"},
    "bitstream": "build/digits/top.bin",
}


def test_the_terminal_view_shows_every_number_with_its_evidence():
    console = Console(file=io.StringIO(), width=120)
    show(RECORD, console)
    text = console.file.getvalue()
    for words in (
        ["fc0", "MatVec", "64 -> 10", "PE 2 x SIMD 4", "80"],
        ["LUT4", "1,320", "5,280", "25.0%", "placed"],
        ["cycles per frame", "1,024", "simulated"],
        ["accuracy", "95.50%", "simulated"],
        ["weights that are 0", "25%, 1,234 LUT4 spared", "estimated"],
        ["energy per frame", "0.2 to 0.8 µJ", "estimated"],
        ["compiled", "graph", "450", "0"],
        ["bitstream", "build/digits/top.bin"],
    ):
        assert any(all(word in line for word in words) for line in text.splitlines()), words


def test_the_markdown_table_has_a_column_per_record():
    lines = results_table([RECORD, {**RECORD, "board": "ulx3s-85f"}]).splitlines()
    assert lines[0] == "|  | digits on icebreaker | digits on ulx3s-85f |"
    assert "| LUT4 | 1,320 of 5,280 (placed) | 1,320 of 5,280 (placed) |" in lines
    assert "| accuracy | 95.50% (simulated) | 95.50% (simulated) |" in lines
    assert not any("SPRAM" in line for line in lines)


def test_results_replace_what_stands_between_the_markers():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replace_results(text, "new", source="t") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_text_without_markers_is_refused():
    with pytest.raises(InputError, match=r"^notes\.md: must contain the lines "):
        replace_results("nothing here", "new", source="notes.md")


def test_evidence_is_one_of_four_words():
    with pytest.raises(
        ValueError,
        match=r"^evidence must be one of estimated, simulated, placed, measured, not 'guessed'$",
    ):
        entry(1, "guessed")
