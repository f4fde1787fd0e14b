"""What is said, and by which name: messages tell what must hold, classes share no name."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("platforms", "cores", "hwgen")
SHARE = 0.9
"""Of the messages of ValueError and TypeError, those that say what must be so."""

STAGES = {"ArgMax", "Concat", "Dilate", "MultiThreshold", "Repeat"}
"""Ops of the tensor graph and operators that are the same mathematics at another stage."""

TWO_ENDS = {"Accelerator"}
"""The component, and the object that stands for it on a host."""


def trees():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def text(message: ast.expr) -> str:
    """What a message says for certain; values in it are ``{}``."""
    match message:
        case ast.Constant(str(words)):
            return words
        case ast.JoinedStr(parts):
            return "".join(text(part) for part in parts)
        case ast.BinOp(left, ast.Add(), right):
            return text(left) + text(right)
    return "{}"


def messages() -> dict[str, str]:
    found = {}
    for path, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.Raise(ast.Call(ast.Name("ValueError" | "TypeError"), [message, *_])):
                    found[f"{path.relative_to(ROOT)}:{node.lineno}"] = text(message)
    return found


def test_messages_say_what_must_be():
    said = messages()
    others = [f"{place}: {words}" for place, words in said.items() if " must " not in words]
    assert len(said) > 100
    assert len(others) <= (1 - SHARE) * len(said), "\n".join(others)


def test_no_two_public_classes_share_a_name():
    places = defaultdict(set)
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(str(path.relative_to(ROOT)))
    doubles = {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}
    assert set(doubles) == STAGES | TWO_ENDS, doubles


def test_a_message_is_read_as_it_is_written():
    (statement,) = ast.parse("raise ValueError(f'pe must be {n}' + ', not ' + str(pe))").body
    assert isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call)
    assert re.fullmatch(r"pe must be \{\}, not \{\}", text(statement.exc.args[0]))


DOCUMENTED = ("platforms", "cores/link", *(f"hwgen/{room}" for room in ("board", "host", "verbs")))
"""Rooms whose public functions tell what they raise; further ones are welcome."""


def raising(tree: ast.AST, public: bool = True):
    """Public functions whose own body has a `raise` that names an error."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from raising(node, public and not node.name.startswith("_"))
        elif isinstance(node, ast.FunctionDef) and public and not node.name.startswith("_"):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n is not node]
            elsewhere = {id(found) for function in inner for found in ast.walk(function)}
            own = [n for n in ast.walk(node) if id(n) not in elsewhere]
            if any(isinstance(n, ast.Raise) and n.exc for n in own):
                yield node


def test_public_functions_tell_what_they_raise():
    silent, seen = [], 0
    for path, tree in trees():
        place = str(path.relative_to(ROOT))
        if place.startswith(DOCUMENTED):
            for function in raising(tree):
                seen += 1
                if "Raises\n---" not in (ast.get_docstring(function) or ""):
                    silent.append(f"{place}:{function.lineno}: {function.name}")
    assert not silent
    assert seen > 40


def test_a_raise_is_found_in_public_functions_only():
    tree = ast.parse("def a():\n  raise OSError\ndef _b():\n  raise OSError\ndef c():\n  raise")
    assert [function.name for function in raising(tree)] == ["a"]
