"""To collect the tests does no work: nothing is written, started or loaded, nothing searched."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

COLLECT = """
import os
import sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def told(event, arguments):
    # What pytest and hypothesis keep for themselves is off or outside of the tree.
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & WRITES:
        path = os.path.abspath(arguments[0])
    elif event == "os.mkdir":
        path = os.path.abspath(arguments[0])
    elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        raise AssertionError(f"collection starts {arguments[:2]}")
    elif event == "ctypes.dlopen" and "simulators" in str(arguments[0]):
        raise AssertionError(f"collection loads {arguments[0]}")
    else:
        return
    if path.startswith(os.getcwd() + os.sep) and ".hypothesis" not in path:
        raise AssertionError(f"collection writes {path}")

def searched(*arguments, **options):
    raise AssertionError("collection searches")

sys.dont_write_bytecode = True
sys.addaudithook(told)

import cores.graph.graph_search
import hwgen.folding.search
import hwgen.prepare
import hwgen.timing.adapters

cores.graph.graph_search.build = searched
hwgen.folding.search.fold_for_rate = hwgen.folding.search.fold_to_fit = searched
hwgen.timing.adapters.insert_buffers = searched
hwgen.prepare.load = hwgen.prepare.prepare = searched

import pytest

sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


def collect(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COLLECT, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_collection_does_no_work():
    done = collect()
    assert done.returncode == 0, done.stdout[-2000:]
