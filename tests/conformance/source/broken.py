"""Vectors of what is no event: wrong types, payloads cut short, and far too much."""

# Tables to be read across; a line for each of their values would be pages.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

from conformance.forms import EVENTS, FORMS
from conformance.source.samples import PLAIN, TEXT_OF, accepted, put, refused
from conformance.vector import Vector

__all__ = ["malformed", "oversized", "truncated", "wrong_types"]


def wrong_types() -> Iterator[Vector]:
    """Values of another type than the field's."""
    for event in EVENTS:
        key = TEXT_OF[event]
        for name, text in [
            ("number", "12.5"),
            ("boolean", "true"),
            ("object", "{}"),
            ("list", '["AAPL"]'),
        ]:
            yield refused(
                event, "wrong_types", f"{name}_for_text", f"a {name} is no text",
                put(event, **{key: text}),
            )
        for name, text in [("list", "[]"), ("text", '"{}"'), ("number", "12"), ("boolean", "true")]:
            yield refused(
                event,
                "wrong_types",
                f"{name}_for_event",
                f"an event is an object, and no {name}",
                text,
            )
        if any(field.kind == "time" for field in FORMS[event]):
            for name, text in [
                ("number", "1704315600"),
                ("object", '{"seconds":1704315600}'),
                ("boolean", "true"),
                ("list", "[]"),
            ]:
                yield refused(
                    event, "wrong_types", f"{name}_for_time", f"a {name} is no time",
                    put(event, Timestamp=text),
                )
    for name, text in [
        ("number", "1"),
        ("text", '"true"'),
        ("word", "True"),
        ("object", "{}"),
        ("list", "[true]"),
    ]:
        yield refused(
            "OrderEvent", "wrong_types", f"{name}_for_boolean", f"a {name} is neither true nor false",
            put("OrderEvent", ExtendedHours=text),
        )
    for event, key in [("DataEvent", "Ohlc"), ("OrderEvent", "StopLoss"), ("DenialEvent", "Order")]:
        for name, text in [
            ("text", '"{}"'),
            ("list", "[]"),
            ("number", "0"),
            ("boolean", "false"),
        ]:
            yield refused(
                event, "wrong_types", f"{name}_for_object", f"a {name} is no object",
                put(event, **{key: text}),
            )
    yield refused(
        "DataEvent", "wrong_types", "number_in_the_bar", "prices are texts, so that none is rounded",
        put("DataEvent", Ohlc='{"Close":184.25}'),
    )
    yield refused(
        "OrderEvent", "wrong_types", "number_in_the_stop_loss", "prices are texts, so that none is rounded",
        put("OrderEvent", StopLoss='{"StopPrice":170}'),
    )
    yield refused(
        "OrderEvent", "wrong_types", "number_for_quantity", "quantities are texts, so that none is rounded",
        put("OrderEvent", Quantity="10"),
    )
    yield from _bytes()


def _bytes() -> Iterator[Vector]:
    plain = PLAIN["DeadLetterEvent"]
    yield accepted(
        "DeadLetterEvent", "wrong_types", "list_for_bytes", "Go takes a list of numbers for bytes",
        put("DeadLetterEvent", Data="[0,254,255]"), plain | {"Data": "AP7/"},
    )
    yield accepted(
        "DeadLetterEvent", "wrong_types", "base64_in_lines", "Go skips ends of lines within base64",
        put("DeadLetterEvent", Data=r'"AAH+\r\n/w=="'), plain | {"Data": "AAH+/w=="},
    )
    for name, why, text in [
        ("base64_for_the_web", "Go takes + and / alone, not - and _", '"AAH-_w=="'),
        ("base64_without_end", "Go wants the = at the end", '"AAH+/w"'),
        ("base64_with_space", "a space is none of base64", '"AAH+ /w=="'),
        ("text_for_bytes", "what is not base64 is refused", '"not base64"'),
        ("number_for_bytes", "a number is no bytes", "12"),
        ("object_for_bytes", "an object is no bytes", "{}"),
        ("list_with_too_much_for_bytes", "a byte ends with 255", "[256]"),
    ]:
        yield refused(
            "DeadLetterEvent", "wrong_types", name, why, put("DeadLetterEvent", Data=text)
        )


