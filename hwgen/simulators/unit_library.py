"""Cores as compiled units, each made once: elaborated, written as C++, compiled.

Three things are kept in a folder: what stands around a unit's code (``<op>.npz``, under a hash of
the op and of the sources of its core), libraries of several units (one start of the compiler for
many), and a link from each unit's code to the library that holds it.
"""

import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path

import numpy as np

import cores
from cores.op import Op
from hwgen.simulators.cxx import compile_library, find_compiler, library_key
from hwgen.simulators.unit import unit
from hwgen.simulators.unit_code import UnitCode, unit_code

_HERE = Path(__file__).parent
_PRELUDE = '#include "words.hpp"\ntypedef void (*Function)(W *, const W *const *);\n'
_BATCH = 300_000
"""Characters of C++ after which a compiler is started: others wait for the next one."""


@dataclass(frozen=True, eq=False)
class CompiledUnit:
    """A unit in a library.

    Attributes
    ----------
    library : Path
    code : UnitCode
        Without its text.
    """

    library: Path
    code: UnitCode


def compile_units(
    ops: Sequence[Op],
    *,
    cache: Path,
    optimise: str,
    compiler: Sequence[str] | None = None,
) -> list[CompiledUnit]:
    """The unit of each op's portable core.

    Parameters
    ----------
    cache : Path
        Folder that keeps them; made if it does not exist.
    optimise : str
        Level for the C++ compiler.
    compiler : sequence of str, optional
        See `hwgen.simulators.cxx.find_compiler`.

    Raises
    ------
    ToolError
        The C++ compiler is missing or fails.
    CheckError
        A core is not portable, or has more than one clock.
    """
    cache.mkdir(parents=True, exist_ok=True)
    compiling = _Compiling(cache, optimise, find_compiler(compiler))
    stamp = _stamp(ops)
    codes: dict[str, UnitCode] = {}
    keys = [_key(op, stamp) for op in ops]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for op, key in zip(ops, keys, strict=True):
            if key in codes:
                continue
            codes[key] = _kept(cache / f"{key}.npz", compiling) or _new(
                op, cache / f"{key}.npz", compiling, pool
            )
        compiling.finish(pool)
    return [CompiledUnit(compiling.link(codes[key].symbol), codes[key]) for key in keys]


class _Compiling:
    """Collects code and starts compilers."""

    def __init__(self, cache: Path, optimise: str, command: Sequence[str]):
        self._cache, self._flags, self._command = cache, [optimise], command
        self._headers = {"words.hpp": (_HERE / "words.hpp").read_text()}
        self._waiting: dict[str, str] = {}
        self._started: list[tuple[list[str], Future[Path]]] = []
        self._known: set[str] = set()

    def link(self, symbol: str) -> Path:
        key = library_key({"symbol": symbol, **self._headers}, self._flags, self._command)
        return self._cache / f"{key}.so"

    def add(self, code: UnitCode, pool: ThreadPoolExecutor) -> None:
        if code.symbol in self._known or self.link(code.symbol).exists():
            return
        self._known.add(code.symbol)
        self._waiting[code.symbol] = code.text
        if sum(map(len, self._waiting.values())) > _BATCH:
            self._start(pool)

    def finish(self, pool: ThreadPoolExecutor) -> None:
        self._start(pool)
        for symbols, future in self._started:
            library = future.result()
            for symbol in symbols:
                _replace_link(self.link(symbol), library)

    def _start(self, pool: ThreadPoolExecutor) -> None:
        if not self._waiting:
            return
        text = _PRELUDE + "".join(self._waiting.values())
        future = pool.submit(
            compile_library,
            {"units.cpp": text, **self._headers},
            flags=self._flags,
            cache=self._cache,
            compiler=self._command,
        )
        self._started.append(([*self._waiting], future))
        self._waiting = {}


def _new(op: Op, path: Path, compiling: _Compiling, pool: ThreadPoolExecutor) -> UnitCode:
    code = unit_code(unit(op.core()))
    compiling.add(code, pool)
    around = {
        field.name: getattr(code, field.name)
        for field in fields(code)
        if field.name not in ("text", "image")
    }
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = Path(folder) / path.name
        np.savez(file, image=code.image, around=np.array(json.dumps(around)))
        file.replace(path)
    return code


def _kept(path: Path, compiling: _Compiling) -> UnitCode | None:
    """A unit of which nothing is missing."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        code = UnitCode(text="", image=kept["image"], **json.loads(str(kept["around"])))
    return code if compiling.link(code.symbol).exists() else None


def _replace_link(link: Path, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=link.parent) as folder:
        new = Path(folder) / link.name
        new.symlink_to(library.name)
        new.replace(link)


def _stamp(ops: Iterable[Op]) -> bytes:
    """Stands for everything besides the op that decides what its unit is."""
    (folder,) = cores.__path__
    paths = {*Path(folder).rglob("*.py")}
    paths |= {Path(inspect.getfile(kind)) for kind in map(type, ops)}
    paths |= {_HERE / f"{name}.py" for name in ("unit", "unit_code", "cell_code")}
    digest = hashlib.sha256(version("amaranth").encode())
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.digest()


def _key(op: Op, stamp: bytes) -> str:
    return hashlib.sha256(stamp + op.key.encode()).hexdigest()[:32]
