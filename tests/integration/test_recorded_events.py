"""Raw events are decoded when they are read; no command fails on nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.running import ingenium
from support.wire_own_types import QUOTE, Quote

from ingenium import recorder
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.cli import recorded
from ingenium.errors import ConfigError, RecorderError
from ingenium.events import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    encode,
    encode_binary,
)
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.subjects.names import subject_of

T0 = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)
SECOND = 10**9
T0_NS = (19_724 * 86_400 + 15 * 3600 + 30 * 60) * SECOND
BINARY = b"NATS/1.0\r\nContent-Type: application/protobuf\r\n\r\n"


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url)


def record(database: Database, messages: list[tuple[str, bytes, bytes]]) -> None:
    """Record messages that came an hour apart."""
    stream, trading = RecordedStream("app", "core"), TradingRows("app", {}, {})
    writer, typed = open_writer(database, "app"), TypedRows(trading)
    writer.claim(stream)
    batch = WriteBatch(stream.label, 0, len(messages), T0_NS)
    for number, (subject, headers, payload) in enumerate(messages, 1):
        kept = KeptMessage(number, T0_NS + number * 3600 * SECOND, subject, headers, payload)
        typed.add(batch.rows, stream.label, kept)
    batch.books = trading.take_changes()
    writer.write(batch)
    writer.close()


def mixed() -> list[tuple[str, bytes, bytes]]:
    bar = DataEvent(id="data_1", type="ohlc", symbol="AAPL", ohlc=Ohlc(close="7"))
    signal = SignalEvent(id="signal_1", symbol="MSFT", signal="long", timestamp=T0)
    return [
        (subject_of(bar), b"", encode(bar)),
        ("acme.quote.aapl", b"", encode(QUOTE)),
        (subject_of(signal), BINARY, encode_binary(signal)),
        ("acme.quote.msft", BINARY, encode_binary(QUOTE)),
        ("acme.news", b"", b'{"Headline": "x"}'),
        ("acme.raw", b"", b"\xff\x00"),
        (subject_of(bar), b"", b"no bar"),
    ]


def test_events_are_decoded_by_their_types(database: Database) -> None:
    record(database, mixed())
    with recorder.open(database.text) as records:
        found = records.events("app").rows
        assert [row[1] for row in found] == [7, 6, 5, 4, 3, 2, 1]
        events = {row[1]: row[-2] for row in found}
        assert events[1].ohlc.close == "7"
        assert events[3] == SignalEvent(id="signal_1", symbol="MSFT", signal="long", timestamp=T0)
        assert events[2] == json.loads(encode(QUOTE))
        assert events[5] == {"Headline": "x"}
        # The bytes ff 00 in base64.
        assert events[6] == {"data_base64": "/wA="}
        assert "cannot decode DataEvent" in {row[1]: row[-1] for row in found}[7]
        assert [row[1] for row in records.events(type="SignalEvent").rows] == [3]
        assert [row[1] for row in records.events(symbol="MSFT").rows] == [3]
        hour = timedelta(hours=1)
        middle = records.events(since=T0 + 3 * hour, until=T0 + 5 * hour)
        assert [row[1] for row in middle.rows] == [4, 3]


def test_events_of_an_own_type_are_decoded_by_its_message(database: Database) -> None:
    record(database, mixed())
    with recorder.open(database.text) as records:
        found = records.events("app", message=Quote, subject="acme.quote.*")
        assert [(row[4], row[-2], row[-1]) for row in found.rows] == [
            ("acme.quote.msft", QUOTE, ""),
            ("acme.quote.aapl", QUOTE, ""),
        ]
        assert found.texts()[0]["event"] == json.loads(encode(QUOTE))
        exact = records.events(message=Quote, subject="acme.quote.aapl")
        assert [row[1] for row in exact.rows] == [2]
        with pytest.raises(ConfigError, match="pass one"):
            records.events(message=Quote, type="SignalEvent")
        with pytest.raises(ConfigError, match="type 'Quote' is not known: use CancelEvent"):
            records.events(type="Quote")


def test_events_come_in_pages(database: Database) -> None:
    record(database, mixed())
    with recorder.open(database.text) as records:
        pages, after = [], ""
        while True:
            page = records.events(limit=3, after=after)
            pages.append([row[1] for row in page.rows])
            if not page.next:
                break
            after = page.next
        assert pages == [[7, 6, 5], [4, 3, 2], [1]]
        with pytest.raises(ConfigError, match="page 'x' is not known"):
            records.events(after="x")


READS: dict[str, dict[str, Any]] = {
    "transactions": {}, "positions": {}, "pnl": {}, "events": {}, "runs": {}
}  # fmt: skip


def test_nothing_recorded_is_an_empty_table_in_each_form(database: Database) -> None:
    with recorder.open(database.text) as records:
        for name in READS:
            table = getattr(records, name)("app")
            assert (len(table), table.texts(), table.next) == (0, [], "")
            assert table.csv() == ",".join(table.columns) + "\n"
            assert list(table.to_pandas().columns) == list(table.columns)
            assert len(table.notes) == 1
            assert table.notes[0].endswith("there are none")
        with pytest.raises(RecorderError, match="knows no order 'order_1'"):
            records.order("order_1")


def test_unknown_names_are_answered_with_those_there_are(database: Database) -> None:
    order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="1", type="market")
    fills: list[OrderEvent | ExecutionEvent] = [
        ExecutionEvent(id=f"exec_{symbol}", order_id="order_1", symbol=symbol, side="buy",
                       quantity="1", price="1", update="filled", execution_timestamp=T0)
        for symbol in ("AAPL", "MSFT")
    ]  # fmt: skip
    record(database, [(subject_of(each), b"", encode(each)) for each in [order, *fills]])
    with recorder.open(database.text) as records:
        for name in ("transactions", "positions", "pnl"):
            read = getattr(records, name)
            assert read("app", symbol="IBM").notes == (
                "nothing of 'IBM' is recorded here: there are AAPL, MSFT",
            )
            assert read("other").notes == (
                f"no app or run 'other' is recorded in {database.text}: there are app",
            )
            assert read("app", symbol="AAPL").notes == ()
        for name, option in (("transactions", "since"), ("pnl", "until"), ("positions", "at"),
                             ("events", "since"), ("runs", "until")):  # fmt: skip
            with pytest.raises(ConfigError, match="has no zone"):
                getattr(records, name)(**{option: datetime(2024, 1, 2)})  # noqa: DTZ001
        for name in ("positions", "pnl"):
            options = {"by": "symbol"} if name == "pnl" else {}
            first = getattr(records, name)("app", limit=1, **options)
            rest = getattr(records, name)("app", limit=1, after=first.next, **options)
            assert [page.rows[0][1] for page in (first, rest)] == ["AAPL", "MSFT"]
            assert rest.next == ""
        story = records.order("order_1", limit=2)
        assert [row["step"] for row in story] == ["order", "execution"]
        assert [row["step"] for row in records.order("order_1", after=story.next)] == ["execution"]
        for table in (records.transactions(), records.positions(), story, records.events()):
            assert len(table.to_pandas()) == len(table)


def test_command_decodes_with_the_module_of_an_app(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / ".ingenium" / "app" / "record.db"))
    record(database, mixed())
    own = ("--message", "support.wire_own_types:Quote", "--subject", "acme.quote.>")
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    shown = ingenium("events", *own, "--json", cwd=tmp_path, env=env)
    assert shown.code == 0, shown.err
    answer = json.loads(shown.out)
    assert [row["event"] for row in answer["rows"]] == [json.loads(encode(QUOTE))] * 2
    assert answer["next"] == ""


def test_commands_show_tables_and_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record(open_database(str(tmp_path / ".ingenium" / "app" / "record.db")), mixed())
    recorded.events(type="SignalEvent", csv=True)
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert json.loads(row["event"])["Signal"] == "long"
    recorded.events(limit=2)
    shown = capsys.readouterr()
    assert "data_base64" in shown.out
    assert "more: --after " in shown.err
    with pytest.raises(ConfigError, match="json:dumps is no message"):
        recorded.events(message="json:dumps")
    recorded.positions(symbol="IBM", json=True)
    assert json.loads(capsys.readouterr().out)["notes"] == [
        "nothing of 'IBM' is recorded here: there are none"
    ]
    recorded.pnl(symbol="IBM")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nothing of 'IBM' is recorded here" in shown.err
    assert "nothing that was recorded fits" in shown.err
