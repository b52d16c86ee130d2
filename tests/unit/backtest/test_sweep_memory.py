"""Which runs of a sweep are taken from the file, and which are run again."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from support.running import Ended, ingenium

from ingenium.backtest.app_sources import source_files, sources_digest
from ingenium.backtest.sweep.conditions import parse_conditions
from ingenium.backtest.sweep.parameters import Point, sample
from ingenium.backtest.sweep.sweep import Sweep, SweepRun
from ingenium.backtest.sweep.sweep_run import run_task
from ingenium.components import load_factory
from ingenium.errors import BacktestError, ConfigError

START = datetime(2024, 1, 1, tzinfo=UTC)

APP = """
from pathlib import Path
from ingenium import App, Ingestor
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillPolicy
from ingenium.ingestors import CsvIngestor
from {helper} import Opens

FOLDER = Path(__file__).parent

class Reads(Ingestor):
    '''Names no file, as one of a user that reads with a library of its own.'''

    def read_bars(self):
        with open(FOLDER / "data" / "X.csv") as file:
            assert file.readline()
        return CsvIngestor(FOLDER / "data" / "X.csv").read_bars()

def app(quantity=1, kind="file"):
    ingestor = {{"file": lambda: CsvIngestor(FOLDER / "data" / "X.csv"),
                "folder": lambda: CsvIngestor(FOLDER / "data"),
                "own": Reads}}[kind]()
    return App(ingestors=[ingestor], portfolio=Opens(quantity),
               executor=PaperExecutor(FillPolicy(volume_cap=None)))
"""

HELPER = """
from ingenium import Portfolio
SHARES = 1

class Opens(Portfolio):
    def __init__(self, quantity):
        super().__init__(1_000)
        self.quantity, self.seen = quantity, set()

    def on_bar(self, bar):
        if bar.symbol not in self.seen:
            self.seen.add(bar.symbol)
            self.send_order(bar.symbol, side="buy", quantity=self.quantity * SHARES)
"""


def write_prices(path: Path, prices: range) -> None:
    rows = [
        f"{START + timedelta(days=n):%Y-%m-%d},{price},{price},{price},{price},1000"
        for n, price in enumerate(prices)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    # A module of its own for each test: one of a name is imported once.
    helper = "helper_" + re.sub(r"\W", "_", request.node.name)
    (tmp_path / "own.py").write_text(APP.format(helper=helper))
    (tmp_path / f"{helper}.py").write_text(HELPER)
    write_prices(tmp_path / "data" / "X.csv", range(100, 110))
    return tmp_path


def helper_of(folder: Path) -> Path:
    return next(folder.glob("helper_*.py"))


def equity(run: SweepRun) -> float | None:
    assert run.error == ""
    return run.figure("final_equity")


def taken_up(folder: Path, point: Point) -> tuple[int, SweepRun]:
    """Sweep one point in this process; return how many had to be run, and the run."""
    work = Sweep(f"{folder / 'own.py'}:app", [point], folder / "kept")
    missing = work.missing()
    for task in missing:
        work.keep(task.key, run_task(task))
    [run] = work.runs()
    return len(missing), run


@pytest.mark.parametrize("kind", ["file", "folder", "own"])
def test_run_is_taken_from_the_file_until_its_data_changes(folder: Path, kind: str) -> None:
    """Bought at the second bar's open: from 101 to 109, then to 119."""
    point: Point = {"kind": kind, "quantity": 1}
    count, first = taken_up(folder, point)
    assert (count, equity(first)) == (1, 1000 + 109 - 101)
    assert taken_up(folder, point) == (0, first)
    write_prices(folder / "data" / "X.csv", range(100, 120))
    count, second = taken_up(folder, point)
    assert (count, equity(second)) == (1, 1000 + 119 - 101)
    # The old data makes the old run count again.
    write_prices(folder / "data" / "X.csv", range(100, 110))
    assert taken_up(folder, point) == (0, first)


def test_run_counts_no_more_when_a_file_comes_into_its_folder(folder: Path) -> None:
    point: Point = {"kind": "folder", "quantity": 1}
    taken_up(folder, point)
    write_prices(folder / "data" / "Y.csv", range(200, 210))
    count, run = taken_up(folder, point)
    assert (count, equity(run)) == (1, 1000 + 2 * 8)
    assert taken_up(folder, point)[0] == 0


