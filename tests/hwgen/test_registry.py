"""Operators from other packages: found by name, by file and by entry point; or refused by name."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from hwgen import registry
from hwgen.design import load_design
from hwgen.errors import InputError, ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.text import parse, write
from hwgen.integer.op import IntTensor
from hwgen.prepare import load
from hwgen.verbs.inspection import inspect
from tests.hwgen.integer.foreign import Halve
from tests.onnx_models import Maker

DOUBLE = """
from hwgen.registry import Extension

def double(call):
    x = call.real()
    return call.binary("add", x, x)

OPERATORS = Extension(readers={"com.example.Double": double})
"""


@pytest.fixture(autouse=True)
def forget_modules():
    """Each test imports its own files."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if "doubling" in name or "wrong" in name:
            del sys.modules[name]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "doubling.py"
    path.write_text(DOUBLE)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    maker = Maker((1, 4))
    doubled = maker.node("Double", maker.quant("x"), domain="com.example", name="doubled")
    maker.node("MatMul", doubled, maker.quant(maker.constant(np.eye(4, 3, dtype=np.float32))))
    return maker.save(tmp_path)


def test_a_file_brings_the_reader_of_an_operator(plugin, model):
    graph = load(model, plugins=[str(plugin)]).dataflow
    assert (graph.nodes[-1].op.compute(np.ones((1, 4), np.int64)) != 0).any()


def test_without_its_plugin_an_operator_is_refused_by_name(model):
    with pytest.raises(ModelError, match=r"not com\.example\.Double \(no such operator is built\)"):
        load(model)


def test_inspect_takes_plugins(plugin, model):
    assert inspect(model, plugins=[str(plugin)]).mappable
    assert not inspect(model).mappable


def test_a_module_is_found_by_its_name(plugin, monkeypatch):
    monkeypatch.syspath_prepend(plugin.parent)
    assert registry.find(["doubling"]).reader_of("Double", "com.example").__name__ == "double"


def test_a_module_given_twice_counts_once(plugin, monkeypatch):
    monkeypatch.syspath_prepend(plugin.parent)
    assert len(registry.find(["doubling", str(plugin), str(plugin)]).extensions) == 1


def test_an_installed_package_is_found_by_its_entry_point(plugin, monkeypatch, model):
    monkeypatch.syspath_prepend(plugin.parent)
    entry = EntryPoint("twice", "doubling:OPERATORS", registry.GROUP)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: [entry])
    assert list(registry.find().extensions) == ["twice"]
    load(model)


def test_a_design_folder_names_its_plugins(plugin, model, tmp_path):
    (tmp_path / "design.toml").write_text(f'model = "{model.name}"\nplugins = ["doubling.py"]\n')
    design = load_design(tmp_path)
    assert design.plugins == (str(tmp_path / "doubling.py"),)
    load(design.model, plugins=design.plugins)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"plugin .*: OPERATORS of the module must be a .*\.Extension, not NoneType"),
        ("OPERATORS = 3", r"plugin .*: .* must be a hwgen\.registry\.Extension, not int"),
        ("import nowhere", r"plugin .*: the module must be importable; ModuleNotFoundError: .*"),
        ("1 +", r"plugin .*: the module must be importable; SyntaxError: .*"),
        (
            DOUBLE.replace("com.example.Double", "MatMul"),
            r"plugin .*: MatMul must be read by one package, not by hwgen as well",
        ),
        (
            DOUBLE + "class Crop: ...\nOPERATORS = Extension(classes=(Crop,))",
            r"plugin .*: Crop must be a subclass of one of TensorOp, IntegerOp, Op",
        ),
        (
            DOUBLE + "from cores.crop import Crop as Own\nclass Crop(Own): ...\n"
            "OPERATORS = Extension(classes=(Crop,))",
            r"plugin .*: Crop of .* must have a name of its own, not that of one in cores\.crop",
        ),
        (
            DOUBLE + "from cores.crop import Crop\nclass Layer(Crop): ...\n"
            "OPERATORS = Extension(classes=(Layer,))",
            r"plugin .*: Layer of .* must have .*, not that of one in cores\.engine\.layer",
        ),
    ],
)
def test_refuses_what_is_no_plugin(tmp_path, text, message):
    path = tmp_path / "wrong.py"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{message}$"):
        registry.find([str(path)])


def test_refuses_a_plugin_that_is_not_there():
    with pytest.raises(InputError, match=r"^plugin no_such: the module must be importable; .*$"):
        registry.find(["no_such"])
    with pytest.raises(InputError, match=r"^plugin no/such\.py: .* No such file or directory.*$"):
        registry.find(["no/such.py"])


def test_two_plugins_must_not_read_the_same_operator(plugin, tmp_path):
    other = tmp_path / "doubling_too.py"
    other.write_text(DOUBLE)
    with pytest.raises(
        InputError,
        match=r"_too\.py: .*Double must be .* one package, not by .*doubling\.py as well$",
    ):
        registry.find([str(plugin), str(other)])


def test_a_graph_with_an_op_of_an_extension_is_read_back():
    op = Halve(np.array([0, 1]))
    kind = IntTensor((2,), np.zeros(2, int), np.full(2, 3))
    graph = Graph({"x": kind}, (Node("n", op, (Value("x", ""),)),), {"y": Value("n")})
    found = registry.Registry({"halving": registry.Extension(classes=(Halve,))})
    (node,) = parse(*write(graph), found.classes)
    assert isinstance(node.op, Halve)
