"""Vectors of keys and nulls: in another case, twice, with nothing in them."""

# Tables to be read across; a line for each of their values would be pages.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.forms import EVENTS
from conformance.source.samples import PLAIN, TEXT_OF, accepted, join, put, refused, texts
from conformance.vector import Vector

__all__ = ["key_case", "nulls", "repeated_keys"]

# Those that move money, or stop it.
MONEY = ("OrderEvent", "CancelEvent", "ReplaceEvent", "ExecutionEvent", "ControlEvent")


def nulls() -> Iterator[Vector]:
    """Null, which leaves what is there."""
    for event in EVENTS:
        yield accepted(
            event, "nulls", "document", "null in the place of the event leaves it empty", "null", {}
        )
        yield accepted(
            event, "nulls", "every_field", "null leaves the zero value of every field",
            join(*((key, "null") for key in PLAIN[event])), {},
        )
        key = TEXT_OF[event]
        yield accepted(
            event, "nulls", "behind_a_value", "null leaves what came before it",
            put(event, (key, "null")), PLAIN[event],
        )
    for event, keys in [
        ("DataEvent", ("Id",)),
        ("DenialEvent", ("Order",)),
        ("DeadLetterEvent", ("Stream", "StreamSequence", "ContentType")),
        ("SignalEvent", ("Id", "Timestamp", "Strength")),
        ("ExecutionEvent", ("ExecutionTimestamp", "Price", "Update", "Side", "Commission", "LeavesQuantity", "Reason")),
    ]:
        yield accepted(
            event, "nulls", "extensions", "null leaves an extension unset",
            put(event, *((key, "null") for key in keys)), PLAIN[event],
        )
    yield accepted(
        "DataEvent", "nulls", "in_the_bar", "null leaves the fields of a bar empty",
        put("DataEvent", Ohlc='{"Open":null,"Close":"184.25","Period":null,"Timestamp":null}'),
        PLAIN["DataEvent"] | {"Ohlc": {"Close": "184.25"}},
    )
    yield accepted(
        "OrderEvent", "nulls", "in_the_stop_loss", "null leaves the fields of a stop-loss empty",
        put("OrderEvent", StopLoss='{"LimitPrice":null,"StopPrice":"170"}'),
        PLAIN["OrderEvent"] | {"StopLoss": {"StopPrice": "170"}},
    )
    yield accepted(
        "OrderEvent", "nulls", "time_behind_a_time", "null leaves the time that came before it",
        put("OrderEvent", ("Timestamp", "null")), PLAIN["OrderEvent"],
    )
    yield accepted(
        "DataEvent", "nulls", "bar_behind_a_bar", "null leaves the bar that came before it",
        put("DataEvent", ("Ohlc", "null")), PLAIN["DataEvent"],
    )
    yield accepted(
        "DeadLetterEvent", "nulls", "bytes_behind_bytes", "null empties bytes, as it does in Go",
        put("DeadLetterEvent", ("Data", "null")), PLAIN["DeadLetterEvent"] | {"Data": ""},
    )
    for text in ("Null", "NULL", "nil", "None", "undefined"):
        yield refused(
            "SignalEvent", "nulls", f"not_{text}", "null has one spelling",
            put("SignalEvent", Symbol=text),
        )


