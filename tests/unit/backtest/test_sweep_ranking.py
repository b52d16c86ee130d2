"""What a sweep prints: the best first, who lost all last, and each that failed by name."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ingenium.backtest.manifest import source_digest
from ingenium.backtest.sweep.bayesian import search
from ingenium.backtest.sweep.overfitting import deflated_sharpe, expected_best_sharpe
from ingenium.backtest.sweep.pool import Pool
from ingenium.backtest.sweep.sweep import Sweep, SweepRun, luck
from ingenium.backtest.sweep.sweep_run import Task, run_task
from ingenium.backtest.sweep.walk_forward import Fold, WalkForward, make_windows, walk_forward
from ingenium.cli.backtest_output import make_console, print_error
from ingenium.cli.sweep import sweep
from ingenium.cli.sweep_output import print_failures, print_folds, print_runs
from ingenium.errors import BacktestError

START = datetime(2024, 1, 1, tzinfo=UTC)

APP = """
from pathlib import Path
from ingenium import App, Portfolio
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillPolicy
from ingenium.ingestors import CsvIngestor

class Opens(Portfolio):
    def __init__(self, quantity):
        super().__init__(1_000)
        self.quantity, self.count = quantity, 0

    def on_bar(self, bar):
        self.count += 1
        if self.count == 1 and self.quantity:
            side = "buy" if self.quantity > 0 else "sell"
            self.send_order(bar.symbol, side=side, quantity=abs(self.quantity))

def app(quantity=1):
    if quantity == 13:
        raise ValueError("not thirteen")
    return App(ingestors=[CsvIngestor(Path(__file__).with_name("X.csv"))],
               portfolio=Opens(quantity), executor=PaperExecutor(FillPolicy(volume_cap=None)))

def fails_late(quantity=1):
    made = app(quantity)
    portfolio = made.portfolio
    on_bar = portfolio.on_bar
    def later(bar):
        on_bar(bar)
        if portfolio.count == 30:
            raise ValueError("bar thirty")
    portfolio.on_bar = later
    return made
"""


def made(figures: dict[str, Any], error: str = "", **point: Any) -> SweepRun:
    return SweepRun(point, figures, "", error, (0.01, 0.0, 3.0, 100))


def printed(runs: list[SweepRun], by: str, top: int = 10) -> tuple[list[str], str]:
    """Return the first words of the table's lines, and what is said beside it."""
    out, said = io.StringIO(), io.StringIO()
    print_runs(Console(file=out, width=200), Console(file=said, width=200), runs, ["n"], by, top)
    rows = [line.split()[0] for line in out.getvalue().splitlines() if line.strip()]
    return [row for row in rows if row.isdigit()], said.getvalue()


@pytest.mark.parametrize("by", ["sharpe", "total_return", "volatility", "trades"])
def test_runs_that_lost_all_are_last_whatever_the_figure(by: str) -> None:
    runs = [
        made({by: 99.0, "max_drawdown": -1.2}, n=1),
        made({by: -5.0, "max_drawdown": -0.99}, n=2),
        made({by: None, "max_drawdown": 0.0}, n=3),
        made({by: 3.0, "max_drawdown": -0.1}, n=4),
        made({}, "it raised", n=5),
        made({by: None, "final_equity": 0.0}, n=6),
    ]
    rows, said = printed(runs, by)
    assert rows == ["4", "2", "3", "1", "6"]
    assert f"1 of 6 runs have no {by}" in said
    assert "2 of 6 runs lost all" in said
    assert "it raised" in said
    assert printed(runs, by, top=2)[0] == ["4", "2"]


def test_runs_that_all_lack_the_figure_are_shown_without_an_error() -> None:
    rows, said = printed([made({"sharpe": None}, n=1), made({"sharpe": None}, n=2)], "sharpe")
    assert rows == ["1", "2"]
    assert "2 of 2 runs have no sharpe" in said


def test_search_does_not_choose_who_lost_all() -> None:
    pytest.importorskip("optuna")

    def run_points(points: Any) -> list[SweepRun]:
        # Best at 20; what loses all would be better still.
        return [
            made({"sharpe": 99.0, "max_drawdown": -2.0}, n=p["n"])
            if p["n"] > 50
            else made({"sharpe": -abs(p["n"] - 20), "max_drawdown": -0.1}, n=p["n"])
            for p in points
        ]

    runs = search({"n": list(range(100))}, run_points, by="sharpe", count=40, seed=4)
    scores = [score for run in runs if (score := run.score("sharpe")) is not None]
    assert len(scores) > 25, "half of the points lose all, and most of them are avoided"
    assert max(scores) >= -1
    lost = search({"n": list(range(60, 70))}, run_points, by="sharpe", count=5, seed=4)
    assert len(lost) == 5


def test_luck_of_runs_among_which_some_lost_all_is_a_probability() -> None:
    runs = [made({"sharpe": 1.0}, n=1), SweepRun({}, {}, "", "", (0.0, 0.0, 3.0, 0))]
    chance = luck(runs, runs[0])
    assert chance is not None
    assert 0 <= chance <= 1


