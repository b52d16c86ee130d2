"""Vectors of what components send every day, and of what they may leave out or add."""

# Tables to be read across; a line for each of their values would be pages.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.forms import EVENTS, FORMS, ZERO_TIME
from conformance.source.samples import EXTENDED, PLAIN, accepted, put, texts
from conformance.vector import Vector

__all__ = ["extension", "minimal", "normal", "unknown", "zero_time"]

# What the later Go code's executions do not have.
_OURS = {"Side", "Commission", "LeavesQuantity", "Reason"}


def normal() -> Iterator[Vector]:
    """Events as they are sent."""
    for event in EVENTS:
        plain = PLAIN[event]
        yield accepted(
            event, "normal", "plain", "the documented fields, as most components send them",
            put(event), plain,
        )
        yield accepted(
            event, "normal", "other_order", "the order of keys means nothing in JSON",
            json.dumps(dict(reversed(plain.items())), separators=(",", ":")), plain,
        )
        yield accepted(
            event, "normal", "spaced", "a writer may put white space between the parts",
            "\r\n\t" + json.dumps(plain, indent=4) + " \n", plain,
        )
    for name, why, changes in [
        ("dotted_symbol", "a symbol with a dot keeps it", {"Symbol": "BRK.B"}),
        ("odd_symbol", "vendors' symbols hold = ^ / - and the like", {"Symbol": "^GSPC/EURUSD=X-1"}),
        ("lower_symbol", "the symbol keeps its case, whatever the subject does", {"Symbol": "aapl"}),
        ("timestamp_is_text", "Timestamp of data is text in the documented format, any text", {"Timestamp": "yesterday"}),
        ("no_time", "Timestamp of data may be empty", {"Timestamp": ""}),
    ]:
        value = PLAIN["DataEvent"] | changes
        yield accepted("DataEvent", "normal", name, why, json.dumps(value), value)
    for word in ("short", "flat"):
        value = {"Symbol": "AAPL", "Signal": f"ingenium.signal.{word}"}
        yield accepted(
            "SignalEvent", "normal", word, f"the signal {word}", json.dumps(value), value
        )
    yield from _orders()
    yield from _as_later_go()
    for name, why, changes in [
        ("no_symbol", "the original library's own executor names no symbol", {"Symbol": ""}),
        ("nothing_filled", "a report that fills nothing has an empty quantity, or 0", {"Quantity": "0"}),
    ]:
        value = PLAIN["ExecutionEvent"] | changes
        yield accepted("ExecutionEvent", "normal", name, why, json.dumps(value), value)
    for word in ("active", "reducing"):
        value = PLAIN["ControlEvent"] | {"State": word}
        yield accepted("ControlEvent", "normal", word, f"the state {word}", json.dumps(value), value)
    value = PLAIN["DeadLetterEvent"] | {"Data": "AAH+/w=="}
    yield accepted(
        "DeadLetterEvent", "normal", "binary_data", "the bytes of a dead letter may be any bytes",
        json.dumps(value), value,
    )


def _orders() -> Iterator[Vector]:
    orders: list[tuple[str, str, dict[str, Any]]] = [
        ("market", "an order at the market has no price", {"Type": "market", "LimitPrice": ""}),
        ("sell", "the side sell", {"Side": "sell"}),
        ("stop", "a stop order", {"Type": "stop", "LimitPrice": "", "StopPrice": "180"}),
        ("stop_limit", "a stop-limit order has both prices", {"Type": "stop_limit", "StopPrice": "180"}),
        ("trailing_amount", "a trailing stop by an amount", {"Type": "trailing_stop", "LimitPrice": "", "TrailPrice": "5"}),
        ("trailing_percent", "a trailing stop by percent", {"Type": "trailing_stop", "LimitPrice": "", "TrailPercent": "2.5"}),
        ("bracket", "a bracket sets take-profit and both prices of its stop-loss", {"TakeProfit": "200", "StopLoss": {"LimitPrice": "169.5", "StopPrice": "170"}}),
        ("stop_loss_at_market", "a stop-loss without a limit", {"StopLoss": {"LimitPrice": "", "StopPrice": "170"}}),
        ("extended_hours", "true, the only boolean of the format", {"ExtendedHours": True}),
    ]
    for name, why, changes in orders:
        value = PLAIN["OrderEvent"] | changes
        yield accepted("OrderEvent", "normal", name, why, json.dumps(value), value)
    for word in ("gtc", "ioc", "fok", "opg", "cls"):
        value = PLAIN["OrderEvent"] | {"TimeInForce": word}
        yield accepted(
            "OrderEvent", "normal", word, f"the time in force {word}", json.dumps(value), value
        )


def _as_later_go() -> Iterator[Vector]:
    why = "keys in the order of the later Go code, which writes id and time of every event first"
    for event in ("DataEvent", "SignalEvent", "OrderEvent", "ExecutionEvent"):
        value = PLAIN[event] | EXTENDED.get(event, {})
        if event == "SignalEvent":
            del value["Strength"]
        if event == "ExecutionEvent":
            value = {key: inner for key, inner in value.items() if key not in _OURS}
        ordered = {key: value[key] for key in ("Id", "Timestamp")} | value
        yield accepted(event, "normal", "as_later_go", why, json.dumps(ordered), value)


