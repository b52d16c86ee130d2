"""JSON templates, for code that writes many similar events without creating them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ingenium.events._schema import Kind, Schema, schema_of
from ingenium.events._text import escape

__all__ = ["line_template"]

_HOLE = None


def line_template(cls: type[Any], fixed: Mapping[str, str], varying: Sequence[str]) -> list[str]:
    """Return the JSON of events of one type as pieces, as `encode` writes them.

    Args:
        cls: The event class.
        fixed: Values common to all of the events, by field; ``"ohlc.period"`` for a field of a
            nested message.
        varying: Fields whose values differ, in schema order: strings and times, whose texts need no
            escape in JSON.

    Returns:
        Pieces that give the JSON when joined. Each second one, from the second on, is empty: the
        placeholder for the value of the next field of ``varying``.

    Raises:
        ValueError: A field is unknown, is always written but not named, or is out of order.
    """
    unknown = {*fixed, *varying}
    parts = _object(schema_of(cls), "", fixed, varying, unknown)
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {min(unknown)}")
    pieces = [""]
    names: list[str] = []
    for text, name in parts:
        pieces[-1] += text
        if name is not _HOLE:
            names.append(name)
            pieces += ["", ""]
    if names != list(varying):
        raise ValueError(f"the order of {cls.__name__} is {', '.join(names)}: name fields in it")
    return pieces


_Parts = list[tuple[str, str | None]]
"""Texts, each with the name of the field whose value follows."""


def _object(
    schema: Schema, above: str, fixed: Mapping[str, str], varying: Sequence[str], unknown: set[str]
) -> _Parts:
    parts: _Parts = []
    before = "{"
    for field in schema.fields:
        name = above + field.name
        is_named = name in fixed or name in varying
        inner = [each for each in (*fixed, *varying) if each.startswith(f"{name}.")]
        if not is_named and not inner:
            if field.optional and not field.written_when_unset:
                continue
            raise ValueError(f"{schema.name} always writes {name}: name it")
        key = f'{before}"{field.key}":'
        before = ","
        if field.message is not None:
            parts.append((key, _HOLE))
            parts += _object(field.message, f"{name}.", fixed, varying, unknown)
            continue
        if field.kind not in (Kind.STRING, Kind.TIME) or field.repeated:
            raise ValueError(f"{name} is neither a string nor a time")
        unknown.discard(name)
        if name in fixed:
            parts.append((f'{key}"{escape(fixed[name])}"', _HOLE))
        else:
            parts += [(f'{key}"', name), ('"', _HOLE)]
    parts.append(("}", _HOLE))
    return parts
