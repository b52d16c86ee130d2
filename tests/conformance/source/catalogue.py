"""All vectors, by class."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance.source.broken import malformed, oversized, truncated, wrong_types
from conformance.source.keys import key_case, nulls, repeated_keys
from conformance.source.ordinary import extension, minimal, normal, unknown, zero_time
from conformance.source.texts import decimals, escapes, unicode
from conformance.source.times import times
from conformance.vector import Vector

__all__ = ["GROUPS", "VERSION", "all_vectors"]

VERSION = 1
"""Version of the kit: raised with every release that adds vectors."""

GROUPS: dict[str, tuple[str, Callable[[], Iterator[Vector]]]] = {
    "normal": ("what components send every day", normal),
    "minimal": ("fields left out", minimal),
    "extension": ("fields that the documented format does not have", extension),
    "unknown": ("keys and words that a reader does not know", unknown),
    "unicode": ("characters beyond ASCII", unicode),
    "escapes": ("backslashes, right and wrong", escapes),
    "nulls": ("null in the place of values", nulls),
    "key_case": ("keys in another case", key_case),
    "repeated_keys": ("keys that stand twice", repeated_keys),
    "decimals": ("big and tiny decimals, which are texts", decimals),
    "times": ("nanoseconds, offsets, and what is no time", times),
    "zero_time": ("Go's zero time, which means unset", zero_time),
    "wrong_types": ("values of another type than the field's", wrong_types),
    "truncated": ("payloads that end too early", truncated),
    "malformed": ("whole payloads that are not JSON, or not UTF-8", malformed),
    "oversized": ("a million bytes, thousands of keys, deep nesting", oversized),
}
"""What each class is about, and the function that makes its vectors."""


def all_vectors() -> list[Vector]:
    """Return every vector of the kit, in the order of the file."""
    return [vector for _, make in GROUPS.values() for vector in make()]
