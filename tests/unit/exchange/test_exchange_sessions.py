"""Time in force on the hours of an exchange: who sleeps, who wakes, and when each order expires."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices, told

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import AlwaysOpen, ExecutionReport, FillPolicy, PaperExchange, RegularHours
from ingenium.exchange.trading_hours import TradingHours
from ingenium.trading import Bar, Order

NEW_YORK = RegularHours(
    "America/New_York",
    time(9, 30),
    time(16),
    holidays=[date(2024, 7, 4)],
    early_closes={date(2024, 7, 3): time(13)},
    extended_close=time(20),
)
DAY_ORDER, OPG, CLS, IOC = TimeInForce.DAY, TimeInForce.OPG, TimeInForce.CLS, TimeInForce.IOC


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def half_hour(text: str, shape: str = "100 101 99 100", *, symbol: str = "AAPL") -> Bar:
    """Make the bar of half an hour that starts at a time in UTC."""
    open_, high, low, close = shape.split()
    return Bar.make(
        symbol, utc(text), open=open_, high=high, low=low, close=close,
        period=timedelta(minutes=30),
    )  # fmt: skip


def exchange_at(text: str, calendar: Any = NEW_YORK, **options: Any) -> PaperExchange:
    exchange = PaperExchange(calendar=calendar, **options)
    exchange.on_bar(half_hour(text))
    return exchange


def limit(price: str = "50", **fields: Any) -> Order:
    values = {"type": OrderType.LIMIT, "limit_price": price, "time_in_force": DAY_ORDER}
    return order(Side.BUY, **(values | fields))


def updates(reports: list[ExecutionReport]) -> list[str]:
    return [f"{report.update.value} {report.time:%d %H:%M}" for report in reports]


def run(exchange: PaperExchange, *starts: str, shape: str = "100 101 99 100") -> list[str]:
    return [text for start in starts for text in updates(exchange.on_bar(half_hour(start, shape)))]


# Sleep.


def test_order_without_extended_hours_sleeps_until_the_open() -> None:
    exchange = exchange_at("2024-01-03T21:00")
    made = order(Side.BUY, time_in_force=DAY_ORDER)
    assert updates(exchange.submit(made, utc("2024-01-03T21:30"))) == ["accepted 03 21:30"]
    assert run(exchange, "2024-01-03T21:30", "2024-01-04T14:00") == []
    assert run(exchange, "2024-01-04T14:30") == ["new 04 14:30", "filled 04 14:30"]


def test_order_with_extended_hours_works_at_once() -> None:
    exchange = exchange_at("2024-01-03T21:00")
    made = order(Side.BUY, extended_hours=True, time_in_force=DAY_ORDER)
    assert updates(exchange.submit(made, utc("2024-01-03T21:30"))) == ["new 03 21:30"]
    assert run(exchange, "2024-01-03T21:30") == ["filled 03 21:30"]


def test_order_within_regular_hours_is_new_at_once() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    assert updates(exchange.submit(limit(), utc("2024-01-03T15:30"))) == ["new 03 15:30"]


@pytest.mark.parametrize("time_in_force", [TimeInForce.GTC, IOC, TimeInForce.FOK])
def test_order_of_any_time_in_force_sleeps(time_in_force: TimeInForce) -> None:
    exchange = exchange_at("2024-01-03T21:00")
    exchange.submit(order(Side.BUY, time_in_force=time_in_force), utc("2024-01-03T21:30"))
    assert run(exchange, "2024-01-03T21:30", "2024-01-04T14:00") == []
    assert run(exchange, "2024-01-04T14:30") == ["new 04 14:30", "filled 04 14:30"]


def test_stop_is_not_triggered_while_it_sleeps() -> None:
    exchange = exchange_at("2024-01-03T20:30")
    stop = order(Side.SELL, type=OrderType.STOP, stop_price="95", time_in_force=TimeInForce.GTC)
    exchange.submit(stop, utc("2024-01-03T21:00"))
    assert run(exchange, "2024-01-03T21:00", shape="100 100 90 100") == []
    assert run(exchange, "2024-01-04T14:30") == ["new 04 14:30"]


def test_bracket_sleeps_with_its_entry_and_is_live_with_extended_hours() -> None:
    for extended in (False, True):
        exchange = exchange_at("2024-01-03T20:00")
        made = order(Side.BUY, stop_loss="95", extended_hours=extended)
        exchange.submit(made, utc("2024-01-03T20:30"))
        exchange.on_bar(half_hour("2024-01-03T20:30"))
        found = prices(exchange.on_bar(half_hour("2024-01-03T21:00", "100 100 90 92")))
        assert found == ([D(95)] if extended else [])


# day.


def test_day_order_expires_at_the_close() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    exchange.submit(limit(), utc("2024-01-03T15:30"))
    assert run(exchange, "2024-01-03T15:30", "2024-01-03T20:00") == []
    assert run(exchange, "2024-01-03T20:30") == ["expired 03 21:00"]


def test_day_order_expires_at_an_early_close() -> None:
    exchange = exchange_at("2024-07-03T13:30")
    exchange.submit(limit(), utc("2024-07-03T14:00"))
    assert run(exchange, "2024-07-03T14:00", "2024-07-03T16:00") == []
    assert run(exchange, "2024-07-03T16:30") == ["expired 03 17:00"]


def test_day_order_after_the_close_is_for_the_next_session_over_a_holiday() -> None:
    exchange = exchange_at("2024-07-03T16:30")
    exchange.submit(limit(), utc("2024-07-03T17:00"))
    assert run(exchange, "2024-07-03T17:00", "2024-07-04T14:00") == []
    assert run(exchange, "2024-07-05T13:30", "2024-07-05T19:30") == [
        "new 05 13:30",
        "expired 05 20:00",
    ]


@pytest.mark.parametrize(
    ("sent", "opens", "last", "expiry"),
    [
        ("2024-03-08T21:00", "2024-03-11T13:30", "2024-03-11T19:30", "expired 11 20:00"),
        ("2024-11-01T20:00", "2024-11-04T14:30", "2024-11-04T20:30", "expired 04 21:00"),
    ],
)
def test_day_order_over_a_change_of_the_clocks(
    sent: str, opens: str, last: str, expiry: str
) -> None:
    exchange = exchange_at("2024-03-08T20:30")
    exchange.submit(limit(), utc(sent))
    before = (utc(opens) - timedelta(minutes=30)).isoformat()[:16]
    assert run(exchange, before) == []
    assert run(exchange, opens, last) == [f"new {opens[8:10]} {opens[11:]}", expiry]


def test_day_order_of_a_thin_symbol_expires_at_the_close_and_is_told_later() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    exchange.submit(limit(), utc("2024-01-03T15:30"))
    # The next bar is on the next day, and would have filled it.
    assert run(exchange, "2024-01-04T15:00", shape="40 41 39 40") == ["expired 03 21:00"]


def test_day_order_with_extended_hours_works_until_all_trading_ends() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    exchange.submit(limit(extended_hours=True), utc("2024-01-03T15:30"))
    assert run(exchange, "2024-01-03T20:30", "2024-01-03T23:30") == []
    assert run(exchange, "2024-01-04T00:30") == ["expired 04 01:00"]


def test_day_order_on_whole_sessions_expires_with_its_bar_whatever_the_calendar() -> None:
    for calendar in (None, AlwaysOpen(), NEW_YORK):
        exchange = opened(calendar=calendar)
        exchange.submit(limit(), START + DAY)
        reports = exchange.on_bar(bar(1, "100 101 99 100"))
        assert reports[-1].update is TradeUpdate.EXPIRED
        assert reports[-1].time == START + 2 * DAY


def test_day_order_always_open_expires_at_midnight_even_without_a_bar() -> None:
    exchange = exchange_at("2024-01-06T20:00", AlwaysOpen())
    exchange.submit(limit(), utc("2024-01-06T20:30"))
    assert run(exchange, "2024-01-07T00:00", shape="40 41 39 40") == ["expired 07 00:00"]


def test_day_order_without_a_calendar_is_for_the_day_of_its_first_bar() -> None:
    exchange = exchange_at("2024-01-05T20:30", None)
    exchange.submit(limit(), utc("2024-01-05T21:00"))
    assert run(exchange, "2024-01-08T14:30", shape="40 41 39 40") == ["filled 08 14:30"]


def daily(text: str, shape: str = "100 101 99 100") -> Bar:
    """Make the bar of a day in UTC, as daily files have them."""
    open_, high, low, close = shape.split()
    return Bar.make(
        "AAPL", utc(text), open=open_, high=high, low=low, close=close, period=DAY
    )  # fmt: skip


def day_order_on(calendar: Any, sent: str, bars: list[str]) -> list[str]:
    """Send a day order that any of the bars would fill; return what becomes of it."""
    exchange = PaperExchange(calendar=calendar)
    exchange.is_waiting("AAPL", "100")
    exchange.submit(limit(), utc(sent))
    return updates([r for text in bars for r in exchange.on_bar(daily(text, "40 41 39 40"))])


@pytest.mark.parametrize(
    ("calendar", "sent", "bars", "expected"),
    [
        # Friday's close to Monday; over Thursday, the 4th of July; and over both.
        (NEW_YORK, "2024-01-06", ["2024-01-08"], ["filled 08 00:00"]),
        (NEW_YORK, "2024-07-04", ["2024-07-05"], ["filled 05 00:00"]),
        (NEW_YORK, "2024-07-06", ["2024-07-08"], ["filled 08 00:00"]),
        # While Thursday trades: Friday's is the first bar that can fill it.
        (NEW_YORK, "2024-01-04T15:00", ["2024-01-05"], ["filled 05 00:00"]),
        # A session of the calendar without a bar was its session.
        (NEW_YORK, "2024-01-04", ["2024-01-05"], ["expired 04 21:00"]),
        (NEW_YORK, "2024-07-03", ["2024-07-05"], ["expired 03 17:00"]),
        (AlwaysOpen(), "2024-01-06", ["2024-01-08"], ["expired 07 00:00"]),
        (AlwaysOpen(), "2024-01-06", ["2024-01-06"], ["filled 06 00:00"]),
        # Without a calendar the bars say when there is trading.
        (None, "2024-01-06", ["2024-01-08"], ["filled 08 00:00"]),
        (None, "2024-01-06", ["2024-02-01"], ["filled 01 00:00"]),
    ],
)
def test_day_order_on_daily_bars_over_days_without_one(
    calendar: Any, sent: str, bars: list[str], expected: list[str]
) -> None:
    found = day_order_on(calendar, sent, bars)
    assert [each for each in found if not each.startswith("new")] == expected


@pytest.mark.parametrize("calendar", [None, AlwaysOpen(), NEW_YORK])
def test_gtc_order_outlives_days_without_a_bar(calendar: Any) -> None:
    exchange = PaperExchange(calendar=calendar)
    exchange.is_waiting("AAPL", "100")
    exchange.submit(limit(time_in_force=TimeInForce.GTC), utc("2024-01-04"))
    assert prices(exchange.on_bar(daily("2024-01-09", "100 101 99 100"))) == []
    assert prices(exchange.on_bar(daily("2024-03-11", "40 41 39 40"))) == [D(40)]


# opg.


def test_opg_fills_at_the_open_of_the_next_session() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    made = order(Side.BUY, time_in_force=OPG)
    assert updates(exchange.submit(made, utc("2024-01-03T15:30"))) == ["new 03 15:30"]
    assert run(exchange, "2024-01-03T15:30", "2024-01-03T20:30", "2024-01-04T14:00") == []
    [report] = exchange.on_bar(half_hour("2024-01-04T14:30", "97 101 95 100"))
    assert (report.update, report.price, report.time) == (
        TradeUpdate.FILLED,
        D(97),
        utc("2024-01-04T14:30"),
    )


def test_opg_sent_at_the_open_is_in_time() -> None:
    exchange = exchange_at("2024-01-03T14:00")
    exchange.submit(order(Side.BUY, time_in_force=OPG), utc("2024-01-03T14:30"))
    assert run(exchange, "2024-01-03T14:30") == ["filled 03 14:30"]


@pytest.mark.parametrize("is_mirror", [False, True])
@pytest.mark.parametrize(
    ("price", "policy", "expected"),
    [
        ("99", FillPolicy(), []),  # the bar goes through it, but the open does not
        ("100", FillPolicy(), []),
        ("100", FillPolicy(touch_fills=True), ["100"]),
        ("101", FillPolicy(), ["100"]),
        ("101", FillPolicy(price_improvement=False), ["101"]),
    ],
)
def test_opg_limit_looks_at_the_open_alone(
    price: str, policy: FillPolicy, expected: list[str], is_mirror: bool
) -> None:
    side, shape = Side.BUY, "100 105 90 104"
    if is_mirror:
        side, shape, price = Side.SELL, mirrored(shape), str(200 - D(price))
        expected = [str(200 - D(each)) for each in expected]
    exchange = opened(policy=policy)
    made = order(side, type=OrderType.LIMIT, limit_price=price, time_in_force=OPG)
    exchange.submit(made, START + DAY)
    reports = exchange.on_bar(bar(1, shape))
    assert prices(reports) == [D(each) for each in expected]
    assert reports[-1].update is (TradeUpdate.FILLED if expected else TradeUpdate.EXPIRED)
    assert exchange.working == []


def test_opg_over_the_volume_cap_expires_with_the_rest() -> None:
    exchange = opened()
    exchange.submit(order(Side.BUY, "100", time_in_force=OPG), START + DAY)
    filled, expired = exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert (filled.quantity, filled.leaves) == (D(30), D(70))
    assert (expired.update, expired.reason) == (
        TradeUpdate.EXPIRED,
        "opg: not filled at the open",
    )


def test_opg_whose_session_has_no_bar_expires() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    exchange.submit(order(Side.BUY, time_in_force=OPG), utc("2024-01-03T15:30"))
    assert run(exchange, "2024-01-05T14:30") == ["expired 04 21:00"]


def test_opg_without_a_calendar_waits_for_the_next_day_that_has_bars() -> None:
    exchange = exchange_at("2024-01-05T15:00", None)
    exchange.submit(order(Side.BUY, time_in_force=OPG), utc("2024-01-05T15:30"))
    assert run(exchange, "2024-01-05T15:30", "2024-01-05T20:30") == []
    assert run(exchange, "2024-01-08T14:30") == ["filled 08 14:30"]


def test_opg_entry_has_the_whole_bar_before_it() -> None:
    exchange = opened()
    made = order(Side.BUY, stop_loss="95", take_profit="108", time_in_force=OPG)
    exchange.submit(made, START + DAY)
    assert prices(exchange.on_bar(bar(1, "100 109 99 100"))) == [D(100), D(108)]


# cls.


def test_cls_fills_at_the_close_of_the_last_regular_bar() -> None:
    exchange = exchange_at("2024-07-03T13:30")
    exchange.submit(order(Side.BUY, time_in_force=CLS), utc("2024-07-03T14:00"))
    assert run(exchange, "2024-07-03T14:00", "2024-07-03T16:00") == []
    [report] = exchange.on_bar(half_hour("2024-07-03T16:30", "97 101 95 99.5"))
    assert (report.price, report.time) == (D("99.5"), utc("2024-07-03T17:00"))


@pytest.mark.parametrize("is_mirror", [False, True])
@pytest.mark.parametrize(("price", "expected"), [("104", []), ("105", ["104"])])
def test_cls_limit_looks_at_the_close_alone(
    price: str, expected: list[str], is_mirror: bool
) -> None:
    side, shape = Side.BUY, "100 105 90 104"
    if is_mirror:
        side, shape, price = Side.SELL, mirrored(shape), str(200 - D(price))
        expected = [str(200 - D(each)) for each in expected]
    exchange = opened()
    made = order(side, type=OrderType.LIMIT, limit_price=price, time_in_force=CLS)
    exchange.submit(made, START + DAY)
    reports = exchange.on_bar(bar(1, shape))
    assert prices(reports) == [D(each) for each in expected]
    assert reports[-1].update is (TradeUpdate.FILLED if expected else TradeUpdate.EXPIRED)


def test_cls_whose_last_bar_is_missing_expires() -> None:
    exchange = exchange_at("2024-01-03T15:00")
    exchange.submit(order(Side.BUY, time_in_force=CLS), utc("2024-01-03T15:30"))
    assert run(exchange, "2024-01-03T20:00") == []
    assert run(exchange, "2024-01-03T21:00") == ["expired 03 21:00"]


def test_cls_with_extended_hours_is_for_the_close_of_regular_hours() -> None:
    exchange = exchange_at("2024-01-03T20:00")
    made = order(Side.BUY, time_in_force=CLS, extended_hours=True)
    exchange.submit(made, utc("2024-01-03T20:30"))
    assert run(exchange, "2024-01-03T20:30") == ["filled 03 21:00"]


def test_cls_entry_leaves_its_bar_to_nobody() -> None:
    exchange = opened()
    made = order(Side.BUY, stop_loss="95", take_profit="108", time_in_force=CLS)
    exchange.submit(made, START + DAY)
    assert told(exchange.on_bar(bar(1, "100 110 90 100"))) == [
        ("buy", "filled", "100"),
        ("sell", "new", ""),
        ("sell", "new", ""),
    ]
    assert prices(exchange.on_bar(bar(2, "100 110 99 100"))) == [D(108)]
    assert exchange.notes.ambiguous_fills == 0


# Calendars by symbol.


def test_calendar_by_symbol_and_none_for_the_others() -> None:
    exchange = PaperExchange(calendar={"AAPL": NEW_YORK})
    sent = utc("2024-01-03T22:00")
    for symbol in ("AAPL", "BTC"):
        exchange.on_bar(half_hour("2024-01-03T21:30", symbol=symbol))
        made = Order(
            id=symbol, symbol=symbol, side=Side.BUY, quantity=D(1), time_in_force=TimeInForce.GTC
        )
        exchange.submit(made, sent)
    assert exchange.on_bar(half_hour("2024-01-03T22:00", symbol="AAPL")) == []
    assert len(exchange.on_bar(half_hour("2024-01-03T22:00", symbol="BTC"))) == 1


def test_day_of_a_zone_on_which_clocks_go_forward_is_a_whole_session() -> None:
    def lasting(hours: int) -> Bar:
        return Bar.make(
            "A",
            utc("2024-03-10T05:00"),
            open="1",
            high="1",
            low="1",
            close="1",
            period=timedelta(hours=hours),
        )

    hours = TradingHours(None)
    assert [hours.of(lasting(length)).is_whole for length in (22, 23, 24, 25)] == [
        False,
        True,
        True,
        True,
    ]