def test_luck_does_not_count_runs_that_failed() -> None:
    sharpes = (0.05, 0.1, 0.02)
    good = [SweepRun({}, {}, "", "", (sharpe, 0.0, 3.0, 500)) for sharpe in sharpes]
    failed = [SweepRun.failed({}, "it raised")] * 5
    expected = deflated_sharpe(0.1, 0.0, 3.0, 500, expected_best_sharpe(sharpes))
    assert luck([*failed, *good], good[1]) == expected


def fold(number: int, inside: SweepRun, outside: SweepRun) -> Fold:
    windows = make_windows(START, START + timedelta(days=400), 3)
    return Fold(windows[number], inside.point, inside, outside)


@pytest.mark.parametrize(
    ("outside", "says"),
    [
        (0.0, "nothing is left out of sample of the gain"),
        (-0.1, "was a loss out of sample"),
        (0.001, "is left (walk-forward efficiency"),
        (0.2, "walk-forward efficiency"),
    ],
)
def test_folds_are_judged_in_words(outside: float, says: str) -> None:
    folds = [
        fold(0, made({"total_return": 0.3}, n=1), made({"total_return": outside}, n=1)),
        fold(1, made({"total_return": 0.3}, n=1), made({}, "out of luck", n=1)),
    ]
    out, said = io.StringIO(), io.StringIO()
    walk = WalkForward(folds)
    print_failures(Console(file=said, width=200), walk)
    print_folds(Console(file=out, width=200), Console(file=said, width=200), walk, "total_return")
    assert says in said.getvalue()
    assert "failed: fold 2: out of luck" in said.getvalue()
    assert "at its price then" in said.getvalue()
    assert f"out of sample of 1 of 2 folds: total return {outside:.2%}" in out.getvalue()


