"""JSON Schemas of the strings of a message, by the options that the schemas give each.

A string field without an option ``format`` stops the generator, so that a new field gets one when
it is made.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]

from ingenium import events
from ingenium.events._options import field_option, message_option
from ingenium.ids import ID_LENGTH
from ingenium.subjects.names import MAX_SYMBOL_LENGTH
from ingenium.trading.numbers import WHOLE_DIGITS

__all__ = ["Format", "format_of"]

Format = dict[str, Any]
"""A JSON Schema."""

_UNSIGNED = rf"[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,28}})?"
_SIGNED = f"-?{_UNSIGNED}"


# Sums and products, which have as many digits as they need.
_EXACT = r"-?[0-9]+(\.[0-9]+)?"
_WEIGHT = r"(0(\.[0-9]{1,18})?|1(\.0{1,18})?)"


def _pattern(pattern: str, *, empty: bool = False) -> Format:
    return {"type": "string", "pattern": f"^({pattern})?$" if empty else f"^{pattern}$"}


def _decimal(pattern: str, *, empty: bool = False) -> Format:
    return {**_pattern(pattern, empty=empty), "format": "decimal"}


def _id(prefix: str) -> Format:
    return _pattern(f"{prefix}_[0-9A-Za-z]{{{ID_LENGTH}}}", empty=True)


def _one_of(words: type[StrEnum], *, empty: bool = False) -> Format:
    """Words of which a reader takes no other: an order with one is rejected."""
    return {"type": "string", "enum": [*words] + [""] * empty}


def _any_like(words: type[StrEnum]) -> Format:
    """Words beside which there may be others, which readers keep as they are."""
    return {"type": "string", "x-extensible-enum": [*words]}


_TEXT: Format = {"type": "string"}
_FORMATS: dict[str, tuple[Format, Format]] = {
    "text": (_TEXT, _TEXT),
    "name": (
        {"type": "string", "minLength": 1, "maxLength": MAX_SYMBOL_LENGTH},
        {"type": "string", "maxLength": MAX_SYMBOL_LENGTH},
    ),
    "reference": (_pattern(r"\S+"), _pattern(r"\S+", empty=True)),
    "price": (_decimal(_SIGNED), _decimal(_SIGNED, empty=True)),
    "quantity": (_decimal(_UNSIGNED), _decimal(_UNSIGNED, empty=True)),
    "money": (_decimal(_EXACT), _decimal(_EXACT, empty=True)),
    "weight": (_decimal(_WEIGHT), _decimal(_WEIGHT, empty=True)),
    "time": (
        {"type": "string", "format": "date-time"},
        {"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]},
    ),
    # Read in many forms, and of no stated length in any other.
    "period": ({**_TEXT, "examples": ["5m", "1d", "1Hour", "1h0m0s", "PT5M"]},) * 2,
    "count": (_pattern("[0-9]+"), _pattern("[0-9]+", empty=True)),
    "role": ({"type": "string", "enum": ["ingestor", "strategy", "portfolio", "executor"]},) * 2,
}
"""By the word of the option: where the string may not be empty, and where it may."""


def format_of(field: FieldDescriptor) -> Format:
    """Return the schema of a string.

    Raises:
        RuntimeError: The field has no format, or one that is unknown.
    """
    name = field_option(field, "format")
    empty = field_option(field, "may_be_empty")
    if name == "id":
        return _id(message_option(field.containing_type, "id_prefix"))
    if name == "words":
        words = getattr(events, field_option(field, "words"))
        is_open = field_option(field, "open_words")
        return _any_like(words) if is_open else _one_of(words, empty=empty)
    if name not in _FORMATS:
        raise RuntimeError(
            f"{field.full_name} has the format {name!r}: give it one of those in "
            "proto/ingenium/v1/options.proto"
        )
    return dict(_FORMATS[name][empty])