def key_case() -> Iterator[Vector]:
    """Keys match in any case, as they do in Go."""
    for event in EVENTS:
        plain = texts(PLAIN[event])
        for name, why, change in [
            ("lower", "keys in lower case match", str.lower),
            ("upper", "keys in upper case match", str.upper),
            ("camel", "keys as JavaScript would spell them match", lambda key: key[0].lower() + key[1:]),
        ]:
            yield accepted(
                event, "key_case", name, why,
                join(*((change(key), text) for key, text in plain.items())), PLAIN[event],
            )
    yield accepted(
        "DataEvent", "key_case", "in_the_bar", "keys of a bar match in any case",
        put("DataEvent", Ohlc='{"open":"1","HIGH":"2","lOw":"0.5","close":"1.5","VOLUME":"7"}'),
        PLAIN["DataEvent"]
        | {"Ohlc": {"Open": "1", "High": "2", "Low": "0.5", "Close": "1.5", "Volume": "7"}},
    )
    yield accepted(
        "OrderEvent", "key_case", "in_the_stop_loss", "keys of a stop-loss match in any case",
        put("OrderEvent", StopLoss='{"stopprice":"170","LIMITPRICE":"169.5"}'),
        PLAIN["OrderEvent"] | {"StopLoss": {"StopPrice": "170", "LimitPrice": "169.5"}},
    )
    yield accepted(
        "SignalEvent", "key_case", "long_s", "to Go the letter ſ is an s",
        put("SignalEvent").replace('"Symbol"', '"ſymbol"'), PLAIN["SignalEvent"],
    )
    for event in ("DataEvent", "SignalEvent", "DenialEvent", "DeadLetterEvent"):
        key = TEXT_OF[event]
        yield accepted(
            event, "key_case", "two_spellings", "of a key in two spellings the last one counts",
            put(event, (key.lower(), '"last"')), PLAIN[event] | {key: "last"},
        )
    for event in MONEY:
        key = TEXT_OF[event]
        yield refused(
            event, "key_case", "two_spellings",
            "readers take different ones of two spellings, and money moves",
            put(event, (key.lower(), '"MSFT"')),
        )
        yield refused(
            event, "key_case", "two_spellings_alike",
            "two spellings are refused even where their values agree",
            put(event, (key.lower(), texts(PLAIN[event])[key])),
        )
    yield refused(
        "OrderEvent", "key_case", "two_spellings_in_the_stop_loss",
        "the stop-loss of an order is money, too",
        put("OrderEvent", StopLoss='{"StopPrice":"170","stopprice":"17"}'),
    )


def repeated_keys() -> Iterator[Vector]:
    """A key that stands twice in one spelling."""
    for event in EVENTS:
        key = TEXT_OF[event]
        yield accepted(
            event, "repeated_keys", "last_counts", "of a key that stands twice the last one counts",
            put(event, (key, '"last"')), PLAIN[event] | {key: "last"},
        )
        yield accepted(
            event, "repeated_keys", "unknown", "an unknown key may stand twice",
            put(event, ("Extra", "1"), ("Extra", '"2"')), PLAIN[event],
        )
        yield refused(
            event, "repeated_keys", "first_is_wrong", "a value that does not count must be right, too",
            join((key, "12"), *texts(PLAIN[event]).items()),
        )
    yield accepted(
        "SignalEvent", "repeated_keys", "through_an_escape", "an escape does not make another key",
        put("SignalEvent", (r"\u0053ymbol", '"last"')), PLAIN["SignalEvent"] | {"Symbol": "last"},
    )
    yield accepted(
        "DataEvent", "repeated_keys", "bar_adds_to_bar", "a second object adds to the first",
        put("DataEvent", ("Ohlc", '{"Close":"185","Period":"1d"}')),
        PLAIN["DataEvent"]
        | {"Ohlc": PLAIN["DataEvent"]["Ohlc"] | {"Close": "185", "Period": "1d"}},
    )
    yield accepted(
        "DataEvent", "repeated_keys", "in_the_bar", "within the bar the last one counts, too",
        put("DataEvent", Ohlc='{"Close":"1","Close":"2"}'),
        PLAIN["DataEvent"] | {"Ohlc": {"Close": "2"}},
    )
    yield accepted(
        "OrderEvent", "repeated_keys", "stop_loss_adds_to_stop_loss", "a second object adds to the first",
        put("OrderEvent", StopLoss='{"StopPrice":"170"}').removesuffix("}")
        + ',"StopLoss":{"LimitPrice":"169.5"}}',
        PLAIN["OrderEvent"] | {"StopLoss": {"StopPrice": "170", "LimitPrice": "169.5"}},
    )
    yield accepted(
        "OrderEvent", "repeated_keys", "time", "of two times the last one counts",
        put("OrderEvent", ("Timestamp", json.dumps("2024-01-04T00:00:00Z"))),
        PLAIN["OrderEvent"] | {"Timestamp": "2024-01-04T00:00:00Z"},
    )
