"""A recorded backtest: its events to the byte, and rows whose numbers are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from ingenium import App, Bar, Ingestor, Signal, Strategy
from ingenium import recorder as recorder_room
from ingenium.backtest import BacktestResult, run
from ingenium.backtest.sweep.sweep_run import SweepRun
from ingenium.brokers import PaperExecutor
from ingenium.errors import BacktestError, ConfigError, LockstepError, RecorderError
from ingenium.portfolios import FixedQuantity
from ingenium.recorder import schema
from ingenium.recorder.backtest_recording import BacktestRecording, record_sweep
from ingenium.recorder.database import Database
from ingenium.recorder.rebuild_tables import rebuild
from ingenium.recorder.runs import REPLAY

T0 = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Days(Ingestor):
    """Days whose open is 100, 101 and so on."""

    def __init__(self, days: int) -> None:
        super().__init__("days")
        self._days = days

    def read_bars(self) -> Iterator[Bar]:
        for day in range(self._days):
            price = str(100 + day)
            yield Bar.make(
                "AAPL", T0 + day * DAY, open=price, high=price, low=price, close=price,
                volume="100000", period=DAY,
            )  # fmt: skip


class LongThenShort(Strategy):
    """Long after the first day, and short after ``turn`` days."""

    def __init__(self, turn: int, fail: int = 0) -> None:
        super().__init__(symbols=["AAPL"])
        self._turn, self._fail, self._count = turn, fail, 0

    def on_bar(self, bar: Bar) -> None:
        self._count += 1
        if self._count == self._fail:
            raise ValueError("planted")
        if self._count == 1:
            self.send_signal("AAPL", Signal.LONG)
        if self._count == self._turn:
            self.send_signal("AAPL", Signal.SHORT)


def make_app(turn: int = 5, days: int = 8, fail: int = 0) -> App:
    return App(
        name="demo",
        ingestors=[Days(days)],
        strategies=[LongThenShort(turn, fail)],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = Database(str(tmp_path / "record.db"))
    opened.migrate()
    return opened


def record(database: Database, app: App) -> tuple[str, BacktestResult]:
    with BacktestRecording(database, "demo") as recording:
        result = run(app, on_lines=recording.add)
        recording.end(result)
    return recording.run_id, result


def digest_of(database: Database, scope: str) -> tuple[int, str]:
    """Return count and digest of the recorded events of a run."""
    events, found, count = schema.EVENTS, sha256(), 0
    query = select(events.c.sequence, events.c.subject, events.c.body)
    query = query.where(events.c.stream == f"{scope}/backtest").order_by(events.c.sequence)
    with database.engine.connect() as connection:
        for sequence, subject, body in connection.execute(query):
            count += 1
            assert sequence == count
            found.update(subject.encode() + b" " + body + b"\n")
    return count, found.hexdigest()


def test_recorded_events_have_the_digest_of_the_backtest(database: Database) -> None:
    scope, result = record(database, make_app())
    plain = run(make_app())
    # 8 bars, 2 signals, 2 orders, each reported as new and as filled.
    assert digest_of(database, scope) == (16, plain.events_digest)
    assert result.events_digest == plain.events_digest


def test_more_events_than_a_batch_are_all_recorded(database: Database) -> None:
    scope, result = record(database, make_app(days=2500))
    assert digest_of(database, scope) == (2508, result.events_digest)
    assert database.path is not None
    assert not list(database.path.parent.glob("*.lock"))


def test_fills_positions_and_profit_of_a_run_are_read_again(database: Database) -> None:
    scope, _ = record(database, make_app())
    with recorder_room.open(database.text) as records:
        fills = list(records.transactions(scope))
        # Signals after days 1 and 5 are filled at the opens of days 2 and 6: 101 and 105.
        assert [(f["side"], f["quantity"], f["price"]) for f in fills] == [
            ("sell", Decimal(20), Decimal(105)),
            ("buy", Decimal(10), Decimal(101)),
        ]
        (profit,) = records.pnl(scope, by="symbol")
        assert profit["realized_pnl"] == 10 * (105 - 101)
        (held,) = records.positions(scope, at=T0 + 4 * DAY)
        assert (held["quantity"], held["average_cost"]) == (10, 101)
        (held,) = records.positions(scope, at=T0 + 9 * DAY)
        assert (held["quantity"], held["average_cost"]) == (-10, 105)
        story = records.order(fills[0]["order_id"]).rows
        assert [step[1] for step in story] == [
            "bar", "signal", "order", "execution", "execution", "trade",
        ]  # fmt: skip
        assert story[0][2] == "AAPL close 104, volume 100000"
        assert len(records.transactions("demo")) == 0
    before = digest_of(database, scope)
    assert rebuild(database, scope) == 16
    with recorder_room.open(database.text) as records:
        assert list(records.transactions(scope)) == fills
    assert digest_of(database, scope) == before


def test_runs_are_listed_and_compared(database: Database) -> None:
    first, one = record(database, make_app(turn=5))
    second, _ = record(database, make_app(turn=7))
    with recorder_room.open(database.text) as records:
        rows = {row["id"]: row for row in records.runs("demo")}
        assert set(rows) == {first, second}
        assert rows[first]["digest"] == one.events_digest
        assert rows[first]["trades"] == 1
        # 100,000 at the start; 40 gained, and 10 short at 105 are worth 107 at the end.
        assert rows[first]["total_return"] == pytest.approx((40 - 10 * 2) / 100_000)
        assert len(records.runs("other")) == 0
        found = {row["name"]: row for row in records.compare([first, second])}
        # Short from 107 on the last day, so 60 are gained, and nothing lost.
        assert json.loads(found["final_equity"][first]) == 100_020
        assert json.loads(found["final_equity"][second]) == 100_060
        assert "fills" not in found
        order_id = records.transactions(first).rows[-1][6]
        with pytest.raises(ConfigError, match="2 runs have order"):
            records.order(order_id)
        assert {step[3] for step in records.order(order_id, first).rows} == {f"{first}/backtest"}
        with pytest.raises(RecorderError, match="has no run 'run_x'"):
            records.compare([first, "run_x"])
        with pytest.raises(ConfigError, match="two runs or more"):
            records.compare([first])


def test_failed_backtest_is_recorded_up_to_its_failure(database: Database) -> None:
    with BacktestRecording(database, "demo") as recording:
        with pytest.raises(BacktestError) as caught:
            run(make_app(fail=4), on_lines=recording.add)
        assert isinstance(caught.value.partial, BacktestResult)
        recording.end(caught.value.partial)
    with recorder_room.open(database.text) as records:
        (row,) = records.runs()
        assert "planted" in json.loads(row["stats"])["failure"]
        (fill,) = records.transactions(recording.run_id)
        assert fill["price"] == 101


def test_replay_that_fails_is_recorded_up_to_its_failure(database: Database) -> None:
    lines: list[bytes] = []
    run(make_app(), on_lines=lines.append)
    with BacktestRecording(database, "demo", REPLAY) as recording:
        for line in lines[:3]:
            recording.add(line)
        recording.fail(LockstepError("planted"))
    with recorder_room.open(database.text) as records:
        (row,) = records.runs(kind="replay")
        assert row["ended"] is not None
        assert json.loads(row["stats"]) == {"complete": False, "failure": "planted"}
        assert len(records.events(recording.run_id)) == b"".join(lines[:3]).count(b"\n")


def test_sweep_records_parameters_and_figures(database: Database) -> None:
    good = SweepRun({"turn": 5}, {"sharpe": 1.5, "trades": 1}, "abc", "", (0.0, 0.0, 3.0, 0))
    assert record_sweep(database, "demo", [good, SweepRun.failed({"turn": 6}, "planted")]) == 2
    with recorder_room.open(database.text) as records:
        rows = {json.loads(row["parameters"])["point"]["turn"]: row for row in records.runs()}
    assert (rows[5]["kind"], rows[5]["sharpe"], rows[5]["digest"]) == ("sweep", 1.5, "abc")
    assert json.loads(rows[6]["stats"])["failure"] == "planted"


def test_migrations_make_the_tables_of_the_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []
