"""Backtests, reports and sweeps of an app whose strategy is a program in Go."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.running import ingenium, running, until

TOP = Path(__file__).parents[2]
ROWS = 400
SYMBOLS = ("AAPL", "IBM")

APP = """
from pathlib import Path

from ingenium import App, External
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

HERE = Path(__file__).parent
SYMBOLS = ["AAPL", "IBM"]


def make(strategy):
    return App(
        name="demo",
        ingestors=[CsvIngestor([HERE / f"{symbol}.csv" for symbol in SYMBOLS])],
        strategies=[strategy],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )


def in_python(period: int = 2, buy_below: float = 5.0):
    return make(
        RsiStrategy(SYMBOLS, period=period, buy_below=buy_below, sell_above=95, name="rsi")
    )


def in_go(period: int = 2, buy_below: float = 5.0, program="protojson", reports=True):
    return make(
        External(
            "strategy",
            [
                str(HERE / program),
                "-symbols",
                ",".join(SYMBOLS),
                "-period",
                str(period),
                "-buy-below",
                str(buy_below),
            ],
            name="rsi",
            symbols=SYMBOLS,
            reports=reports,
        )
    )


def silent():
    return in_go(program="structs", reports=False)


def failing():
    return make(
        External("strategy", ["sh", "-c", "echo no licence; exit 3"], name="rsi", reports=True)
    )


def elsewhere():
    return make(External("strategy", name="rsi", reports=True))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, go_build: Callable[[str], Path]) -> Path:
    place = tmp_path_factory.mktemp("programs")
    (place / "app.py").write_text(APP)
    for symbol in SYMBOLS:
        lines = (TOP / "examples" / "data" / f"{symbol}.csv").read_text().splitlines(keepends=True)
        (place / f"{symbol}.csv").write_text("".join(lines[: ROWS + 1]))
    for name in ("protojson", "structs"):
        shutil.copy(go_build(f"examples/go/{name}"), place / name)
    return place


def _backtest(folder: Path, function: str, *options: str) -> dict[str, Any]:
    ended = ingenium("backtest", f"app.py:{function}", "--json", *options, cwd=folder)
    assert ended.code == 0, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


def _without_names(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what tells the two apps apart."""
    manifest = {k: v for k, v in result["manifest"].items() if k not in {"app", "programs"}}
    manifest["components"] = [part[:2] for part in manifest["components"]]
    return result | {"manifest": manifest}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "options", [(), ("--start", "2000-08-01", "--end", "2001-03-30", "--benchmark", "IBM")]
)
def test_backtest_of_a_program_gives_the_result_of_the_same_in_python(
    folder: Path, options: tuple[str, ...]
) -> None:
    python, go = (_backtest(folder, name, *options) for name in ("in_python", "in_go"))
    assert len(python["trades"]) >= 10
    assert _without_names(go) == _without_names(python)
    assert [file["name"] for file in go["manifest"]["programs"]] == ["protojson"]


@pytest.mark.timeout(300)
def test_report_of_a_program_holds_the_figures_and_names_the_program(folder: Path) -> None:
    pages = []
    for function in ("in_python", "in_go"):
        ended = ingenium(
            "backtest", f"app.py:{function}", "--report", f"{function}.html", cwd=folder
        )
        assert ended.code == 0, ended.err
        assert "on a harsher exchange: total return" in ended.out
        pages.append((folder / f"{function}.html").read_text())
    result = _backtest(folder, "in_go")
    for page in pages:
        assert result["events_digest"] in page
    assert "program protojson" not in pages[0]
    assert "program protojson" in pages[1]


@pytest.mark.timeout(300)
def test_sweep_of_a_program_gives_it_its_parameters_and_the_figures_of_python(
    folder: Path,
) -> None:
    found = []
    for function in ("in_python", "in_go"):
        asked = ("--param", "period=2,3", "--param", "buy_below=5,20", "--workers", "2")
        runs = ("--folder", f"runs-{function}", "--json")
        ended = ingenium("sweep", f"app.py:{function}", *asked, *runs, cwd=folder)
        assert ended.code == 0, ended.err
        rows = json.loads(ended.out)["runs"]
        found.append([(row["point"], row["figures"], row["events_digest"]) for row in rows])
    python, go = found
    assert len({digest for _, _, digest in python}) == 4
    assert go == python


@pytest.mark.timeout(300)
def test_backtest_of_a_program_that_reports_nothing_says_that_it_waited(folder: Path) -> None:
    # It costs its settle time at each step.
    end = ("--end", "2000-09-29")
    python, silent = (_backtest(folder, name, *end) for name in ("in_python", "silent"))
    assert silent["stats"] == python["stats"]
    [line] = [line for line in silent["problems"] if line.startswith("not exact: waited ")]
    assert "rsi" in line


@pytest.mark.timeout(300)
def test_program_that_dies_ends_the_backtest_with_its_last_words(folder: Path) -> None:
    ended = ingenium("backtest", "app.py:failing", "--json", cwd=folder)
    assert ended.code == 1
    assert "rsi | no licence" in ended.err
    assert "'rsi'" in ended.err
    assert json.loads(ended.out)["failure"]


def test_program_without_a_command_and_look_ahead_are_refused_with_the_cure(folder: Path) -> None:
    ended = ingenium("backtest", "app.py:elsewhere", cwd=folder)
    assert ended.code == 1
    assert "pass its command to External" in ended.err
    ended = ingenium("backtest", "app.py:in_go", "--check-lookahead", cwd=folder)
    assert ended.code == 1
    assert "is an external program" in ended.err


@pytest.mark.timeout(300)
def test_backtest_of_a_program_that_is_interrupted_leaves_nothing_behind(folder: Path) -> None:
    def still_there() -> bool:
        return any(
            str(folder / "structs").encode() in line.read_bytes()
            for line in Path("/proc").glob("[0-9]*/cmdline")
            if line.exists()
        )

    with running("backtest", "app.py:silent", cwd=folder) as process:
        until(still_there, "the program runs")
        process.send(signal.SIGINT)
        assert process.wait().code == 130
    until(lambda: not still_there(), "the program has ended")


@pytest.mark.timeout(300)
def test_parity_runs_a_program_in_its_backtest(folder: Path) -> None:
    recorded = ingenium("backtest", "app.py:in_go", "--record", cwd=folder)
    assert recorded.code == 0, recorded.err
    run = recorded.err.strip().splitlines()[-1].removeprefix("recorded as ")
    ended = ingenium("parity", "app.py:in_go", "--run", run, "--json", cwd=folder)
    answer = json.loads(ended.out)
    assert (ended.code, answer["parity"]) == (0, 1.0), answer["first"]
    assert answer["counts"]["signal"]["live"] > 10