def truncated() -> Iterator[Vector]:
    """Payloads that end too early."""
    for event in EVENTS:
        whole = put(event)
        key = TEXT_OF[event]
        yield refused(event, "truncated", "to_nothing", "nothing is no event", b"")
        yield refused(
            event, "truncated", "last_byte", "an event without its last brace", whole[:-1]
        )
        yield refused(
            event, "truncated", "half", "an event cut in its middle", whole[: len(whole) // 2]
        )
        yield refused(
            event, "truncated", "in_a_key", "an event cut within a key",
            whole[: whole.index(f'"{key}"') + 3],
        )
        yield refused(
            event, "truncated", "in_a_text", "an event cut within a text",
            whole[: whole.index(f'"{key}":"') + len(key) + 6],
        )
    for name, why, text in [
        ("to_a_brace", "an event that has only begun", "{"),
        ("to_a_space", "white space alone is no event", " "),
        ("behind_a_key", "a key needs a value", '{"Symbol"'),
        ("behind_a_colon", "a key needs a value", '{"Symbol":'),
        ("behind_a_comma", "a comma promises more", '{"Symbol":"AAPL",'),
        ("in_an_escape", "an escape cut after its backslash", '{"Symbol":"AAPL\\'),
        ("in_a_character_escape", "an escape cut within its digits", '{"Symbol":"\\u00'),
        ("in_null", "a null that is not whole", '{"Symbol":nul'),
        ("in_unknown", "what nobody reads must be whole, too", '{"Symbol":"AAPL","Extra":[1,{'),
    ]:
        yield refused("SignalEvent", "truncated", name, why, text)
    yield refused(
        "SignalEvent", "truncated", "in_a_character", "an event cut within the bytes of a character",
        '{"Symbol":"日'.encode()[:-1],
    )
    yield refused(
        "DataEvent", "truncated", "in_the_bar", "a bar without its brace",
        '{"Symbol":"AAPL","Ohlc":{"Close":"184.25"}',
    )


def malformed() -> Iterator[Vector]:
    """Payloads that are whole and not JSON, or not UTF-8."""
    for event in EVENTS:
        whole = put(event)
        key = TEXT_OF[event]
        cut = whole.index(f'"{key}":"') + len(key) + 4
        yield refused(
            event, "malformed", "comma_at_the_end", "JSON has no comma before a brace",
            whole[:-1] + ",}",
        )
        yield refused(event, "malformed", "two_events", "a payload is one event", whole + whole)
        yield refused(
            event, "malformed", "bad_utf8", "a symbol that silently changed is another symbol",
            whole[:cut].encode() + b"\xff" + whole[cut:].encode(),
        )
    plain = put("SignalEvent")
    for name, why, text in [
        ("rest", "a payload ends with its event", plain + "x"),
        ("null_byte_behind", "a null byte is no white space", plain + "\x00"),
        ("vertical_tab", "a vertical tab is no white space of JSON", "\x0b" + plain),
        ("no_break_space", "a no-break space is no white space of JSON", "\u00a0" + plain),
        ("byte_order_mark", "JSON begins without a byte order mark", "\ufeff" + plain),
        ("single_quotes", "JSON has double quotes", plain.replace('"', "'")),
        ("bare_keys", "JSON has quotes around keys", '{Symbol:"AAPL"}'),
        ("comment", "JSON has no comments", plain.replace(",", ", /* a word */ ")),
        ("no_comma", "JSON has commas between members", '{"Symbol":"AAPL" "Signal":"x"}'),
        ("no_colon", "JSON has colons behind keys", '{"Symbol" "AAPL"}'),
        ("two_commas", "JSON has one comma between members", '{"Symbol":"AAPL",,"Signal":"x"}'),
        ("equals_sign", "JSON has colons behind keys", '{"Symbol"="AAPL"}'),
        ("number_key", "JSON has quotes around keys", '{1:"AAPL"}'),
        ("wrong_bracket", "brackets close as they opened", '{"Extra":[1}'),
        ("extra_brace", "a brace too many", plain + "}"),
        ("unknown_not_a_number", "NaN is not of JSON, even where nobody reads it", put("SignalEvent", ("Extra", "NaN"))),
        ("unknown_infinity", "Infinity is not of JSON", put("SignalEvent", ("Extra", "Infinity"))),
        ("unknown_leading_zero", "numbers of JSON begin without a zero", put("SignalEvent", ("Extra", "01"))),
        ("unknown_plus", "numbers of JSON begin without a plus", put("SignalEvent", ("Extra", "+1"))),
        ("unknown_bare_point", "numbers of JSON have digits on both sides of a point", put("SignalEvent", ("Extra", "1."))),
        ("unknown_hexadecimal", "numbers of JSON are decimal", put("SignalEvent", ("Extra", "0x10"))),
        ("unknown_word", "a word needs quotes", put("SignalEvent", ("Extra", "word"))),
        ("unknown_comma_in_list", "JSON has no comma before a bracket", put("SignalEvent", ("Extra", "[1,]"))),
    ]:
        yield refused("SignalEvent", "malformed", name, why, text)
    for name, why, data in [
        ("utf16", "the format is UTF-8", plain.encode("utf-16")),
        ("latin1", "the format is UTF-8", '{"Symbol":"Größer"}'.encode("latin-1")),
        ("overlong", "a character in more bytes than it needs is not UTF-8", b'{"Symbol":"\xc0\x80"}'),
        ("surrogate", "half of a surrogate pair in bytes is not UTF-8", b'{"Symbol":"\xed\xa0\x80"}'),
        ("beyond_unicode", "a character beyond U+10FFFF is not UTF-8", b'{"Symbol":"\xf4\x90\x80\x80"}'),
        ("bad_utf8_in_a_key", "keys are UTF-8, too", b'{"Symbol":"AAPL","\xff":1}'),
        ("bad_utf8_in_unknown", "what nobody reads is UTF-8, too", b'{"Symbol":"AAPL","Extra":"\x80"}'),
        ("protobuf", "protobuf's binary form is not JSON", b"\n\x04AAPL\x12\x14ingenium.signal.long"),
        ("gzip", "a compressed payload is not JSON", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
    ]:
        yield refused("SignalEvent", "malformed", name, why, data)


def oversized() -> Iterator[Vector]:
    """Payloads near the limits of readers: a million bytes, thousands of keys, deep nesting."""
    for event in EVENTS:
        key = TEXT_OF[event]
        text = "x" * 1_000_000
        yield accepted(
            event, "oversized", "long_text", "a text about as long as the default limit of NATS",
            put(event, **{key: f'"{text}"'}), PLAIN[event] | {key: text},
        )
    plain, value = put("SignalEvent"), PLAIN["SignalEvent"]

    def with_extra(name: str, why: str, text: str) -> Vector:
        payload = put("SignalEvent", ("Extra", text))
        return accepted("SignalEvent", "oversized", name, why, payload, value)

    yield with_extra(
        "long_unknown_text", "a million bytes that nobody reads", '"' + "x" * 1_000_000 + '"'
    )
    yield with_extra("long_unknown_number", "a number of ten thousand digits", "9" * 10_000)
    yield with_extra(
        "long_unknown_list", "a list of a hundred thousand", "[" + "0," * 100_000 + "0]"
    )
    yield accepted(
        "SignalEvent", "oversized", "long_key", "a key of a hundred thousand letters",
        put("SignalEvent", ("k" * 100_000, "0")), value,
    )
    yield accepted(
        "SignalEvent", "oversized", "much_space", "a million spaces before the event",
        " " * 1_000_000 + plain, value,
    )
    yield accepted(
        "SignalEvent", "oversized", "escaped_text", "a hundred thousand escapes in one text",
        put("SignalEvent", Symbol='"' + r"\u0041" * 100_000 + '"'), value | {"Symbol": "A" * 100_000},
    )
    yield accepted(
        "SignalEvent", "oversized", "many_keys", "a thousand unknown keys cost time and nothing else",
        put("SignalEvent", *((f"Extra{number}", "0") for number in range(1000))), value,
    )
    fraction = "0" * 10_000
    yield accepted(
        "OrderEvent", "oversized", "long_fraction", "a time with a fraction of ten thousand digits",
        put("OrderEvent", Timestamp=f'"2024-01-03T21:00:00.{fraction}Z"'), PLAIN["OrderEvent"],
    )
    for depth in (90, 1_000, 9_999):
        yield with_extra(
            f"{depth}_lists", f"{depth:,} lists within each other", "[" * depth + "]" * depth
        )
        yield with_extra(
            f"{depth}_objects", f"{depth:,} objects within each other",
            '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1),
        )
    for name, text in [
        ("lists", "[" * 10_000 + "]" * 10_000),
        ("objects", '{"a":' * 10_000 + "0" + "}" * 10_000),
    ]:
        yield refused(
            "SignalEvent", "oversized", f"10000_{name}_in_the_event",
            "ten thousand objects and lists may stand within each other, and no more",
            put("SignalEvent", ("Extra", text)),
        )
    yield refused(
        "SignalEvent", "oversized", "open_lists", "a hundred thousand brackets that never close",
        "[" * 100_000,
    )