def test_folds_in_which_nothing_happened_are_named() -> None:
    idle = {"total_return": 0.0, "fills": 0, "exposure": 0.0}
    held = {"total_return": 0.1, "fills": 0, "exposure": 1.0}
    said = io.StringIO()
    folds = [fold(0, made(idle), made(held)), fold(1, made(held), made(idle))]
    print_failures(Console(file=said, width=200), WalkForward(folds))
    assert said.getvalue().splitlines() == [
        "fold 1: nothing was traded or held in sample",
        "fold 2: nothing was traded or held out of sample",
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [
        f"{START + timedelta(days=n):%Y-%m-%d},{price},{price},{price},{price},1000"
        for n, price in enumerate(100 + n for n in range(80))
    ]
    (tmp_path / "X.csv").write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))
    (tmp_path / "ranked.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_task_of_an_account_that_loses_all_has_no_ratios_and_no_moments(folder: Path) -> None:
    """Short 40 at 101 with 1,000: all is lost at 126."""
    digest = source_digest("ranked.py")
    bust = run_task(Task("ranked.py", digest, {"quantity": -40}))
    small = run_task(Task("ranked.py", digest, {"quantity": -1}))
    assert bust.error == small.error == ""
    assert bust.figure("final_equity") == 1000 - 40 * (179 - 101)
    assert (bust.figure("sharpe"), bust.moments) == (None, (0.0, 0.0, 3.0, 0))
    assert (bust.is_bust, small.is_bust) == (True, False)
    json.dumps(bust.to_json(Task("ranked.py", digest, {})), allow_nan=False)


def test_kept_runs_whose_figures_were_counted_otherwise_are_run_again(folder: Path) -> None:
    points = [{"quantity": 1}]
    first = Sweep("ranked.py", points, folder / "kept")
    first.keep(first.keys[0], made({"sharpe": 9.0}, quantity=1))
    assert Sweep("ranked.py", points, folder / "kept").missing() == []
    text = first.path.read_text()
    first.path.write_text(text.replace('"figures_version": 2', '"figures_version": 1'))
    assert len(Sweep("ranked.py", points, folder / "kept").missing()) == 1
    first.path.write_text(text.replace('"figures_version": 2, ', ""))
    assert len(Sweep("ranked.py", points, folder / "kept").missing()) == 1


def test_run_that_comes_twice_or_from_elsewhere_is_kept_once(folder: Path) -> None:
    work = Sweep("ranked.py", [{"quantity": 1}, {"quantity": 2}], folder / "kept")
    first = made({"sharpe": 1.0}, quantity=1)
    work.keep(work.keys[0], first)
    work.keep(work.keys[0], made({"sharpe": 2.0}, quantity=1))
    work.keep("of another sweep", made({"sharpe": 3.0}, quantity=3))
    assert (work.count, work.total, len(work.missing())) == (1, 2, 1)
    assert len(work.path.read_text().splitlines()) == 1
    work.keep(work.keys[1], made({"sharpe": 4.0}, quantity=2))
    assert [run.figure("sharpe") for run in work.runs()] == [1.0, 4.0]


@pytest.mark.timeout(120)
def test_sweeps_and_walks_go_on_where_some_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first choice raises always; the second one is short of money, and loses all."""
    values = ["quantity=13,-40,2,0"]
    sweep("ranked.py:app", values, by="total_return", workers=1)
    ended = capsys.readouterr()
    firsts = [line.split()[0] for line in ended.out.splitlines() if line.strip()]
    assert [first for first in firsts if first in {"13", "-40", "2", "0"}] == ["2", "0", "-40"]
    assert "not thirteen" in ended.err
    assert "1 of 4 runs lost all" in ended.err
    sweep("ranked.py:app", values, by="total_return", walk_forward=2, json=True, workers=1)
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [row["point"] for row in rows] == [{"quantity": 2}] * 2
    assert all(row["figures"]["total_return"] > 0.01 for row in rows)
    assert [row["bust"] for row in rows] == [False, False]
    # Taken up again, nothing is run twice, and the same comes out.
    kept = (folder / ".ingenium" / "sweep" / "runs.jsonl").read_text()
    sweep("ranked.py:app", values, by="total_return", walk_forward=2, json=True, workers=1)
    assert json.loads(capsys.readouterr().out)["runs"] == rows
    assert (folder / ".ingenium" / "sweep" / "runs.jsonl").read_text() == kept


@pytest.mark.timeout(120)
def test_walk_whose_runs_all_fail_says_so_with_the_reason(folder: Path) -> None:
    with pytest.raises(BacktestError, match=r"all 2 runs failed: .*thirty"):
        sweep("ranked.py:fails_late", ["quantity=1,2"], walk_forward=3, workers=1)


@pytest.mark.timeout(120)
def test_pool_serves_several_sweeps_also_after_a_process_was_killed(folder: Path) -> None:
    ends = "    if quantity == 7:\n        os.kill(os.getpid(), 9)\n"
    text = "import os\n" + APP.replace("    if quantity == 13:", f"{ends}    if quantity == 13:")
    (folder / "killed.py").write_text(text)
    with Pool(1) as pool:
        [good] = Sweep("killed.py", [{"quantity": 1}], folder / "a").run(pool=pool)
        runs = Sweep("killed.py", [{"quantity": 7}, {"quantity": 2}], folder / "b").run(pool=pool)
        [again] = Sweep("killed.py", [{"quantity": 3}], folder / "c").run(pool=pool)
    assert good.error == runs[1].error == again.error == ""
    assert "its process was killed 2 times" in runs[0].error


BRACKETS = "ValueError: bad [/red] thing, App(ingestors=[x]) :smile: a:b:c"


def test_texts_of_others_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [made({"sharpe": 1.0}, n="[/b]"), SweepRun.failed({"n": "[x]"}, BRACKETS)]
    shown, said = make_console(), make_console(stderr=True)
    shown.width = said.width = 200
    print_runs(shown, said, runs, ["n"], "sharpe", 10)
    print_error(ValueError(BRACKETS))
    captured = capsys.readouterr()
    assert "[/b] " in captured.out
    assert f"failed: {{'n': '[x]'}}: {BRACKETS}" in captured.err
    assert f"error: {BRACKETS}" in captured.err


def test_choices_that_fail_in_sample_are_named_beside_the_one_that_is_chosen() -> None:
    def run_window(points: Any, start: datetime, end: datetime) -> list[SweepRun]:
        figures = {"total_return": 0.1, "fills": 1, "exposure": 1.0}
        return [
            SweepRun.failed(point, BRACKETS) if point["n"] == 2 else made(figures, **point)
            for point in points
        ]

    windows = make_windows(START, START + timedelta(days=400), 2)
    walk = walk_forward([{"n": 1}, {"n": 2}], windows, run_window, by="total_return")
    said = io.StringIO()
    print_failures(Console(file=said, width=200, emoji=False), walk)
    for number in (1, 2):
        assert (
            f"fold {number}: 1 of the choices failed in sample, the first one {{'n': 2}}: "
            f"{BRACKETS}\n"
        ) in said.getvalue()


def test_parameters_that_a_fold_chose_are_readable_on_a_narrow_terminal() -> None:
    point: dict[str, Any] = {"fast": 10, "slow": 200}
    walk = WalkForward([fold(0, made({"sharpe": 1.0}, **point), made({"sharpe": 0.5}, **point))])
    out = io.StringIO()
    print_folds(Console(file=out, width=80), Console(file=io.StringIO()), walk, "sharpe")
    assert "fast=10 " in out.getvalue()
    assert "slow=200 " in out.getvalue()


def test_runs_that_cannot_be_kept_or_read_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "X.csv").write_text(
        "Date,Open,High,Low,Close,Volume\n2024-01-02,1,1,1,1,9\n2024-01-03,1,1,1,1,9\n"
    )
    target = f"{tmp_path / 'app.py'}:app"
    with pytest.raises(BacktestError, match=r"cannot read the runs in .*app.py/runs.jsonl: Not a"):
        Sweep(target, [{"quantity": 1}], tmp_path / "app.py")
    made_here = Sweep(target, [{"quantity": 1}], tmp_path / "kept")
    [task] = made_here.missing()
    (tmp_path / "kept").write_text("a file in the way")
    with pytest.raises(BacktestError, match=r"cannot save the runs in .*: pass another --folder"):
        made_here.keep(task.key, made({"sharpe": 1.0}))
