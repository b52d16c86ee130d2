"""Sweeps: every point once, whatever stops them, and a warning about luck."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from math import sqrt
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from support.running import ingenium, running, until

from ingenium import ConfigError, backtest
from ingenium.backtest.sweep.overfitting import deflated_sharpe, expected_best_sharpe, moments
from ingenium.backtest.sweep.parameters import grid, parse_parameter, sample
from ingenium.backtest.sweep.pool import Pool
from ingenium.backtest.sweep.sweep import Sweep
from ingenium.cli.sweep import sweep
from ingenium.components import load_factory

APP = """
import os
from pathlib import Path
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

def app(fast=5, slow=20):
    return App(ingestors=[CsvIngestor(Path(__file__).with_name("IBM.csv"))],
               strategies=[SmaCross(fast=fast, slow=slow)],
               portfolio=FixedQuantity(100), executor=PaperExecutor())

def no_app(fast):
    return fast

def broken(fast):
    if fast == 2:
        os.kill(os.getpid(), 9)
    if fast == 3:
        raise LookupError("nothing at three")
    return app(fast)

whole = app()
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    # To start a process takes longer than all the backtests of a test.
    with Pool(2) as pool:
        yield pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = Path(__file__).parents[3] / "examples" / "data" / "IBM.csv"
    lines = data.read_text().splitlines(keepends=True)
    (tmp_path / "IBM.csv").write_text("".join(lines[:300]))
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fast=5:20:5", ("fast", [5, 10, 15, 20])),
        ("fast=5:7", ("fast", [5, 6, 7])),
        ("x=0.1:0.5:0.1", ("x", [0.1, 0.2, 0.3, 0.4, 0.5])),
        ("x=-1:1", ("x", [-1, 0, 1])),
        ("kind=a,b,a", ("kind", ["a", "b"])),
        ("n=3,2.5,x", ("n", [3, 2.5, "x"])),
        ("n=1:2:0.5", ("n", [1.0, 1.5, 2.0])),
    ],
)
def test_parse_parameter_gives_name_and_values(text: str, expected: object) -> None:
    assert parse_parameter(text) == expected


@pytest.mark.parametrize(
    "text",
    ["fast", "fast=", "=5", "1x=5", "fast=5:1", "fast=1:5:0", "f=1:9:-1", "f=a:b", "f=1:1e9"],
)
def test_parse_parameter_that_does_not_fit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"fast=5:50:5|go up"):
        parse_parameter(text)


def test_parse_parameter_with_too_many_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger step"):
        parse_parameter("x=0:1000000:1")


def test_grid_and_sample_hold_each_point_once() -> None:
    values: dict[str, list[int | float | str]] = {"a": [1, 2, 3], "b": ["x", "y"]}
    whole = grid(values)
    assert len({tuple(point.values()) for point in whole}) == 6
    assert whole[1] == {"a": 1, "b": "y"}
    some = sample(values, 4, seed=3)
    assert some == sample(values, 4, seed=3)
    assert len({tuple(point.values()) for point in some}) == 4
    assert all(point in whole for point in some)
    assert sample(values, 99, seed=3) == whole


@pytest.mark.timeout(120)
def test_sweep_on_two_processes_equals_single_backtests(folder: Path, pool: Pool) -> None:
    target = str(folder / "app.py:app")
    points = grid({"fast": [3, 5], "slow": [10, 20]})
    runs = Sweep(target, points, folder / "out").run(pool=pool)
    assert [run.point for run in runs] == points
    for run in runs:
        single = backtest.run(lambda run=run: load_factory(target, run.point)(**run.point))  # type: ignore[misc]
        assert run.events_digest == single.events_digest
        assert run.figure("final_equity") == single.stats.final_equity


@pytest.mark.timeout(120)
def test_sweep_taken_up_again_runs_only_what_is_missing(folder: Path, pool: Pool) -> None:
    target = str(folder / "app.py:app")
    first = Sweep(target, grid({"fast": [3, 5], "slow": [10]}), folder / "out")
    whole = first.run(pool=pool)
    # Killed while it wrote its last line.
    with first.path.open("a") as file:
        file.write('{"key": "torn')
    told: list[tuple[int, int]] = []
    second = Sweep(target, grid({"fast": [3, 5, 7], "slow": [10]}), folder / "out")
    runs = second.run(pool=pool, on_run=lambda done, of: told.append((done, of)))
    assert told == [(2, 3), (3, 3)]
    assert runs[:2] == whole
    assert len([line for line in first.path.read_text().splitlines() if line.endswith("}")]) == 3