def test_run_counts_no_more_when_a_module_that_the_app_imports_changes(folder: Path) -> None:
    point = {"quantity": 1}
    taken_up(folder, point)
    helper = helper_of(folder)
    helper.write_text(HELPER.replace("SHARES = 1", "SHARES = 3"))
    count, run = taken_up(folder, point)
    assert (count, equity(run)) == (1, 1000 + 3 * 8)


def test_run_of_another_version_counts_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = {"quantity": 1}
    taken_up(folder, point)
    monkeypatch.setattr("ingenium.backtest.sweep.sweep_run.__version__", "9.9.9")
    assert taken_up(folder, point)[0] == 1


def test_run_that_failed_is_run_again_and_kept_once(folder: Path) -> None:
    point = {"quantity": 1}
    data = folder / "data" / "X.csv"
    data.rename(folder / "away.csv")
    for _ in range(2):
        count, run = taken_up(folder, point)
        assert count == 1
        assert "no such file" in run.error
    assert len((folder / "kept" / "runs.jsonl").read_text().splitlines()) == 1
    (folder / "away.csv").rename(data)
    count, run = taken_up(folder, point)
    assert (count, equity(run)) == (1, 1008)
    assert taken_up(folder, point)[0] == 0


def test_source_files_are_the_app_and_what_it_imports_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "package" / "deep").mkdir(parents=True)
    files = {
        "first.py": "import json, second\nfrom package import third\n\ndef app(): ...\n",
        "second.py": "def late():\n    from package.deep.fourth import x\n",
        "package/__init__.py": "",
        "package/third.py": "from . import fifth\n",
        "package/fifth.py": "from .deep import fourth\n",
        "package/deep/fourth.py": "x = 1\n",
        "unused.py": "import first\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    target = f"{tmp_path / 'first.py'}:app"
    sys.modules.pop("second", None)
    factory = load_factory(target, {})
    found = source_files(target, factory)
    assert found == sorted(tmp_path / name for name in files if name != "unused.py")
    before = sources_digest(target, factory)
    (tmp_path / "package/deep/fourth.py").write_text("x = 2\n")
    assert sources_digest(target, factory) != before


def sweep(folder: Path, *arguments: str) -> Ended:
    return ingenium("sweep", "own.py:app", *arguments, cwd=folder)


def test_command_whose_runs_all_fail_counts_the_reasons_in_one_line(folder: Path) -> None:
    (folder / "data" / "X.csv").unlink()
    ended = sweep(folder, "--param", "quantity=1:4", "--param", "kind=file,none")
    assert (ended.code, ended.out) == (1, "")
    [line] = ended.err.splitlines()
    assert line.startswith("error: all 8 runs failed: 4 with no such file: ")
    assert "; 4 with KeyError: 'none' (own.py, line " in line
    write_prices(folder / "data" / "X.csv", range(100, 110))
    again = sweep(folder, "--param", "quantity=1:4", "--by", "final_equity")
    assert again.code == 0, again.err
    assert again.out.splitlines()[3].split()[:2] == ["4", "1,032.00"]


def test_command_refuses_what_could_not_be_written_before_it_runs(folder: Path) -> None:
    (folder / "in_the_way").write_text("")
    cases = {
        ("--report", "missing/best.html"): (2, "folder missing does not exist"),
        ("--report", "data"): (2, "is a folder"),
        ("--folder", "in_the_way"): (1, "cannot "),
        ("--where", "quantity > 9"): (2, "meets every --where"),
        ("--start", "soon"): (2, "--start 'soon' is not a day"),
    }
    for options, (code, says) in cases.items():
        ended = sweep(folder, "--param", "quantity=1,2", *options)
        assert ended.code == code
        assert len(ended.err.splitlines()) == 1
        assert says in ended.err
    assert not (folder / ".ingenium" / "sweep" / "runs.jsonl").exists()


def test_command_sweeps_a_period_and_reports_on_the_best(folder: Path) -> None:
    ended = sweep(
        folder, "--param", "quantity=1:3", "--where", "quantity != 3", "--by", "final_equity",
        "--end", "2024-01-06", "--report", "best.html", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    answer = json.loads(ended.out)
    assert answer["complete"] is True
    # The sixth bar closes at 105.
    found = {run["point"]["quantity"]: run["figures"]["final_equity"] for run in answer["runs"]}
    assert found == {1: 1004.0, 2: 1008.0}
    assert "{'quantity': 2}" in ended.err
    assert "1,008.00" in (folder / "best.html").read_text()


@pytest.mark.parametrize("name", ["report", "benchmark"])
def test_backtest_checks_report_and_benchmark_before_it_runs(folder: Path, name: str) -> None:
    text = (folder / "own.py").read_text()
    (folder / "own.py").write_text(
        text + "\ndef marked():\n    made = app()\n    made.portfolio.on_start = "
        "lambda: (FOLDER / 'ran').touch()\n    return made\n"
    )
    value = {"report": "missing/r.html", "benchmark": "SPY"}[name]
    ended = ingenium("backtest", "own.py:marked", f"--{name}", value, cwd=folder)
    assert ended.code == {"report": 2, "benchmark": 1}[name]
    assert len(ended.err.splitlines()) == 1
    assert not (folder / "ran").exists()
    ended = ingenium("backtest", "own.py:marked", "--benchmark", "X", cwd=folder)
    assert ended.code == 0
    assert (folder / "ran").exists()


NAMES = ("fast", "slow", "kind")


@pytest.mark.parametrize(
    ("text", "point", "holds"),
    [
        ("fast < slow", {"fast": 1, "slow": 2}, True),
        ("fast < slow", {"fast": 2, "slow": 2}, False),
        ("1 <= fast < slow <= 3 * fast", {"fast": 2, "slow": 7}, False),
        ("kind in ('a', 'b') and not fast == 2", {"kind": "b", "fast": 3}, True),
        ("kind not in ['a'] or slow % 2 == -1 + 1", {"kind": "a", "slow": 4}, True),
        ("slow / fast > 2.5", {"fast": 2, "slow": 5}, False),
    ],
)
def test_condition_is_that_of_python(text: str, point: Point, holds: bool) -> None:
    assert parse_conditions([text], NAMES)(point) is holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast.__class__ < 2", "'fast.__class__', which is not allowed"),
        ("print(fast) < 2", r"'print\(fast\)', which is not allowed"),
        ("fast ** 999999999 > 1", "which is not allowed"),
        ("(lambda: 1) == 1", "which is not allowed"),
        ("f'{fast}' == '1'", "which is not allowed"),
        ("fats < slow", "did you mean fast"),
        ("fast <", "cannot be read"),
        ("fast = 1", "cannot be read"),
        ("fast", "is not a comparison"),
        ("", "cannot be read"),
        ("(" * 400 + "fast" + ")" * 400 + " < 2", "cannot be read"),
        ("fast < 2" + " and fast < 2" * 100, "1308 characters: use at most 1000"),
    ],
)
def test_condition_that_is_none_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_conditions([text], NAMES)


