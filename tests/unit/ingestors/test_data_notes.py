"""What reading skipped, guessed or left unread is in the result, the report and the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.running import ingenium

from ingenium import App, Bar, DataEvent, Ingestor, Strategy, backtest
from ingenium.backtest.sweep.sweep import Sweep
from ingenium.brokers import PaperExecutor
from ingenium.cli.data_notes import print_notes
from ingenium.components import DataNote, collect_notes
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity

APP = """
from pathlib import Path
from ingenium import App, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity

DATA = Path(__file__).parent / "data"

def app(size=1):
    return App(
        ingestors=[CsvIngestor(DATA, on_bad_row="skip")],
        strategies=[Strategy()],
        portfolio=FixedQuantity(size),
        executor=PaperExecutor(),
    )
"""
MOVED = "open beyond low and high moved between them"
GUESS = "bars last 1d, as far apart as rows are"

NO_HEADER = (
    "has no header that names open, high, low and close; it begins with 'what I think of it'"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app, and data with three bad rows in two files and one file that is no data."""
    data = tmp_path / "data"
    data.mkdir()
    for symbol, bad in (("A", (3, 5)), ("B[x]", (4,))):
        rows = "".join(
            f"2024-01-{day:02},{'?' if day in bad else 10},12,9,11,100\n" for day in range(1, 10)
        )
        (data / f"{symbol}.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    (data / "notes.txt").write_text("what I think of it\n")
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def expected() -> list[DataNote]:
    return [
        DataNote("A.csv", "skipped", 2, "line 4: open '?' is not a number"),
        DataNote("B[x].csv", "skipped", 1, "line 5: open '?' is not a number"),
        DataNote("notes.txt", "unread", 1, NO_HEADER),
        DataNote("A.csv", "guessed", 1, GUESS),
        DataNote("B[x].csv", "guessed", 1, GUESS),
    ]  # fmt: skip


def test_notes_of_reading_are_in_result_json_and_report(folder):
    result = backtest.run(f"{folder / 'app.py'}:app")
    assert sorted(map(str, result.data_notes)) == sorted(map(str, expected()))
    rows = json.loads(json.dumps(result.to_json()))["manifest"]["notes"]
    assert [DataNote(**row) for row in rows] == list(result.data_notes)
    page = unescape(result.report(folder / "r.html", stressed=False).read_text())
    manifest = page.partition("<h2>Manifest</h2>")[2]
    for note in expected():
        row = f"{note.kind} in {note.source}</th><td>{note.count}: {note.text}</td>"
        assert row in manifest


def test_equal_runs_have_equal_notes_and_reports(folder):
    first, second = (backtest.run(f"{folder / 'app.py'}:app") for _ in range(2))
    assert first.manifest == second.manifest
    pages = [
        run.report(folder / f"{number}.html", stressed=False).read_bytes()
        for number, run in enumerate((first, second))
    ]
    assert pages[0] == pages[1]


def test_many_notes_are_cut_in_the_report_and_whole_in_json(folder):
    for number in range(60):
        text = "Date,Open,High,Low,Close\n2024-01-01,1,1,1,1\n2024-01-02,1,1,1,1\n"
        (folder / "data" / f"S{number:02}.csv").write_text(text)
    result = backtest.run(f"{folder / 'app.py'}:app")
    assert len(result.to_json()["manifest"]["notes"]) == 65
    page = result.report(folder / "r.html", stressed=False).read_text()
    assert "more notes</th><td>15, in to_json()" in page


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_terminal_prints_a_line_for_each_kind(folder, command):
    more = ["--param", "size=1,2", "--by", "total_return"] if command == "sweep" else []
    ended = ingenium(command, "app.py:app", *more, cwd=folder)
    said = [
        line
        for line in (ended.out + ended.err).splitlines()
        if line.startswith(("skipped:", "guessed:", "unread:", "clipped:"))
    ]
    assert said == [
        "skipped: 3 rows of 2 files, such as A.csv: line 4: open '?' is not a number",
        f"guessed: 2 files, such as A.csv: {GUESS}",
        f"unread: 1 file, notes.txt: {NO_HEADER}",
    ]


@pytest.mark.parametrize(
    ("volumes", "lines"),
    [
        # One open beyond the range in each file, and so many words for a volume that is not known.
        (
            ["-", "-"],
            [
                "4 values of 2 files, such as A.csv: line 2: volume '-' is read as not known",
                f"2 values of 2 files, such as A.csv: line 4: {MOVED}",
            ],
        ),
        (
            ["-", "nan"],
            [
                "2 values of 2 files, such as A.csv: line 2: volume '-' is read as not known",
                "2 values of 2 files, such as A.csv: line 3: volume 'nan' is read as not known",
                f"2 values of 2 files, such as A.csv: line 4: {MOVED}",
            ],
        ),
        (
            ["-", "nan", "null", "N/A"],
            [
                "2 values of 2 files, such as A.csv: line 2: volume '-' is read as not known",
                "2 values of 2 files, such as A.csv: line 3: volume 'nan' is read as not known",
                "6 values of 2 files, such as A.csv: line 4: volume 'null' is read as not known",
            ],
        ),
    ],
)
def test_clipped_values_have_a_line_for_each_reason(tmp_path, volumes, lines):
    for symbol in ("A", "B"):
        rows = [f"10,12,9,11,{volume}" for volume in volumes] + ["8,12,9,11,100"]
        (tmp_path / f"{symbol}.csv").write_text(
            "Date,Open,High,Low,Close,Volume\n"
            + "".join(f"2024-01-{day:02},{row}\n" for day, row in enumerate(rows, 1))
        )
    ingestor = CsvIngestor(tmp_path, outside="clip")
    assert len(list(ingestor.read())) == 2 * (len(volumes) + 1)
    out = StringIO()
    print_notes(Console(file=out, width=200), ingestor.notes())
    said = [line for line in out.getvalue().splitlines() if line.startswith("clipped:")]
    assert said == [f"clipped: {line}" for line in lines]


def test_sweep_keeps_the_notes_of_each_run(folder):
    [run] = Sweep(f"{folder / 'app.py'}:app", [{"size": 1}], folder / "sweep").run(workers=1)
    assert len(run.manifest["notes"]) == 5


class Own(Ingestor):
    """As users wrote them before there were notes."""

    notes: Any

    def read(self) -> Iterator[DataEvent]:
        for day in (1, 2):
            yield Bar.make(
                "A", datetime(2024, 1, day, tzinfo=UTC), open="1", high="1", low="1", close="1",
                period=timedelta(days=1),
            ).event  # fmt: skip


def test_ingestors_without_notes_and_with_something_else_of_that_name_work():
    plain, other = Own("plain"), Own("other")
    other.notes = ["bought", "sold"]
    app = App(
        ingestors=[plain, other],
        strategies=[Strategy()],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    assert backtest.run(app).data_notes == ()
    other.notes = lambda: ["neither"]
    assert collect_notes([plain, other, object()]) == ()


def test_notes_are_those_of_the_last_reading(folder):
    ingestor = CsvIngestor(folder / "data", on_bad_row="skip")
    list(ingestor.read_bars())
    list(ingestor.read_bars())
    assert sorted(map(str, ingestor.notes())) == sorted(map(str, expected()))
