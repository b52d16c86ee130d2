"""The cost of looking up whether a fill is booked already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy

from ingenium.events import ExecutionEvent
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_trading import open_trading
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.schema import EXECUTIONS

INSTRUCTIONS = 100


def execution_row(sequence: int) -> tuple[Any, ...]:
    stated = {"stream": "app/INGENIUM", "sequence": sequence, "id": f"fill_{sequence}",
              "order_id": f"order_{sequence}", "time": sequence, "booked": 1}  # fmt: skip
    return tuple(
        stated.get(column.name, None if column.nullable else "") for column in EXECUTIONS.columns
    )


def instructions_of_a_booking(path: Path, booked: int) -> int:
    """Return the SQLite instructions, in hundreds, of booking a fill after so many others."""
    database = open_database(str(path))
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    def on_connect(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(tick, INSTRUCTIONS)

    sqlalchemy.event.listen(database.engine, "connect", on_connect)
    writer = open_writer(database, "app")
    stream = RecordedStream("app", "INGENIUM")
    writer.claim(stream)
    rows = [execution_row(sequence) for sequence in range(1, booked + 1)]
    writer.write(WriteBatch(stream.label, 0, booked, 0, {"executions": rows}))
    trading = open_trading(writer, "app")
    before = count
    event = ExecutionEvent(
        id="fill_new", order_id="order_new", symbol="AAPL", side="buy", quantity="1", price="2",
        update="filled",
    )  # fmt: skip
    assert trading.book({}, stream.label, booked + 1, event, 1)
    known = ExecutionEvent(
        id="fill_1", order_id="order_1", symbol="AAPL", side="buy", quantity="1", price="2",
        update="filled",
    )  # fmt: skip
    assert not trading.book({}, stream.label, booked + 2, known, 2)
    writer.close()
    return count - before


def test_booking_a_fill_costs_the_same_after_many_fills(tmp_path: Path) -> None:
    # Two lookups by an index are some dozen instructions; a search of all fills is 30,000.
    assert instructions_of_a_booking(tmp_path / "many.db", 5000) <= 5
