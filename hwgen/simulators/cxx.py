"""C++ sources to a shared library; the same sources are compiled once."""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwgen.errors import ToolError

_SYSTEM = ("c++", "g++", "clang++")
_FLAGS = ("-std=c++17", "-shared", "-fPIC")


def find_compiler(command: Sequence[str] | None = None) -> tuple[str, ...]:
    """Program and leading arguments of a C++ compiler.

    Parameters
    ----------
    command : sequence of str, optional
        The compiler to use; else the first of the system's c++, g++ and clang++, else the `ziglang`
        package of this Python (which builds its own library at its first use: most of a minute).

    Raises
    ------
    ToolError
        No compiler, or `command` is no program.
    """
    if command is not None:
        if not command or shutil.which(command[0]) is None:
            raise ToolError(f"the C++ compiler must name a program, not {' '.join(command)!r}")
        return tuple(command)
    for name in _SYSTEM:
        if found := shutil.which(name):
            return (found,)
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "c++")
    raise ToolError(
        "simulation needs a C++ compiler: install c++, g++ or clang++, or run `pip install ziglang`"
    )


def compile_library(
    sources: Mapping[str, str],
    *,
    flags: Sequence[str] = (),
    include: Sequence[Path] = (),
    cache: Path,
    compiler: Sequence[str] | None = None,
) -> Path:
    """Compile the ``.cpp`` files of `sources` into one shared library.

    Parameters
    ----------
    sources : mapping of str to str
        File name to text; headers among them are found by their name.
    flags : sequence of str
        Optimisation and macro options.
    include : sequence of Path
        Folders of further headers. Their contents are not part of the key: they belong to an
        installed tool, whose version belongs into `flags` or `sources`.
    cache : Path
        Folder that keeps the libraries; made if it does not exist.

    Returns
    -------
    Path
        The library; the same for the same sources, flags, compiler and machine.

    Raises
    ------
    ToolError
        No compiler, or it rejects the sources.
    """
    command = find_compiler(compiler)
    library = cache / f"{library_key(sources, flags, command)}.so"
    if library.exists():
        return library
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        for file, text in sources.items():
            (folder / file).write_text(text)
        result = subprocess.run(
            [
                *command,
                *_FLAGS,
                *flags,
                *(f"-I{path.resolve()}" for path in include),
                *(file for file in sources if file.endswith(".cpp")),
                *("-o", "library.so"),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if "error" in line][:3]
            said = "; ".join(lines or result.stderr.splitlines()[-3:])
            raise ToolError(f"{' '.join(command)} ended with status {result.returncode}: {said}")
        os.replace(folder / "library.so", library)
    return library


def library_key(sources: Mapping[str, str], flags: Sequence[str], command: Sequence[str]) -> str:
    """Hash of everything a library depends on, the machine included: code may be native."""
    program = Path(shutil.which(command[0]) or command[0]).resolve()
    stamp = program.stat().st_mtime_ns if program.exists() else 0
    parts = [platform.node(), platform.machine(), *command, str(stamp), *_FLAGS, *flags]
    for file, text in sorted(sources.items()):
        parts += [file, text]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:32]
