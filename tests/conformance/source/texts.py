"""Vectors of texts: any script, any escape, any decimal."""

# Tables to be read across; a line for each of their values would be pages.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.forms import EVENTS
from conformance.source.samples import PLAIN, TEXT_OF, accepted, put, refused
from conformance.vector import Vector

__all__ = ["decimals", "escapes", "unicode"]


def unicode() -> Iterator[Vector]:
    """Characters beyond ASCII, as bytes of UTF-8."""
    for event in EVENTS:
        text = "日経225 Größer \U0001f4c8"
        yield accepted(
            event, "unicode", "scripts", "text of any script, four-byte characters among it",
            put(event, **{TEXT_OF[event]: f'"{text}"'}), PLAIN[event] | {TEXT_OF[event]: text},
        )
    for name, why, text in [
        ("combining", "é of two characters is not made one", "e\u0301"),
        ("composed", "é of one character is not made two", "\u00e9"),
        ("right_to_left", "marks of direction are characters like others", "\u202e\u05d0\u200f"),
        ("byte_order_mark", "a byte order mark within a text stays", "\ufeffAAPL"),
        ("noncharacter", "U+FFFE and U+FFFF are valid in UTF-8", "\ufffe\uffff"),
        ("last_character", "the last character of Unicode", "\U0010ffff"),
        ("replacement", "U+FFFD that was sent is no error", "\ufffd"),
        ("separators", "line and paragraph separators may stand as they are in JSON", "\u2028\u2029"),
        ("delete", "DEL is no control character to JSON", "\x7f"),
        ("next_line", "C1 control characters are none to JSON", "\x80\x85"),
        ("html", "written with escapes, as Go does, and read without a difference", "<b>&</b>"),
        ("folding_letters", "letters that become others in another case", "ſKİı"),
        ("two_joined", "an emoji of several characters", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ]:
        yield accepted(
            "SignalEvent", "unicode", name, why, put("SignalEvent", Symbol=f'"{text}"'),
            PLAIN["SignalEvent"] | {"Symbol": text},
        )
    yield accepted(
        "SignalEvent", "unicode", "key", "a key of any script is an unknown key",
        put("SignalEvent", ("株式\U0001f4c8", '"x"')), PLAIN["SignalEvent"],
    )


def escapes() -> Iterator[Vector]:
    """Backslashes."""
    for event in EVENTS:
        key = TEXT_OF[event]
        text = 'a"b\\c/d\b\f\n\r\t\x00\x1f<'
        yield accepted(
            event, "escapes", "all", "every escape that JSON has",
            put(event, **{key: r'"a\"b\\c\/d\b\f\n\r\t\u0000\u001F\u003c"'}),
            PLAIN[event] | {key: text},
        )
    for name, why, text in [
        ("pair", "two escapes that are one character", r"\ud83d\udcc8"),
        ("pair_upper_case", "hexadecimal digits in upper case", r"\uD83D\uDCC8"),
        ("ascii", "a letter needs no escape and may have one", r"\u0041\u0041\u0050\u004C"),
        ("separators", "the escapes that Go writes", r"\u003c\u003e\u0026\u2028\u2029"),
        ("noncharacter", "an escaped noncharacter", r"\ufffe"),
        ("backslash_u", "an escaped backslash before a u is no escape of a character", r"\\u0041"),
    ]:
        yield accepted(
            "SignalEvent", "escapes", name, why, put("SignalEvent", Symbol=f'"{text}"'),
            PLAIN["SignalEvent"] | {"Symbol": json.loads(f'"{text}"')},
        )
    for name, why, text, value in [
        ("lone_high", "half of a surrogate pair reads as U+FFFD", r"\ud83d", "\ufffd"),
        ("lone_low", "the other half, too", r"\udcc8", "\ufffd"),
        ("swapped", "two halves in the wrong order are two errors", r"\udcc8\ud83d", "\ufffd\ufffd"),
        ("high_before_text", "what follows half of a pair is not lost", r"\ud83dAAPL", "\ufffdAAPL"),
        ("high_before_pair", "a whole pair behind half of one is whole", r"\ud83d\ud83d\udcc8", "\ufffd\U0001f4c8"),
    ]:
        yield accepted(
            "SignalEvent", "escapes", name, why, put("SignalEvent", Symbol=f'"{text}"'),
            PLAIN["SignalEvent"] | {"Symbol": value},
        )
    yield accepted(
        "OrderEvent", "escapes", "in_a_key", "a key with an escape in it is the same key",
        put("OrderEvent").replace('"Symbol"', r'"S\u0079mbol"'), PLAIN["OrderEvent"],
    )
    for name, why, text in [
        ("hex", r"\x is no escape of JSON", r"\x41"),
        ("quote", r"\' is no escape of JSON", r"\'"),
        ("short", "an escape of a character has four digits", r"\u41"),
        ("not_hex", "an escape of a character has hexadecimal digits", r"\u00g1"),
        ("brace", r"\u{...} is no escape of JSON", r"\u{41}"),
        ("raw_tab", "control characters need an escape", "\t"),
        ("raw_new_line", "control characters need an escape", "a\nb"),
        ("raw_null", "control characters need an escape", "\x00"),
    ]:
        yield refused(
            "SignalEvent", "escapes", f"bad_{name}", why, put("SignalEvent", Symbol=f'"{text}"')
        )


def decimals() -> Iterator[Vector]:
    """Prices and quantities: texts, so that no reader rounds them."""
    for name, why, text in [
        ("tiny", "more digits than a float holds, below 1", "0.000000000000000000000000000001"),
        ("big", "more digits than a float holds, above 1", "123456789012345678901234567890.123456789"),
        ("beyond_float", "a decimal that no float holds at all", "1" + "0" * 400),
        ("trailing_zeros", "zeros at the end are kept", "184.2500"),
        ("leading_zeros", "zeros before it are kept", "000184.25"),
        ("negative", "a sign is kept", "-0.5"),
        ("negative_zero", "zero keeps its sign", "-0"),
        ("exponent", "the format writes none, and a reader of JSON keeps what it gets", "1e-5"),
        ("not_a_number", "what the text means is for the reader of the event", "NaN"),
        ("comma", "what the text means is for the reader of the event", "184,25"),
        ("spaces", "spaces within the quotes are kept", " 184.25 "),
        ("float_noise", "digits that a float would add or take", "0.1000000000000000055511151231257827"),
    ]:
        yield accepted(
            "OrderEvent", "decimals", name, why, put("OrderEvent", LimitPrice=f'"{text}"'),
            PLAIN["OrderEvent"] | {"LimitPrice": text},
        )
    bar = {
        "Open": "0.00000001",
        "High": "1000000000",
        "Low": "0.00000001",
        "Close": "999999999.99999999",
        "Volume": "18446744073709551616",
    }
    yield accepted(
        "DataEvent", "decimals", "bar", "prices of 1e-8 and 1e9, and a volume beyond 64 bits",
        put("DataEvent", Ohlc=json.dumps(bar)), PLAIN["DataEvent"] | {"Ohlc": bar},
    )
    for event, key in [
        ("SignalEvent", "Strength"),
        ("ReplaceEvent", "Quantity"),
        ("ExecutionEvent", "Quantity"),
        ("ExecutionEvent", "Commission"),
    ]:
        text = "0.333333333333333333333333333333"
        yield accepted(
            event, "decimals", f"long_{key.lower()}", "more digits than a float holds",
            put(event, **{key: f'"{text}"'}), PLAIN[event] | {key: text},
        )
