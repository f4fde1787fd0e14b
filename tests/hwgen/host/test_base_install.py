"""The base install: driver and `hwgen run` need nothing of the compiler."""

import subprocess
import sys

import pytest

BASE = ("numpy", "serial", "cobs", "rich", "hwgen", "cores", "platforms")
"""What pyproject.toml lists, and hwgen's own packages."""

NEEDS_BUILD = (
    "hwgen: all but `run` needs amaranth, which only the build install brings: "
    "run `pip install 'hwgen[build]'`\n"
)

BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {base!r} and "_vendor" not in name:
            raise ModuleNotFoundError(f"No module named {{top!r}}", name=top)
sys.meta_path.insert(0, Missing())
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess:
    code = BLOCKED.format(base=BASE) + code
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_the_driver_needs_the_base_install_only():
    found = python("import hwgen; print(hwgen.Accelerator.__module__)")
    assert (found.stdout, found.stderr) == ("hwgen.host.driver\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "no-such-folder", "--port", "p", "--throughput"],
            "hwgen: [Errno 2] No such file or directory: 'no-such-folder'\n",
        ),
        (
            ["build", "model.onnx"],
            NEEDS_BUILD,
        ),
    ],
)
def test_run_is_the_verb_of_the_base_install(arguments, message):
    found = python("from hwgen.command import main; sys.exit(main())", *arguments)
    assert (found.stderr, found.returncode) == (message, 2)
