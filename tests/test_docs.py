"""What the documentation names exists, and what it shows runs."""

import re
import shlex
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest

import hwgen
from cores.choices import Block, Dsp
from cores.mvau import MatVec
from cores.silicon.ecp5.block_ram import contents
from cores.types import IntType
from hwgen.cli import _parser
from hwgen.design import GOAL_KEYS, KEYS
from hwgen.folding.file import fold_from_file
from hwgen.frontend.table import CONTRIBUTED, QUANTISERS, STANDARD
from hwgen.prepare import load
from hwgen.report.markdown import BEGIN, END
from platforms.boards.catalogue import BOARDS
from platforms.devices import DEVICES

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("designs/**/*.md")),
]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
PACKAGES = ("platforms", "cores", "hwgen")
FOLDERS = (*PACKAGES, "designs", "docs", "scripts", "tests")
TO_BE_WRITTEN = {"cores/relu6.py", "tests/cores/test_relu6.py"}
"""Files of the README's example of a new operator."""

MARK = r"<!-- (?P<mark>[^\n]*) -->\n"
BLOCK = re.compile(rf"^(?:{MARK})?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


def blocks(text: str, language: str) -> list[re.Match]:
    return [block for block in BLOCK.finditer(text) if block["language"] == language]


def prose(text: str) -> str:
    return BLOCK.sub("", text)


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def between(text: str, begin: str, end: str) -> str:
    return text.split(begin)[1].split(end)[0]


def rooms() -> dict[str, str]:
    """Text of each section of ARCHITECTURE that is headed by the name of a package."""
    parts = re.split(r"^##+ (.*)$", ARCHITECTURE, flags=re.M)
    titled = zip(parts[1::2], parts[2::2], strict=True)
    return {title.strip("`"): text for title, text in titled if title.startswith("`")}


def commands() -> list[str]:
    """Lines of the shell blocks of all documents."""
    found = []
    for document in DOCUMENTS:
        for block in blocks(document.read_text(), "sh"):
            found += block["text"].splitlines()
    return found


def given(tool: str) -> list[list[str]]:
    """Arguments of every shell line that calls `tool`."""
    words = [shlex.split(line) for line in commands()]
    return [line[1:] for line in words if Path(line[0]).name == tool]


def verbs() -> dict[str, ArgumentParser]:
    """The subcommands of `hwgen`."""
    (found,) = (action.choices for action in _parser()._actions if action.choices)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_from_the_root_exist(document):
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", prose(document.read_text()))
    for path in named:
        if path in TO_BE_WRITTEN:
            continue
        if path.split("/")[0] in FOLDERS:
            assert (ROOT / path).exists(), path


def test_every_package_is_a_room_of_the_architecture():
    found = set()
    for package in PACKAGES:
        files = [*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.cpp")]
        found |= {str(path.parent.relative_to(ROOT)) for path in files}
    assert set(rooms()) == found


@pytest.mark.parametrize("room", rooms())
def test_each_file_of_a_room_stands_in_its_table_once(room):
    rows = [line for line in rooms()[room].splitlines() if line.startswith("| `")]
    named = [file for row in rows for file in re.findall(r"`([\w.]+)`", row.split(" | ")[0])]
    files = [path for path in (ROOT / room).iterdir() if path.suffix in (".py", ".cpp", ".hpp")]
    assert sorted(named) == sorted(file.name for file in files if file.name != "__init__.py")


@pytest.mark.parametrize("arguments", given("hwgen"), ids=" ".join)
def test_commands_are_those_of_the_parser(arguments):
    try:
        _parser().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"hwgen {' '.join(arguments)}")


def test_documents_name_every_verb_and_no_other():
    named = set(re.findall(r"`hwgen ([a-z]+)`", "".join(path.read_text() for path in DOCUMENTS)))
    assert named | {arguments[0] for arguments in given("hwgen")} == set(verbs())


def test_options_in_prose_exist():
    known = {option for verb in verbs().values() for option in verb._option_string_actions}
    for document in DOCUMENTS:
        for option in re.findall(r"`(--[a-z-]+)`", prose(document.read_text())):
            assert option in known, f"{document.name}: {option}"


def test_folding_file_of_the_readme_folds_its_design():
    (block,) = blocks(README, "toml")
    graph = load(ROOT / "designs" / "digits_mlp" / "model.onnx").dataflow
    folded = fold_from_file(graph, block["text"], source="README.md")
    for name, table in tomllib.loads(block["text"]).items():
        assert folded.by_name[name].op.pe == table["pe"] > graph.by_name[name].op.pe


def test_keys_of_design_files_are_the_known_ones():
    text = (ROOT / "designs" / "README.md").read_text()
    listed = re.findall(r"^\| `\[?(\w+)\]?` \|", text, re.M)
    assert listed == list(KEYS)
    (goals,) = re.findall(r"^\| `\[goal\]` \| (.*) \|$", text, re.M)
    assert re.findall(r"`(\w+)`", goals) == list(GOAL_KEYS)


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    variables = set(re.findall(r"^([A-Z]+) \??=", makefile, re.M))
    lines = given("make")
    assert lines
    for target, *settings in lines:
        assert target in targets, target
        assert {setting.split("=")[0] for setting in settings} <= variables, settings


def test_python_scripts_of_commands_exist():
    files = [line.split()[1] for line in commands() if line.startswith("python ")]
    for document in DOCUMENTS:
        modules = re.findall(r"`python -m ([\w.]+)`", prose(document.read_text()))
        files += [f"{module.replace('.', '/')}.py" for module in modules]
    assert files
    for file in files:
        package = ROOT / file.removesuffix(".py") / "__main__.py"
        assert (ROOT / file).is_file() or package.is_file(), file


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
@pytest.mark.long
def test_python_of_the_readme_compiles_and_runs_where_marked(number):
    block = blocks(README, "python")[number]
    compile(block["text"], "README.md", "exec")
    if block["mark"] == "runnable":
        done = subprocess.run(
            [sys.executable, "-"], input=block["text"], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_scripts_shown_in_the_readme_are_the_files():
    shown = [block for block in blocks(README, "python") if (block["mark"] or "").endswith(".py")]
    assert shown
    for block in shown:
        assert (ROOT / block["mark"]).read_text() == block["text"], block["mark"]


def test_names_of_hwgen_in_the_readme_exist():
    names = set(
        re.findall(r"\bhwgen\.([A-Za-z_]\w*)\b", "".join(b[0] for b in blocks(README, "python")))
    )
    names |= set(re.findall(r"`hwgen\.(\w+)", prose(README)))
    assert names
    for name in names:
        assert hasattr(hwgen, name), name


def test_results_of_the_readme_stand_between_their_markers():
    assert README.count(BEGIN) == README.count(END) == 1
    assert README.index(BEGIN) < README.index(END)


@pytest.mark.parametrize(
    ("section", "known"),
    [("operators", [*STANDARD, *QUANTISERS]), ("contributed", [*CONTRIBUTED])],
)
def test_operators_of_the_readme_are_those_that_are_read(section, known):
    text = between(README, f"<!-- {section} -->", f"<!-- end of {section} -->")
    assert sorted(re.findall(r"`(\w+)`", text)) == sorted(known)


def test_boards_and_devices_of_the_readme_are_the_known_ones():
    section = between(README, "### Boards and devices", "###")
    names = set(re.findall(r"`([\w-]+)`", section)) - {"--clock-mhz"}
    assert names == {*BOARDS, *DEVICES}


def test_forms_of_a_weight_matrix_are_those_that_the_code_makes():
    picture = blocks(between(ARCHITECTURE, "## Four forms", "## Numerics"), "")[0]["text"]
    rows = [re.split(r"  {2,}", line.strip()) for line in picture.splitlines()[1:]]
    weights = np.array([[int(n) for n in row[0].split()] for row in rows])
    op = MatVec(weights, IntType(0, 3), pe=2, simd=2, arithmetic=Dsp(), memory=Block())
    assert [[int(n) for n in row[1].split()] for row in rows] == op.dot.codes.tolist()
    words = op.folding.weights.words
    assert [row[2] for row in rows] == [
        " ".join(f"{word >> 3 * k & 7:03b}" for k in (3, 2, 1, 0)) + f" = {word:#x}"
        for word in words
    ]
    places = [row[3].replace("_", "0") for row in rows]
    assert sum(int(place, 16) for place in places) == contents(words, 18)[0]
    assert places == [f"0x{word:05x}{'00000' * k}" for k, word in enumerate(words)]