@pytest.mark.parametrize("text", ["kind < 2", "fast / 0 > 1", "fast * kind == 'aa'"])
def test_condition_that_cannot_be_told_names_the_point(text: str) -> None:
    holds = parse_conditions([text], NAMES)
    with pytest.raises(ConfigError, match=r"cannot be evaluated for .*'kind': 'a'"):
        holds({"fast": 2, "slow": 3, "kind": "a"})


def test_sample_with_a_condition_chooses_of_those_that_meet_it() -> None:
    values = {"fast": list(range(10)), "slow": list(range(10))}
    holds = parse_conditions(["fast < slow"], list(values))
    valid = {(a, b) for a, b in product(range(10), repeat=2) if a < b}
    some = sample(values, 20, 5, holds)
    assert len(some) == 20
    assert {tuple(point.values()) for point in some} <= valid
    everything = sample(values, 99, 5, holds)
    assert {tuple(point.values()) for point in everything} == valid


def test_folder_that_cannot_be_written_is_known_before_the_first_run(folder: Path) -> None:
    work = Sweep(f"{folder / 'own.py'}:app", [{"quantity": 1}], folder / "kept")
    (folder / "kept").write_text("a file in the way")
    with pytest.raises(BacktestError, match=r"cannot save the runs in .*kept.*--folder"):
        work.check_folder()
