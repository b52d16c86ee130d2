"""Tables of the command line: no value is ever cut, and texts of users are printed as they are."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from ingenium.backtest.formatting import figure_text, percent, ratio
from ingenium.cli.rich_tables import Column, print_lines, print_table
from ingenium.events import Side
from ingenium.runtime.replay.fill_days import FillDays
from ingenium.trading import Fill

COLUMNS = [
    Column("symbol"),
    Column("entered", rank=1),
    Column("entry", right=True, rank=2),
    Column("P&L", right=True),
]
ROWS = [
    ["IBM", "2024-01-02 15:30", "1,483.25", "-12,345,678.90"],
    ["[red]:b:", "2024-01-03 15:30", "0.0001", "1,234,567.89"],
]


def printed(width: int) -> str:
    out = io.StringIO()
    print_table(Console(file=out, width=width, emoji=False), COLUMNS, ROWS, title="[b]trades[/b]")
    return out.getvalue()


def test_table_with_room_shows_all_columns() -> None:
    text = printed(80)
    assert all(cell in text for row in ROWS for cell in row)
    assert "[b]trades[/b]" in text
    assert "no room" not in text


@pytest.mark.parametrize(("width", "gone"), [(50, ["entry"]), (30, ["entered", "entry"])])
def test_table_without_room_drops_columns_by_rank_and_names_them(
    width: int, gone: list[str]
) -> None:
    text = printed(width)
    assert f"no room for {', '.join(gone)}" in " ".join(text.split())
    for row in ROWS:
        assert row[0] in text
        assert row[3] in text
        assert ("entered" in gone) is (row[1] not in text)
        assert row[2] not in text
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [1, 10, 20])
def test_table_that_does_not_fit_at_all_is_turned_and_whole(width: int) -> None:
    text = printed(width)
    assert all(cell in text for row in ROWS for cell in row)
    assert text.count("P&L ") == len(ROWS)


def test_column_that_folds_keeps_each_letter() -> None:
    out = io.StringIO()
    error = "an error of many words " * 5
    columns = [Column("sequence", right=True), Column("error", folds=20)]
    print_table(Console(file=out, width=40), columns, [["17", error]])
    assert "".join(out.getvalue().split()).endswith("17" + "".join(error.split()))


def test_lines_are_aligned_and_never_broken() -> None:
    out = io.StringIO()
    print_lines(Console(file=out, width=20), [("a", "f" * 64), ("long name", ":b: [x]")])
    assert out.getvalue().splitlines() == [f"a          {'f' * 64}", "long name  :b: [x]"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("total_return", 0.1032, "10.32%"),
        ("max_drawdown", -0.05934, "-5.93%"),
        ("sharpe", 0.3, "0.30"),
        ("trades", 1208.0, "1,208"),
        ("final_equity", 103806.0, "103,806.00"),
        ("longest_drawdown", 86400.0 * 3, "3.0 days"),
        ("calmar", -0.001, "0.00"),
        ("cagr", None, "-"),
    ],
)
def test_figure_is_written_as_a_backtest_prints_it(
    name: str, value: float | None, text: str
) -> None:
    assert figure_text(name, value) == text


def test_what_is_rounded_to_zero_has_no_sign() -> None:
    assert (ratio(-0.004), ratio(-0.006), percent(-0.00001)) == ("0.00", "-0.01", "0.00%")


def test_fill_within_a_daily_bar_is_of_its_session_and_one_at_the_open_of_the_next_day() -> None:
    """Both are at midnight: a stop is known at its day's end, the next order fills at its open."""
    saturday, monday, tuesday = (datetime(2024, 1, day, tzinfo=UTC) for day in (6, 8, 9))

    def fill(side: Side, price: int, time: datetime) -> Fill:
        return Fill(
            order_id="1",
            symbol="A",
            side=side,
            quantity=Decimal(1),
            price=Decimal(price),
            time=time,
        )

    stop, opened = fill(Side.SELL, 90, saturday), fill(Side.BUY, 95, monday)
    both = [fill(Side.SELL, 97, tuesday), fill(Side.BUY, 98, tuesday)]
    wednesday = datetime(2024, 1, 10, tzinfo=UTC)
    days = FillDays([stop, opened, *both], [saturday, tuesday, tuesday, wednesday])
    found = [
        days.session(each.symbol, each.time, each.price, UTC).day for each in (stop, opened, *both)
    ]
    assert found == [5, 8, 8, 9]