@pytest.mark.timeout(120)
def test_sweep_of_another_app_does_not_take_the_old_runs(folder: Path, pool: Pool) -> None:
    target = str(folder / "app.py:app")
    points = grid({"fast": [3], "slow": [10]})
    [before] = Sweep(target, points, folder / "out").run(pool=pool)
    (folder / "app.py").write_text(APP.replace("FixedQuantity(100)", "FixedQuantity(50)"))
    [after] = Sweep(target, points, folder / "out").run(pool=pool)
    assert before.events_digest != after.events_digest


@pytest.mark.timeout(120)
def test_sweep_fails_the_point_that_kills_its_process_or_raises_and_no_other(folder: Path) -> None:
    points = grid({"fast": [5, 2, 3, 4]})
    runs = Sweep(str(folder / "app.py:broken"), points, folder / "out").run(workers=2)
    good, killed, raised, other = runs
    assert "its process was killed 2 times" in killed.error
    line = APP.splitlines().index('        raise LookupError("nothing at three")') + 1
    assert raised.error == f"LookupError: nothing at three (app.py, line {line})"
    assert (good.error, other.error) == ("", "")
    assert good.events_digest != other.events_digest


@pytest.mark.timeout(120)
def test_command_line_whose_runs_all_fail_ends_with_an_error(folder: Path) -> None:
    ended = ingenium("sweep", "app.py:broken", "--param", "fast=3", cwd=folder)
    assert ended.code == 1
    assert "the only run failed: LookupError" in ended.err


def test_sweep_keeps_the_manifest_of_each_run(folder: Path, pool: Pool) -> None:
    sweep = Sweep(str(folder / "app.py:app"), [{"fast": 3}], folder / "out")
    [run] = sweep.run(pool=pool)
    row = json.loads(sweep.path.read_text())
    assert row["manifest"] == run.manifest
    assert row["manifest"]["app_digest"] == row["app_digest"]
    assert [file["name"] for file in row["manifest"]["data"]] == ["IBM.csv"]


def test_sweep_target_that_takes_no_such_parameter_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"fast=5, slow=20.*cannot be called with quick"):
        Sweep(str(folder / "app.py:app"), [{"quick": 1}], folder)
    with pytest.raises(ConfigError, match="is not a function"):
        Sweep(str(folder / "app.py:whole"), [{"fast": 1}], folder)
    with pytest.raises(ConfigError, match="returns a int"):
        load_factory(str(folder / "app.py:no_app"), {"fast": 1})(fast=1)
    with pytest.raises(ConfigError, match="at least one point"):
        Sweep(str(folder / "app.py:app"), [], folder)


def test_deflated_sharpe_equals_the_example_of_its_authors() -> None:
    # Bailey and Lopez de Prado 2014, section "A numerical example": 100 trials whose annual
    # Sharpe ratios have a variance of 1/2, the best at 2.5 over 5 years of 250 days.
    daily = sqrt(0.5 / 250)
    spread = [1.0] * 50 + [-1.0] * 50
    sharpes = [each * daily / stdev(spread) for each in spread]
    benchmark = expected_best_sharpe(sharpes)
    assert benchmark == pytest.approx(0.1132, abs=5e-5)
    chance = deflated_sharpe(2.5 / sqrt(250), -3, 10, 1250, benchmark)
    assert chance == pytest.approx(0.9004, abs=5e-5)


def test_moments_of_few_or_constant_returns_are_those_of_no_skill() -> None:
    assert moments([0.01, 0.02]) == (0.0, 0.0, 3.0)
    assert moments([0.01] * 9) == (0.0, 0.0, 3.0)
    sharpe, skewness, kurtosis = moments([-1.0, 0.0, 1.0])
    assert (sharpe, skewness, kurtosis) == pytest.approx((0.0, 0.0, 1.5))


