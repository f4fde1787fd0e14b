import ctypes
import sys

import pytest

from hwgen.errors import ToolError
from hwgen.simulators import cxx
from hwgen.simulators.cxx import compile_library, find_compiler

pytestmark = pytest.mark.compiled

SOURCE = '#include "answer.hpp"\nextern "C" int answer() { return ANSWER; }\n'


def test_system_compiler_comes_before_ziglang(monkeypatch):
    monkeypatch.setattr(cxx.shutil, "which", {"g++": "/bin/g++", "clang++": "/bin/clang++"}.get)
    assert find_compiler() == ("/bin/g++",)


def test_ziglang_serves_where_the_system_has_none(monkeypatch):
    monkeypatch.setattr(cxx.shutil, "which", lambda name: None)
    monkeypatch.setattr(cxx.importlib.util, "find_spec", lambda name: name)
    assert find_compiler() == (sys.executable, "-m", "ziglang", "c++")


def test_no_compiler_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cxx.shutil, "which", lambda name: None)
    monkeypatch.setattr(cxx.importlib.util, "find_spec", lambda name: None)
    message = (
        r"^simulation needs a C\+\+ compiler: install c\+\+, g\+\+ or clang\+\+, "
        r"or run `pip install ziglang`$"
    )
    with pytest.raises(ToolError, match=message):
        find_compiler()


def test_rejects_a_compiler_that_is_no_program():
    message = r"^the C\+\+ compiler must name a program, not 'no-such-compiler -m32'$"
    with pytest.raises(ToolError, match=message):
        find_compiler(["no-such-compiler", "-m32"])


def test_compiles_once_for_the_same_sources(tmp_path):
    sources = {"answer.cpp": SOURCE, "answer.hpp": "#define ANSWER 42\n"}
    library = compile_library(sources, cache=tmp_path)
    stamp = library.stat().st_mtime_ns
    assert compile_library(sources, cache=tmp_path) == library
    assert library.stat().st_mtime_ns == stamp
    other = compile_library(sources | {"answer.hpp": "#define ANSWER 43\n"}, cache=tmp_path)
    assert ctypes.CDLL(str(library)).answer() == 42
    assert ctypes.CDLL(str(other)).answer() == 43
    assert sorted(tmp_path.iterdir()) == sorted([library, other])


def test_flags_are_part_of_what_a_library_is(tmp_path):
    sources = {"answer.cpp": 'extern "C" int answer() { return ANSWER; }\n'}
    libraries = [compile_library(sources, flags=[f"-DANSWER={n}"], cache=tmp_path) for n in (1, 2)]
    assert [ctypes.CDLL(str(library)).answer() for library in libraries] == [1, 2]


def test_rejected_source_is_a_message(tmp_path):
    with pytest.raises(ToolError, match=r"ended with status 1: wrong\.cpp:1:\d+: error: "):
        compile_library({"wrong.cpp": "int f( {}"}, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_ziglang_compiles(tmp_path):
    pytest.importorskip("ziglang")
    sources = {"answer.cpp": SOURCE, "answer.hpp": "#define ANSWER 42\n"}
    zig = [sys.executable, "-m", "ziglang", "c++"]
    library = compile_library(sources, cache=tmp_path, compiler=zig)
    assert ctypes.CDLL(str(library)).answer() == 42
