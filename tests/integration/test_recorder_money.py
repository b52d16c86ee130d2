"""Money is written to the digit, on each kind of database."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer

TEXTS = (
    "0", "-0", "0.00", "1.50", "-12345.6789", "0.000000001", "10000", "100000000", "9999.9999",
    "1e-7", "-2.5E+3", "1" * 50, "0." + "0" * 30 + "1", "7" * 45 + ".5", None,
)  # fmt: skip


def test_amounts_are_read_as_they_were_stated(database_url: str) -> None:
    database = open_database(database_url)
    writer = open_writer(database, "app")
    stream = RecordedStream("app", "INGENIUM")
    writer.claim(stream)
    # Each of them twice, in a batch and in another one.
    for before in (0, len(TEXTS)):
        rows = [
            (stream.label, before + place, "", "AAPL", 0, "long", text, "", "", 0)
            for place, text in enumerate(TEXTS, 1)
        ]
        after = before + len(TEXTS)
        writer.write(WriteBatch(stream.label, before, after, 1, {"signals": list(rows)}))
    writer.close()
    signals = schema.SIGNALS
    with database.engine.connect() as connection:
        query = select(signals.c.strength).order_by(signals.c.sequence)
        found = list(connection.scalars(query))
    expected = [None if text is None else Decimal(text) for text in TEXTS]
    assert found == expected * 2
    # Trailing zeros stay.
    assert [str(found[2]), str(found[3])] == ["0.00", "1.50"]
