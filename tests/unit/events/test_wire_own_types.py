"""The codec on messages that are not the package's, as a user's own `buf generate` makes them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, cast

import pytest
from support.wire_own_types import QUOTE, Lasting, Level, LoudQuote, Quote, Tree

from ingenium.errors import DecodeError, EncodeError
from ingenium.events import decode, encode


@pytest.mark.parametrize("tag", ["<b>", "b"], ids=["slow path", "fast path"])
def test_every_kind_of_field_is_written_and_read(tag: str) -> None:
    quote = replace(QUOTE, tags=["", tag, "é"])
    payload = encode(quote)
    assert json.loads(payload) == {
        "Venue": "XNAS",
        "Levels": [
            {"Price": 184.25, "Size": "300"},
            {"Price": 0.1, "Size": "-9223372036854775808"},
        ],
        "Tags": ["", tag, "é"],
        "Times": ["2024-01-03T12:00:00Z", "2024-01-03T12:00:00.00001Z"],
        "Best": {"Price": 1e-7, "Size": "9223372036854775807"},
        "Sequence": "18446744073709551615",
        "Change": -2147483648,
        "Ratio": 0.5,
        "Raw": "AP8=",
        "Firm": True,
    }
    assert decode(Quote, payload) == quote


def test_empty_message_has_all_keys_but_the_optional_one() -> None:
    payload = encode(Quote())
    assert list(json.loads(payload)) == [
        "Venue", "Levels", "Tags", "Times", "Sequence", "Change", "Ratio", "Raw", "Firm",
    ]  # fmt: skip
    assert decode(Quote, payload) == Quote()
    assert decode(Quote, b"{}") == Quote()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (100.0, "100"),
        (123.456, "123.456"),
        (1e-6, "0.000001"),
        (9.5e-7, "9.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (-12.5, "-12.5"),
    ],
)
def test_number_is_written_as_go_writes_it(value: float, text: str) -> None:
    payload = encode(Level(price=value))
    assert payload == f'{{"Price":{text},"Size":"0"}}'.encode()
    again = decode(Level, payload).price
    assert (again, math.copysign(1, again)) == (value, math.copysign(1, value))


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (16777216.0, "16777216"), (1e-6, "0.000001")]
)
def test_number_of_single_precision_is_written_with_its_own_digits(value: float, text: str) -> None:
    payload = encode(Quote(ratio=value))
    assert f'"Ratio":{text},'.encode() in payload
    assert decode(Quote, payload).ratio == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", True, None])
def test_number_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError, match=r"Level\.Price: expected a "):
        encode(Level(price=value))


def test_item_of_a_list_is_named_in_the_error() -> None:
    with pytest.raises(EncodeError, match=r"Quote\.Levels\[1\]\.Size: expected a whole number"):
        encode(Quote(levels=[Level(), Level(size=2**63)]))
    with pytest.raises(EncodeError, match=r"Quote\.Tags\[0\]: expected a string, found 5"):
        encode(Quote(tags=cast("list[str]", [5])))
    with pytest.raises(DecodeError, match=r"Quote\.Levels\[1\]\.Price: expected a number, found"):
        decode(Quote, b'{"Levels":[{},{"Price":"1"}]}')


def test_whole_number_of_64_bits_is_read_as_string_and_as_number() -> None:
    assert decode(Level, b'{"Price":1,"Size":"-5"}').size == -5
    assert decode(Level, b'{"Price":1,"Size":-5}').size == -5
    for text in (b'"9223372036854775808"', b"9223372036854775808", b'"5x"', b"5.0", b'""', b"true"):
        with pytest.raises(DecodeError, match="Size: expected a whole number"):
            decode(Level, b'{"Price":1,"Size":' + text + b"}")


@pytest.mark.parametrize("text", [b"-0", b"1.0", b"1e2", b"2147483648", b'"1"', b"null"])
def test_whole_number_is_read_as_go_reads_it(text: bytes) -> None:
    payload = encode(Quote()).replace(b'"Change":0', b'"Change":' + text)
    if text in (b"-0", b"null"):
        assert decode(Quote, payload).change == 0
    else:
        with pytest.raises(DecodeError, match="Change"):
            decode(Quote, payload)


def test_repeated_list_goes_over_the_items_of_the_first() -> None:
    payload = (
        b'{"Levels":[{"Price":1},{"Price":2}],"Levels":[{"Size":3},null,{}],"Tags":["a",null]}'
    )
    quote = decode(Quote, payload)
    assert quote.levels == [Level(price=1, size=3), Level(price=2), Level()]
    assert quote.tags == ["a", ""]
    assert decode(Quote, b'{"Tags":["a"],"Tags":null}').tags == []


def test_message_that_holds_itself_is_written_and_read() -> None:
    tree = Tree(name="a", branches=[Tree(name="b", branches=[Tree(name="c")]), Tree(name="d")])
    assert decode(Tree, encode(tree)) == tree


def test_message_that_nests_without_end_is_refused_not_a_crash() -> None:
    with pytest.raises(DecodeError, match="nests too deeply"):
        decode(Tree, b'{"Branches":[' * 4_000 + b"]}" * 4_000)
    tree = Tree()
    tree.branches.append(tree)
    with pytest.raises(EncodeError, match="nests too deeply"):
        encode(tree)


def test_class_that_does_something_of_its_own_is_made_by_its_own_constructor() -> None:
    quote = decode(LoudQuote, encode(Quote(venue="xnas")))
    assert type(quote) is LoudQuote
    assert quote.venue == "XNAS"


def test_type_without_a_rule_is_refused_with_the_field_and_the_cure() -> None:
    text = (
        r"Lasting\.Span: the wire format has no rule for the type google\.protobuf\.Duration: use"
    )
    with pytest.raises(EncodeError, match=text):
        encode(Lasting())
    with pytest.raises(DecodeError, match=text):
        decode(Lasting, b"{}")
