"""Equity over time and filtered pages of a recording, on hand-made rows of both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from ingenium import recorder
from ingenium.recorder.database import Database
from ingenium.recorder.equity_history import equity_history
from ingenium.recorder.recorded_bars import bar_table, mark_table
from ingenium.recorder.recorded_pages import RowFilter, count_fills, fill_page
from ingenium.recorder.schema import (
    ACCOUNT_SNAPSHOTS,
    BARS,
    EVENTS,
    EXECUTIONS,
    POSITION,
    POSITION_CHANGES,
)

DATA, MONEY = "demo/INGENIUM_DATA", "demo/INGENIUM"
DAY = 86_400_000_000_000
START = 20_000 * DAY


def _event(stream: str, sequence: int, received: int) -> dict[str, Any]:
    return {
        "stream": stream, "sequence": sequence, "subject": "s", "type": "", "id": "", "cause": "",
        "time": received, "received": received, "headers": b"", "body": b"{}", "source": "",
    }  # fmt: skip


def _fill(sequence: int, at: int, side: str, quantity: str, price: str) -> dict[str, Any]:
    return {
        "stream": MONEY, "sequence": sequence, "id": f"x{sequence}", "order_id": f"o{sequence}",
        "symbol": "ACME", "time": at, "update": "filled", "side": side,
        "quantity": Decimal(quantity), "price": Decimal(price), "commission": Decimal("0.5"),
        "leaves_quantity": None, "reason": "", "booked": 1, "source": "",
    }  # fmt: skip


def _record(url: str) -> None:
    """Record: buy 10 at 100, price rises to 110, sell 4 at 110, price falls to 90."""
    database = Database(url)
    database.migrate()
    bars = [(1, START + 10, "100"), (2, START + 30, "110"), (3, START + 50, "90")]
    fills = [
        (1, START + 20, "buy", "10", "100", "-1000.5", "10"),
        (2, START + 40, "sell", "4", "110", "-561", "6"),
    ]
    rows: dict[Any, list[dict[str, Any]]] = {
        POSITION: [
            {
                "stream": stream, "scope": "demo", "name": "s", "epoch": 1, "sequence": 3,
                "mark": START, "holder": "", "since": START,
            }
            for stream in (DATA, MONEY)
        ],
        EVENTS: [
            *(_event(DATA, sequence, at) for sequence, at, _ in bars),
            *(_event(MONEY, sequence, at) for sequence, at, *_ in fills),
        ],
        BARS: [
            {
                "stream": DATA, "sequence": sequence, "symbol": "ACME", "time": at - DAY,
                "received": at, "open": Decimal(close), "high": Decimal(close),
                "low": Decimal(close), "close": Decimal(close), "volume": None, "period": "",
            }
            for sequence, at, close in bars
        ],
        EXECUTIONS: [_fill(*row[:5]) for row in fills],
        ACCOUNT_SNAPSHOTS: [
            {
                "stream": MONEY, "sequence": sequence, "time": at, "cash_flow": Decimal(cash),
                "realized_pnl": Decimal(0), "commissions": Decimal(0),
            }
            for sequence, at, _, _, _, cash, _ in fills
        ],
        POSITION_CHANGES: [
            {
                "stream": MONEY, "sequence": sequence, "symbol": "ACME", "time": at,
                "quantity": Decimal(held), "cost": Decimal(0), "realized_pnl": Decimal(0),
            }
            for sequence, at, *_, held in fills
        ],
    }  # fmt: skip
    with database.writing() as connection:
        if not database.is_sqlite:
            for table in ("events", "bars"):
                connection.exec_driver_sql(f"CREATE TABLE {table}_all PARTITION OF {table} DEFAULT")
        for table, values in rows.items():
            connection.execute(insert(table), values)
    database.engine.dispose()


def test_equity_is_cash_and_positions_at_their_last_prices(database_url: str) -> None:
    _record(database_url)
    with recorder.open(database_url) as records:
        whole = records.run(lambda c: equity_history(c, "demo", Decimal(2000)))
        late = records.run(
            lambda c: equity_history(c, "demo", Decimal(2000), since=START + 35, points=2)
        )
        unknown = records.run(lambda c: equity_history(c, "demo", None))
    # Each by hand: cash + shares x last price.
    expected = [
        (10, "2000", "0"),
        (20, "1999.5", "1000"),
        (30, "2099.5", "1100"),
        (40, "2099", "660"),
        (50, "1979", "540"),
    ]
    assert [(e.time - START, e.equity, e.exposure) for e in whole] == [
        (at, Decimal(equity), Decimal(exposure)) for at, equity, exposure in expected
    ]
    falls = [0, -0.5 / 2000, 0, -0.5 / 2099.5, -120.5 / 2099.5]
    assert [round(e.drawdown or 0, 12) for e in whole] == [round(fall, 12) for fall in falls]
    assert [(e.time - START, e.equity) for e in late] == [
        (40, Decimal(2099)),
        (50, Decimal(1979)),
    ]
    assert [(e.time - START, e.equity, e.drawdown) for e in unknown] == [
        (at, Decimal(equity) - 2000, None) for at, equity, _ in expected[1:]
    ]


def test_pages_and_marks_are_those_of_the_filter(database_url: str) -> None:
    _record(database_url)
    with recorder.open(database_url) as records:

        def ids(**fields: Any) -> list[str]:
            wanted = RowFilter("demo", **fields)
            table = records.run(lambda c: fill_page(c, wanted, 10))
            assert len(table) == records.run(lambda c: count_fills(c, wanted))
            return [row["id"] for row in table]

        assert ids() == ["x2", "x1"]
        assert ids(side="buy") == ids(order_id="o1") == ids(until=START + 40) == ["x1"]
        assert ids(since=START + 40) == ["x2"]
        assert ids(symbol="AAPL") == ids(side="buy' or 1=1 --") == []
        first = records.run(lambda c: fill_page(c, RowFilter("demo"), 1))
        second = records.run(lambda c: fill_page(c, RowFilter("demo"), 1, first.next))
        assert [row["id"] for row in (*first, *second)] == ["x2", "x1"]
        assert (bool(first.next), second.next) == (True, "")
        bars = records.run(lambda c: bar_table(c, "demo", "ACME", None, None, 2))
        assert [row["close"] for row in bars] == [Decimal(110), Decimal(90)]
        marks = records.run(lambda c: mark_table(c, "demo", "ACME", START, START + 30, 9))
        assert [(row["text"], row["price"]) for row in marks] == [("buy", Decimal(100))]
