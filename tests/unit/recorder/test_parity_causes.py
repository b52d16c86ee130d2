"""Each class of causes, planted in a recorded live run, and found by ``ingenium parity``."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from support.live_recording import LiveEvent, events_of, record_live_run
from support.parity_recording import APP, LIVE, Recorded

from ingenium.components import load_app
from ingenium.errors import ConfigError, RecorderError
from ingenium.events import DataEvent, DenialEvent, ExecutionEvent, OrderEvent, SignalEvent
from ingenium.recorder.database import Database
from ingenium.recorder.export import export
from ingenium.recorder.instants import datetime_of
from ingenium.recorder.parity_causes import CauseClass, Divergence
from ingenium.recorder.parity_result import Parity
from ingenium.recorder.parity_run import ParityOptions, run_parity
from ingenium.recorder.schema import GAPS, RUNS


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def first(found: Parity) -> Divergence:
    assert found.first is not None
    return found.first


def test_run_that_went_as_the_backtest_has_a_parity_of_one(recorded: Recorded) -> None:
    recorded.record()
    found = recorded.compare()
    assert (found.share, found.is_equal, found.notes) == (1.0, True, ())
    signals, orders, fills = found.kinds
    assert signals.live == signals.backtest == signals.equal > 10
    assert (orders.equal, fills.equal) == (orders.live, fills.live)
    assert (found.slippage, found.fills) == (Decimal(0), fills.live)


def test_signals_that_came_after_the_next_bars_belong_to_the_bar_that_they_state(
    recorded: Recorded,
) -> None:
    bar = 61 * 10**9

    def slow(events: list[LiveEvent]) -> list[LiveEvent]:
        # Their stream stored them when two more bars had come.
        for each in events:
            if isinstance(each.event, SignalEvent):
                each.received += 2 * bar
        return events

    recorded.record(plant=slow)
    signals, orders, _ = recorded.compare().kinds
    assert (signals.live, signals.equal) == (signals.backtest, signals.backtest)
    assert orders.equal == orders.backtest


def test_warm_up_of_the_live_run_is_repeated(recorded: Recorded) -> None:
    # History has more bars than the live run had missed, as it is read later.
    code = "\ndef app():\n    return make(Feed(), warm_up=History(0, 30))\n"
    cold = "\ndef app():\n    return make(Feed())\n"

    def live_part(events: list[LiveEvent]) -> list[LiveEvent]:
        begin = sorted({e.received for e in events if isinstance(e.event, DataEvent)})[12]
        ids: set[str] = set()
        kept = [e for e in events if e.received >= begin]
        # What follows from signals before it was not there.
        for each in kept:
            if isinstance(each.event, OrderEvent):
                ids.add(each.event.id)
        return [
            e for e in kept if not isinstance(e.event, ExecutionEvent) or e.event.order_id in ids
        ]

    recorded.record(code=code, plant=live_part)
    warm, other = recorded.compare(code), recorded.compare(cold, name="cold")
    assert warm.kinds[0].share == 1.0
    assert other.kinds[0].share < 1
    # Its first order turns no position round, since it had none.
    assert first(warm).pair.either.kind == "order"
    assert first(warm).pair.differences == ("quantity",)


def test_changed_parameter_is_a_cause_in_the_settings(recorded: Recorded) -> None:
    recorded.record()
    found = recorded.compare(LIVE.replace("Feed()", "Feed(), quantity=25"))
    top = first(found)
    assert (top.cause, top.pair.either.kind) == (CauseClass.SETTINGS, "order")
    assert top.text == "quantity of portfolio fixed-quantity: 10 in the recorded run, 25 now"
    assert found.kinds[0].share == 1.0
    assert {each.cause for each in found.divergences} == {CauseClass.SETTINGS}
    # Every fill has another quantity because its order has.
    assert all(each.follows for each in found.divergences if each.pair.either.kind == "fill")


def test_changed_limit_is_a_cause_in_the_settings(recorded: Recorded) -> None:
    recorded.record()
    found = recorded.compare(LIVE.replace("Feed()", "Feed(), max_order_quantity=15"))
    top = first(found)
    # The first order is one of 10 shares, and the next turns them round.
    assert (top.cause, top.pair.backtest) == (CauseClass.SETTINGS, None)
    assert "denied in the backtest run by max_order_quantity" in top.text
    assert "max_order_quantity of limits: None in the recorded run, 15 now" in top.text


def test_changed_strategy_is_a_cause_in_the_code(recorded: Recorded) -> None:
    code = "\ndef app():\n    return make(Feed(), Turns())\n"
    history = "\ndef app():\n    return make(History(), Turns())\n"
    recorded.record(code=code, history=history)
    assert recorded.compare(code).share == 1.0
    path = recorded.folder / "changed.py"
    path.write_text((APP + code).replace("bar.close > 106", "bar.close > 104"))
    found, _ = run_parity(str(path), ParityOptions(recorded.place))
    top = first(found)
    assert (top.cause, top.pair.either.kind) == (CauseClass.CODE, "signal")
    assert top.text.startswith("code of strategy turns: ")


def test_bar_that_was_not_recorded_is_a_cause_in_the_data(recorded: Recorded) -> None:
    def without_one(events: list[LiveEvent]) -> list[LiveEvent]:
        bars = [e for e in events if isinstance(e.event, DataEvent) and e.event.symbol == "ACME"]
        return [each for each in events if each is not bars[20]]

    recorded.record(plant=without_one)
    assert recorded.database is not None
    missed = events_of(load_app(str(recorded.folder / "history_app.py")))
    bars = [e for e in missed if isinstance(e.event, DataEvent) and e.event.symbol == "ACME"]
    row = {"stream": "walk/INGENIUM_DATA", "first": 41, "last": 41, "time": bars[21].received,
           "reason": "missing"}  # fmt: skip
    with recorded.database.engine.begin() as connection:
        connection.execute(insert(GAPS).values(row))
    found = recorded.compare()
    top = first(found)
    assert (top.cause, top.pair.either.symbol) == (CauseClass.DATA, "ACME")
    assert top.text == "messages 41 to 41 of walk/INGENIUM_DATA were not recorded"
    assert found.notes == (f"gap: {top.text}",)


def change_close(events: list[LiveEvent]) -> list[LiveEvent]:
    """Change the close of a bar, as a vendor that corrects it later."""
    bars = [e for e in events if isinstance(e.event, DataEvent) and e.event.symbol == "BOLT"]
    bars[20].event.ohlc.close = bars[20].event.ohlc.high = "150"
    return events


@pytest.mark.parametrize("kind", ["own", "export"])
def test_bar_that_differs_from_other_data_is_a_cause_in_the_data(
    recorded: Recorded, tmp_path: Path, kind: str
) -> None:
    code = "\ndef app():\n    return make(Feed(), warm_up=History(0, 90))\n"
    data = "own"
    if kind == "export":
        record_live_run(
            str(tmp_path / "vendor.db"), "walk",
            events_of(load_app(recorded.app("vendor", LIVE.replace("Feed", "History")))), {},
        )  # fmt: skip
        data = str(tmp_path / "archive")
        export(Database(str(tmp_path / "vendor.db")), "walk", Path(data), "parquet")
        code = LIVE
    recorded.record(code=code, plant=change_close)
    found = recorded.compare(code, data=data)
    top = first(found)
    assert (top.cause, top.pair.either.kind) == (CauseClass.DATA, "bar")
    assert top.pair.differences == ("high", "close")
    assert top.pair.live is not None
    assert top.pair.live.value("close") == Decimal(150)
    assert [each.kind for each in found.kinds] == ["bar", "signal", "order", "fill"]
    bars = found.kinds[0]
    assert (bars.live, bars.backtest, bars.equal) == (80, 80, 79)


def test_bar_that_is_missing_in_other_data_is_found(recorded: Recorded) -> None:
    code = "\ndef app():\n    return make(Feed(), warm_up=History(0, 39))\n"
    recorded.record(code=code)
    found = recorded.compare(code, data="own")
    assert (first(found).cause, first(found).pair.backtest) == (CauseClass.DATA, None)
    assert first(found).text == "the other data has no such bar"
    with pytest.raises(ConfigError, match="has no history of its own"):
        recorded.compare(LIVE, data="own")


def test_bar_that_arrived_late_is_a_cause_in_the_timing(recorded: Recorded) -> None:
    def late(events: list[LiveEvent]) -> list[LiveEvent]:
        bars = [e for e in events if isinstance(e.event, DataEvent) and e.event.symbol == "ACME"]
        signals = [e for e in events if isinstance(e.event, SignalEvent)]
        signal = next(e for e in signals[8:] if e.event.symbol == "ACME")
        place = next(n for n, bar in enumerate(bars) if bar.received - 40_000 == signal.cause)
        # The strategy got it after the next one, and did not see the cross.
        bars[place].received = bars[place + 1].received + 10**6
        return [
            each for each in events if each.cause != signal.cause or each.event.symbol != "ACME"
        ]

    recorded.record(plant=late)
    found = recorded.compare()
    top = first(found)
    assert (top.cause, top.pair.live) == (CauseClass.TIMING, None)
    assert "arrived after a later one of its symbol" in top.text


def test_signal_that_was_late_is_a_cause_in_the_timing(recorded: Recorded) -> None:
    def late(events: list[LiveEvent]) -> list[LiveEvent]:
        signal = [e for e in events if isinstance(e.event, SignalEvent)][6]
        key = (signal.cause, signal.event.symbol)
        orders = [e for e in events if isinstance(e.event, OrderEvent)]
        order = next(e for e in orders if (e.cause, e.event.symbol) == key)
        denial = DenialEvent(
            id="denial_1", component="fixed-quantity", reason="late", symbol=order.event.symbol,
            detail=f"signal {signal.event.id!r} of {order.event.symbol} is 34 s old",
            timestamp=order.event.timestamp,
        )  # fmt: skip
        gone = {id(order)} | {
            id(e)
            for e in events
            if isinstance(e.event, ExecutionEvent) and e.event.order_id == order.event.id
        }
        kept = [e for e in events if id(e) not in gone]
        return [*kept, LiveEvent(denial, signal.received + 34 * 10**9)]

    recorded.record(plant=late)
    top = first(recorded.compare())
    assert (top.cause, top.pair.live) == (CauseClass.TIMING, None)
    assert top.text.startswith("denied as late: signal 'signal_")


def test_order_that_expired_is_a_cause_in_the_timing(recorded: Recorded) -> None:
    def expired(events: list[LiveEvent]) -> list[LiveEvent]:
        fill = [e for e in events if getattr(e.event, "update", "") == "filled"][4]
        fill.event.update, fill.event.quantity, fill.event.price = "expired", "0", None
        fill.event.reason = "it is 31.0 s old, and no order is worked after 30 s"
        return events

    recorded.record(plant=expired)
    top = first(recorded.compare())
    assert (top.cause, top.pair.live) == (CauseClass.TIMING, None)
    assert top.text == (
        "expired in the live run: it is 31.0 s old, and no order is worked after 30 s"
    )


def test_order_that_missed_the_begin_of_a_bar_is_a_cause_in_the_timing(recorded: Recorded) -> None:
    def slow(events: list[LiveEvent]) -> list[LiveEvent]:
        fill = [e for e in events if getattr(e.event, "update", "") == "filled"][4]
        of_order = [
            e.event
            for e in events
            if isinstance(e.event, ExecutionEvent) and e.event.order_id == fill.event.order_id
        ]
        begin = fill.event.execution_timestamp or fill.event.timestamp
        new = next(e for e in of_order if e.update == "new")
        for each in events:
            if each.event is new:
                # 250 ms after the bar had begun, so the next one filled it.
                new.timestamp = begin + timedelta(milliseconds=250)
                new.execution_timestamp = None
        fill.event.execution_timestamp = begin + timedelta(seconds=61)
        fill.event.price = str(Decimal(fill.event.price) + 1)
        return events

    recorded.record(plant=slow)
    found = recorded.compare()
    top = first(found)
    assert (top.cause, top.pair.either.kind) == (CauseClass.TIMING, "fill")
    assert top.pair.differences == ("price", "bar")
    assert "reached the exchange 250.0 ms after the beginning of the bar" in top.text


def test_price_of_a_broker_is_a_cause_in_the_fill_model(recorded: Recorded) -> None:
    code = """