def minimal() -> Iterator[Vector]:
    """Events that leave out what they can."""
    for event in EVENTS:
        yield accepted(
            event,
            "minimal",
            "empty_object",
            "a key that is missing leaves the zero value",
            "{}",
            {},
        )
        yield accepted(
            event, "minimal", "spaced", "white space alone between the braces", " {\r\n\t} ", {}
        )
    data = {key: value for key, value in PLAIN["DataEvent"].items() if key != "Ohlc"}
    yield accepted(
        "DataEvent", "minimal", "no_bar", "data without a bar", json.dumps(data), data
    )
    yield accepted(
        "DataEvent", "minimal", "empty_bar", "a bar with nothing in it is a bar", put("DataEvent", Ohlc="{}"),
        PLAIN["DataEvent"] | {"Ohlc": {}},
    )
    yield accepted(
        "DataEvent", "minimal", "close_alone", "a bar that knows its close alone",
        put("DataEvent", Ohlc='{"Close":"184.25"}'), PLAIN["DataEvent"] | {"Ohlc": {"Close": "184.25"}},
    )
    yield accepted(
        "OrderEvent", "minimal", "empty_stop_loss", "a stop-loss with nothing in it is none",
        put("OrderEvent", StopLoss="{}"), PLAIN["OrderEvent"],
    )
    yield from _orders_of_denials()
    for event in ("OrderEvent", "ExecutionEvent"):
        value = {key: inner for key, inner in PLAIN[event].items() if key != "Timestamp"}
        yield accepted(
            event, "minimal", "no_time", "a documented time that is missing is unset",
            json.dumps(value), value,
        )


def _orders_of_denials() -> Iterator[Vector]:
    plain = PLAIN["DenialEvent"]
    yield accepted(
        "DenialEvent", "minimal", "empty_order", "an order with nothing in it is an order",
        put("DenialEvent", ("Order", "{}")), plain | {"Order": {}},
    )


def extension() -> Iterator[Vector]:
    """Fields that the documented format does not have."""
    for event, extra in EXTENDED.items():
        value = PLAIN[event] | extra
        yield accepted(
            event, "extension", "all", "every field that the format adds to the documented one",
            put(event, **texts(extra)), value,
        )
        for key, inner in extra.items():
            value = PLAIN[event] | {key: inner}
            yield accepted(
                event, "extension", f"only_{key.lower()}", "an extension needs no other one",
                put(event, **texts({key: inner})), value,
            )
            if isinstance(inner, str) and not key.endswith("Timestamp"):
                yield accepted(
                    event, "extension", f"empty_{key.lower()}", "empty is not the same as absent",
                    put(event, **{key: '""'}), PLAIN[event] | {key: ""},
                )
    for word in (
        "new",
        "accepted",
        "filled",
        "canceled",
        "rejected",
        "expired",
        "replaced",
        "held",
    ):
        yield accepted(
            "ExecutionEvent", "extension", f"update_{word}", f"the update {word}",
            put("ExecutionEvent", Update=f'"{word}"'), PLAIN["ExecutionEvent"] | {"Update": word},
        )


