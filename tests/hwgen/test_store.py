"""Results of one run that the next one uses: never stale, never half, found once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cores.choices import AdderGraph
from cores.graph import adder_graph
from cores.graph.sums import SumGraph
from cores.mvau import MatVec
from cores.types import IntType
from hwgen import store as stores
from hwgen.store import FILE, Store, recall

U4 = IntType(0, 15)
WEIGHTS = np.array([[3, 5, -7], [1, 0, 11]])
KEY = "0" * 32


def kept(folder: Path, value: object = "found") -> Path:
    first = Store(folder)
    first.put(KEY, value)
    first.write()
    return folder / FILE


def test_another_run_gets_what_was_written(tmp_path):
    kept(tmp_path / "new" / "folder", [1, "two", {"three": None}])
    assert Store(tmp_path / "new" / "folder").get(KEY) == [1, "two", {"three": None}]
    assert Store(tmp_path).get(KEY) is None


def test_what_is_not_written_is_for_this_run_alone(tmp_path):
    first = Store(tmp_path)
    first.put(KEY, 5)
    assert first.get(KEY) == 5
    assert Store(tmp_path).get(KEY) is None


def test_without_a_folder_nothing_is_kept():
    nowhere = Store()
    nowhere.put(KEY, 5)
    nowhere.write()
    assert nowhere.get(KEY) is None


@pytest.mark.parametrize("left", [0, 1, 100, 5000, -1])
def test_a_cut_file_is_thrown_away_and_made_anew(tmp_path, left):
    path = kept(tmp_path, "found" * 5000)
    path.write_bytes(path.read_bytes()[:left])
    assert Store(tmp_path).get(KEY) in (None, "found" * 5000)
    kept(tmp_path, "anew")
    assert Store(tmp_path).get(KEY) == "anew"


def test_a_file_of_something_else_is_thrown_away(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    assert Store(tmp_path).get(KEY) is None
    kept(tmp_path)
    assert Store(tmp_path).get(KEY) == "found"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    kept(tmp_path / "file")
    assert Store(tmp_path / "file").get(KEY) is None


WRITE = """
import sys
from pathlib import Path
from hwgen.store import Store
for number in range(20):
    store = Store(Path(sys.argv[1]))
    store.put(f"{sys.argv[2]} {number}", number)
    store.write()
"""


def test_two_processes_write_at_once(tmp_path):
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    writers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    store = Store(tmp_path)
    for name in "ab":
        assert [store.get(f"{name} {number}") for number in range(20)] == [*range(20)]


def test_other_code_finds_everything_anew(tmp_path, monkeypatch):
    before = Store(tmp_path).key("prices", U4, WEIGHTS)
    assert before == Store(tmp_path).key("prices", U4, WEIGHTS.copy())
    assert before != Store(tmp_path).key("foldings", U4, WEIGHTS)
    monkeypatch.setattr(stores, "code_key", lambda: "changed")
    assert before != Store(tmp_path).key("prices", U4, WEIGHTS)


def test_the_code_is_all_source_files(tmp_path, monkeypatch):
    (tmp_path / "cores").mkdir()
    source = tmp_path / "cores" / "price.py"
    source.write_text("LUT = 1")
    monkeypatch.setattr(stores.cores, "__path__", [str(tmp_path / "cores")])
    found = []
    for change in (lambda: None, lambda: source.write_text("LUT = 2"), lambda: None):
        change()
        found.append(stores.code_key.__wrapped__())
    assert found[0] != found[1] == found[2]


class Searches:
    """Counts the searches for adder graphs."""

    def __init__(self, monkeypatch):
        self.done = 0
        search = adder_graph.build

        def counted(*arguments, **more):
            self.done += 1
            return search(*arguments, **more)

        monkeypatch.setattr(adder_graph, "build", counted)


def op(weights: np.ndarray = WEIGHTS) -> MatVec:
    return MatVec(weights, U4, pe=2, simd=3, arithmetic=AdderGraph())


def graph_of(op: MatVec) -> SumGraph:
    assert isinstance(op.dot, adder_graph.AdderGraphDot)
    return op.dot.graph


def test_an_adder_graph_is_searched_once_for_the_machine(tmp_path, monkeypatch):
    searches = Searches(monkeypatch)
    one, other = op(), op()
    for each in (one, other):
        store = Store(tmp_path)
        recall(each, store)
        store.write()
    assert searches.done == 1
    assert graph_of(other).sums == graph_of(one).sums
    assert graph_of(other).outputs == graph_of(one).outputs
    assert (other.depth, other.dot.negated) == (one.depth, one.dot.negated)


def test_a_graph_of_other_products_is_not_believed(tmp_path, monkeypatch):
    wrong = op(WEIGHTS + 1)
    for found in (wrong.found(), [3, [[0, 9, 0, False, False]], []], [1], [3, "x", []]):
        store = Store(tmp_path)
        sought = op().sought
        assert sought is not None
        store.put(store.key("search", *sought), found)
        searches, right = Searches(monkeypatch), op()
        recall(right, store)
        assert np.array_equal(graph_of(right).matrix(), WEIGHTS)
        assert searches.done == 1