@pytest.mark.timeout(120)
def test_command_line_prints_table_heat_map_failures_and_luck(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", "app.py", "--param", "fast=3:9:3", "--param", "slow=6,12", "--top", "2"]
    ended = ingenium(*arguments, cwd=folder)
    assert ended.code == 0, ended.err
    assert "best of 6 by sharpe" in ended.out
    assert "sharpe: fast across, slow down" in ended.out
    assert "is not below slow" in ended.err
    assert "deflated Sharpe ratio" in ended.err
    monkeypatch.chdir(folder)
    sweep("app.py", ["fast=3:9:3", "slow=6,12"], json=True)
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert len(rows) == 6
    assert sum(bool(row["error"]) for row in rows) == 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_command_line_stopped_goes_on_where_it_was(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: signal.Signals,
) -> None:
    arguments = ["sweep", "app.py", "--param", "fast=2:9", "--param", "slow=10:40:2"]
    path = folder / ".ingenium" / "sweep" / "runs.jsonl"

    def lines() -> int:
        return len(path.read_text().splitlines()) if path.exists() else 0

    with running(*arguments, cwd=folder) as it:
        until(lambda: lines() >= 2, "two runs")
        it.send(how)
        ended = it.wait()
    assert ended.code == 130
    assert f"stopped after {lines()} of 128 runs" in ended.err
    assert f"to continue: python -m ingenium {' '.join(arguments)}\n" in ended.err
    assert "Traceback" not in ended.err
    assert "leaked" not in ended.err
    # What is done is shown.
    assert f"best of {lines()} by sharpe" in ended.out
    assert 2 <= lines() < 128
    monkeypatch.chdir(folder)
    sweep("app.py", ["fast=2:9", "slow=10:40:2"], json=True)
    whole = capsys.readouterr().out
    points = [json.dumps(run["point"]) for run in json.loads(whole)["runs"]]
    assert len(points) == len(set(points)) == 128
    assert lines() == 128, "none was run twice"


def _processes_of(parent: int) -> list[int]:
    """Return the worker processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, started_by = path.read_text().rpartition(")")[2].split()[:2]
            is_worker = b"spawn_main" in (path.parent / "cmdline").read_bytes()
            if int(started_by) == parent and state != "Z" and is_worker:
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_sweep_that_ends_takes_its_processes_with_it(folder: Path, how: signal.Signals) -> None:
    """Also while they are in runs that take for ever, which is not waited for."""
    begun = folder / "begun"
    (folder / "endless.py").write_text(
        "import time\nfrom pathlib import Path\n"
        "def app(fast=1):\n"
        f"    Path({str(begun)!r}).touch()\n"
        "    time.sleep(1000)\n"
    )
    arguments = ("sweep", "endless.py", "--param", "fast=1:8", "--workers", "2")
    with running(*arguments, cwd=folder) as it:
        until(begun.exists, "a run")
        workers = _processes_of(it.pid)
        assert workers
        it.send(how)
        it.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers to end")


@pytest.mark.timeout(120)
def test_command_line_walks_forward_and_judges_the_choice(folder: Path) -> None:
    arguments = ["sweep", "app.py", "--param", "fast=2,3", "--param", "slow=5,8"]
    ended = ingenium(*arguments, "--walk-forward", "2", cwd=folder)
    assert ended.code == 0, ended.err
    assert "walk-forward by sharpe" in ended.out
    assert "out of sample: total return" in ended.out
    assert "sample" in ended.err or "efficiency" in ended.err
    path = folder / ".ingenium" / "sweep" / "runs.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 1 + 2 * (4 + 1)
    for row in rows[1:]:
        assert row["start"] is None
        figures = row["figures"]
        assert row["figures_from"] <= figures["start"] <= figures["end"] <= row["end"]


@pytest.mark.timeout(120)
def test_command_line_searches_and_goes_on_from_what_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", "app.py", "--param", "fast=2:9", "--param", "slow=10:40:1"]
    path = folder / ".ingenium" / "sweep" / "runs.jsonl"
    first = ingenium(*arguments, "--bayesian", "4", "--workers", "2", "--json", cwd=folder)
    assert first.code == 0, first.err
    assert len(path.read_text().splitlines()) == 4
    monkeypatch.chdir(folder)
    sweep("app.py", ["fast=2:9", "slow=10:40:1"], bayesian=6, workers=2, json=True)
    assert json.loads(capsys.readouterr().out)["runs"][:4] == json.loads(first.out)["runs"]
    assert len(path.read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bayesian": 3, "random": 3}, "do not go together"),
        ({"nats": True, "walk_forward": 2}, "do not go together"),
        ({"nats": True, "bayesian": 2}, "do not go together"),
        (
            {"by": "sharp"},
            "no figure 'sharp' to rank by, perhaps sharpe: use one of .*sortino",
        ),
        ({"by": "start"}, "no figure 'start'"),
    ],
)
def test_command_options_that_make_no_sense_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        sweep("app.py", ["fast=2:9"], **options)