def unknown() -> Iterator[Vector]:
    """Keys and words that a reader does not know."""
    for event in EVENTS:
        for name, why, pair in [
            ("text", "a later version may add a field", ("Venue", '"XNAS"')),
            ("object", "what stands in an unknown object is not read, known key or not", ("Extra", '{"Symbol":"MSFT","Ohlc":null,"a":[{}]}')),
        ]:
            yield accepted(event, "unknown", name, why, put(event, pair), PLAIN[event])
    for event, pair in [
        ("OrderEvent", ("limit_price", '"1"')),
        ("CancelEvent", ("order_id", '"x"')),
        ("ReplaceEvent", ("order_id", '"x"')),
        ("ExecutionEvent", ("order_id", '"x"')),
    ]:
        yield accepted(
            event, "unknown", "schema_name", "keys are the Go names; the names of the schema are unknown ones",
            put(event, pair), PLAIN[event],
        )
    for name, why, text in [
        ("number", "an unknown value may be any number", "12.5e-3"),
        ("huge_number", "an unknown number need not fit into a float", "1e999"),
        ("long_number", "an unknown number may have more digits than any type holds", "9" * 60),
        ("boolean", "an unknown value may be a boolean", "true"),
        ("null", "an unknown value may be null", "null"),
        ("list", "an unknown value may be a list of anything", '[1,"a",null,[{"b":[]}]]'),
        ("empty_object", "an unknown value may be empty", "{}"),
    ]:
        yield accepted(
            "SignalEvent", "unknown", name, why, put("SignalEvent", ("Extra", text)),
            PLAIN["SignalEvent"],
        )
    for name, why, key in [
        ("empty_key", "a key may be empty", ""),
        ("key_with_space", "a key with a space behind it is another key", "Symbol "),
        ("dotted_key", "a key with dots is no path", "Ohlc.Open"),
        ("type_url_key", "@type means nothing here, though it does in protobuf's Any", "@type"),
        ("bracket_key", "a name in brackets means nothing here, though it does in protobuf", "[acme.v1.extra]"),
        ("prototype_key", "a key that JavaScript objects have already", "__proto__"),
        ("number_key", "the number of a field is no key", "2"),
    ]:
        yield accepted(
            "SignalEvent", "unknown", name, why, put("SignalEvent", (key, '"x"')),
            PLAIN["SignalEvent"],
        )
    yield accepted(
        "DataEvent", "unknown", "in_the_bar", "a later version may add a field to the bar",
        put("DataEvent", Ohlc='{"Close":"184.25","Vwap":"184.4","Trades":12}'),
        PLAIN["DataEvent"] | {"Ohlc": {"Close": "184.25"}},
    )
    yield accepted(
        "OrderEvent", "unknown", "in_the_stop_loss", "a later version may add a field to the stop-loss",
        put("OrderEvent", StopLoss='{"StopPrice":"170","Trail":true}'),
        PLAIN["OrderEvent"] | {"StopLoss": {"StopPrice": "170"}},
    )
    yield accepted(
        "DenialEvent", "unknown", "in_the_order", "a later version may add a field to the order",
        put("DenialEvent", ("Order", put("OrderEvent", ("Venue", '"XNAS"')))),
        PLAIN["DenialEvent"] | {"Order": PLAIN["OrderEvent"]},
    )
    for event, key, word in [
        ("DataEvent", "Type", "data.type.news"),
        ("SignalEvent", "Signal", "ingenium.signal.hold"),
        ("SignalEvent", "Signal", "LONG"),
        ("OrderEvent", "Type", "iceberg"),
        ("OrderEvent", "Side", "sell_short"),
        ("OrderEvent", "TimeInForce", "gtd"),
        ("ReplaceEvent", "TimeInForce", "gtd"),
        ("ExecutionEvent", "Update", "pending_new"),
        ("DenialEvent", "Reason", "max_margin"),
        ("ControlEvent", "State", "closing"),
        ("DeadLetterEvent", "Reason", "too_late"),
    ]:
        yield accepted(
            event, "unknown", f"word_{word.rsplit('.', 1)[-1].lower()}",
            "words are open: one that a reader does not know is kept as it is",
            put(event, **{key: f'"{word}"'}), PLAIN[event] | {key: word},
        )


def zero_time() -> Iterator[Vector]:
    """Go's zero time, which is how a Go struct says that a time was not set."""
    for event in EVENTS:
        if not any(field.key == "Timestamp" and field.kind == "time" and not field.extension for field in FORMS[event]):
            continue
        value = {key: inner for key, inner in PLAIN[event].items() if key != "Timestamp"}
        yield accepted(
            event, "zero_time", "documented", "Go's zero time reads as unset",
            put(event, Timestamp=f'"{ZERO_TIME}"'), value,
        )
    order = {key: inner for key, inner in PLAIN["OrderEvent"].items() if key != "Timestamp"}
    for name, why, text in [
        ("fraction", "a fraction of zeros changes nothing", "0001-01-01T00:00:00.000Z"),
        ("offset", "the same instant under another offset is the zero time, too", "0001-01-01T01:00:00+01:00"),
    ]:
        yield accepted(
            "OrderEvent", "zero_time", name, why, put("OrderEvent", Timestamp=f'"{text}"'), order
        )
    plain = PLAIN["DataEvent"]
    yield accepted(
        "DataEvent", "zero_time", "in_the_bar", "the later Go code writes it for a bar without a time",
        put("DataEvent", Ohlc=f'{{"Close":"184.25","Timestamp":"{ZERO_TIME}"}}'),
        plain | {"Ohlc": {"Close": "184.25"}},
    )
    yield accepted(
        "DataEvent", "zero_time", "is_text", "Timestamp of data is text, so it stays what it is",
        put("DataEvent", Timestamp=f'"{ZERO_TIME}"'), plain | {"Timestamp": ZERO_TIME},
    )
    yield accepted(
        "SignalEvent", "zero_time", "extension", "the later Go code writes it for an unset extension",
        put("SignalEvent", Timestamp=f'"{ZERO_TIME}"'), PLAIN["SignalEvent"],
    )
    yield accepted(
        "ExecutionEvent", "zero_time", "extension", "the later Go code writes it for an unset extension",
        put("ExecutionEvent", ExecutionTimestamp=f'"{ZERO_TIME}"'), PLAIN["ExecutionEvent"],
    )
    yield accepted(
        "ExecutionEvent", "zero_time", "as_later_go", "what the original library's own executor sends",
        put("ExecutionEvent", Symbol='""', ExecutionTimestamp=f'"{ZERO_TIME}"', Price='""', Update='""'),
        PLAIN["ExecutionEvent"] | {"Symbol": "", "Price": "", "Update": ""},
    )