from ingenium.brokers import Broker

class Venue(Broker):
    account, idempotent = "U1", True

    async def nothing(self, *_):
        raise NotImplementedError

    submit = cancel = replace = find = open_orders = fills = positions = updates = nothing

def app():
    return make(Feed(), executor=BrokerExecutor(Venue(), name="paper"))
"""

    def dearer(events: list[LiveEvent]) -> list[LiveEvent]:
        fills = [e.event for e in events if getattr(e.event, "update", "") == "filled"]
        for each in fills:
            # Two cents worse, on prices between 100 and 112.
            worse = Decimal("0.02") if each.side == "buy" else Decimal("-0.02")
            each.price = str(Decimal(each.price) + worse)
        return events

    recorded.record(code=code, plant=dearer)
    found = recorded.compare(code)
    top = first(found)
    assert (top.cause, top.pair.either.kind) == (CauseClass.FILL_MODEL, "fill")
    assert top.text.startswith("executor 'paper' against the paper exchange: live 0.20 (")
    assert top.pair.differences == ("price",)
    difference = top.pair.price_difference
    assert difference is not None
    assert top.pair.backtest is not None
    # 10 shares, each two cents worse.
    assert difference.money == Decimal("0.20")
    price = top.pair.backtest.value("price")
    assert float(difference.basis_points) == pytest.approx(200 / float(price))
    assert found.kinds[1].share == found.kinds[0].share == 1.0
    assert found.kinds[2].share == 0
    # The first fill of each symbol is one of 10 shares, all others turn 10 round.
    assert found.slippage == (found.fills * 20 - 2 * 10) * Decimal("0.02")


def test_what_nothing_explains_is_said_so(recorded: Recorded) -> None:
    def another(events: list[LiveEvent]) -> list[LiveEvent]:
        signal = [e for e in events if isinstance(e.event, SignalEvent)][6]
        return [each for each in events if each is not signal]

    recorded.record(plant=another)
    top = first(recorded.compare())
    assert (top.cause, top.pair.live) == (CauseClass.UNEXPLAINED, None)


def test_run_without_recorded_settings_says_so(recorded: Recorded) -> None:
    recorded.record(has_settings=False)
    found = recorded.compare(LIVE.replace("Feed()", "Feed(), quantity=25"))
    assert first(found).cause is CauseClass.UNEXPLAINED
    assert "did not record its settings and code" in first(found).text
    assert len(found.notes) == 1


def test_window_bounds_what_is_compared_and_not_where_the_backtest_begins(
    recorded: Recorded,
) -> None:
    recorded.record(plant=change_order)
    whole = recorded.compare()
    part = first(whole).pair.time
    at = datetime_of(part)
    behind = recorded.compare(since=at + timedelta(minutes=3))
    before = recorded.compare(until=at)
    # The backtest has the positions of the whole run: nothing differs behind the planted order.
    assert (behind.share, before.share) == (1.0, 1.0)
    assert whole.share < 1
    counts = [found.kinds[0].live for found in (before, behind, whole)]
    assert 0 < counts[0] < counts[2]
    assert 0 < counts[1] < counts[2]
    with pytest.raises(ConfigError, match="is not after since"):
        recorded.compare(since=at, until=at)


def change_order(events: list[LiveEvent]) -> list[LiveEvent]:
    """Change the price of a fill in the middle."""
    fills = [e.event for e in events if getattr(e.event, "update", "") == "filled"]
    fills[len(fills) // 2].price = "1"
    return events


def test_live_run_is_compared_by_its_id(recorded: Recorded) -> None:
    recorded.record()
    assert recorded.database is not None
    with recorded.database.engine.connect() as connection:
        (run,) = connection.execute(select(RUNS.c.id)).scalars()
    # It began after all of its data, whose times are those of 2024, so nothing is left of it.
    assert recorded.compare(run_id=run).kinds[0].live == 0
    with pytest.raises(RecorderError, match="knows no run 'run_x'"):
        recorded.compare(run_id="run_x")
    with pytest.raises(RecorderError, match="there is no recording in"):
        run_parity(recorded.app("live_app", LIVE), ParityOptions(str(recorded.folder / "x.db")))
