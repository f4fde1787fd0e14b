"""Operators from other packages: what one brings, and how it is found.

An installed package is found by its entry point in the group ``hwgen.operators``:

    [project.entry-points."hwgen.operators"]
    cumsum = "hwgen_cumsum:OPERATORS"

A module, or a file, is found by the name that a user gives with ``--plugin`` or as one of `plugins`
in design.toml; its `Extension` is called ``OPERATORS``.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module, metadata, util
from pathlib import Path
from types import ModuleType

from cores.op import Op
from hwgen.errors import InputError
from hwgen.frontend.table import Reader, reader_of
from hwgen.frontend.unsupported import full_name
from hwgen.graph.stages import Classes, classes
from hwgen.integer.op import IntegerOp
from hwgen.tensor.op import TensorOp

GROUP = "hwgen.operators"
"""Of the entry points of installed packages."""
NAME = "OPERATORS"
"""What a module that is given by its name calls its `Extension`."""


@dataclass(frozen=True, eq=False)
class Extension:
    """What one package brings.

    Parameters
    ----------
    readers : mapping of operator to function
        Which function reads which ONNX operator, named with its domain unless that is ONNX's own:
        ``CumSum``, ``com.example.CumSum``. It takes the `hwgen.frontend.call.Call` and returns the
        output's `Tensor`, or one for each output; it raises `RefusalError` for what it cannot read.
    classes : tuple of class
        Its tensor ops, integer ops and operators, by whose names a text form of graphs is read
        back.
    """

    readers: Mapping[str, Reader] = field(default_factory=dict)
    classes: tuple[type[TensorOp] | type[IntegerOp] | type[Op], ...] = ()


@dataclass(frozen=True, eq=False)
class Registry:
    """Every operator: those of the tree, and those of extensions.

    Parameters
    ----------
    extensions : mapping of str to Extension
        By the name under which each was found.

    Raises
    ------
    InputError
        Two of them, or one and the tree, read the same operator or have an op of the same name.
    """

    extensions: Mapping[str, Extension] = field(default_factory=dict)

    def __post_init__(self):
        readers: dict[str, str] = {}
        added: list[type] = []
        for name, extension in self.extensions.items():
            for operator in extension.readers:
                domain, _, kind = operator.rpartition(".")
                owner = "hwgen" if reader_of(kind, domain) else readers.get(operator)
                if owner is not None:
                    raise InputError(
                        f"plugin {name}: {operator} must be read by one package, "
                        f"not by {owner} as well"
                    )
                readers[operator] = name
            added += extension.classes
            try:
                classes(*added)
            except (TypeError, ValueError) as error:
                raise InputError(f"plugin {name}: {error}") from error

    def reader_of(self, op_type: str, domain: str) -> Reader | None:
        """The function that reads an ONNX operator; None where no package has one."""
        return reader_of(op_type, domain) or self._readers.get(full_name(op_type, domain))

    @cached_property
    def _readers(self) -> dict[str, Reader]:
        return {name: read for x in self.extensions.values() for name, read in x.readers.items()}

    @cached_property
    def classes(self) -> Classes:
        """What the text form of a graph may name, by stage and name."""
        return classes(*(kind for x in self.extensions.values() for kind in x.classes))


def find(plugins: Sequence[str] = ()) -> Registry:
    """The operators of the tree, of installed packages and of the named modules.

    Parameters
    ----------
    plugins : sequence of str
        Modules that can be imported, such as ``hwgen_cumsum``, or files, such as
        ``path/hwgen_cumsum.py``. One that is installed as well counts once.

    Raises
    ------
    InputError
        One cannot be imported or has no `Extension`, or they collide, as in `Registry`.
    """
    found: dict[str, Extension] = {}
    for entry in metadata.entry_points(group=GROUP):
        _add(found, entry.name, entry.value.partition(":")[0], entry.attr or NAME)
    for plugin in plugins:
        _add(found, plugin, plugin, NAME)
    return Registry(found)


def _add(found: dict[str, Extension], name: str, module: str, attribute: str) -> None:
    try:
        loaded = _from_file(Path(module)) if module.endswith(".py") else import_module(module)
    except Exception as error:  # whatever the code of a stranger raises
        raise InputError(
            f"plugin {name}: the module must be importable; {type(error).__name__}: {error}"
        ) from error
    extension = getattr(loaded, attribute, None)
    if not isinstance(extension, Extension):
        raise InputError(
            f"plugin {name}: {attribute} of the module must be a hwgen.registry.Extension, "
            f"not {type(extension).__name__}"
        )
    if extension not in found.values():
        found[name] = extension


def _from_file(path: Path) -> ModuleType:
    path = path.resolve(strict=True)
    # A file that is imported already is not read twice: its classes would not be the same ones.
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if origin is not None and Path(origin) == path:
            return module
    # Not the bare stem: a file json.py must not take the place of Python's own module.
    name = f"hwgen_plugin_{path.stem}"
    spec = util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a name in .py has a loader"
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
