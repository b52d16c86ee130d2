"""Holds a runner's answer against a vector."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any

from conformance.forms import FORMS, ZERO_TIME
from conformance.roster import Answer, Runner
from conformance.vector import Vector
from google.protobuf import message_factory  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

import ingenium.events

__all__ = ["OUTCOMES", "difference"]

OUTCOMES = ("refuses", "accepts", "reads", "writes")
"""Ways to differ that the table may have: it refuses what is right, accepts what is wrong, reads
another value, or reads the right one and writes it in another way. The first that holds counts."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def difference(runner: Runner, vector: Vector, answer: Answer) -> tuple[str, str] | None:
    """Say how an answer differs from what a vector expects.

    JSON is compared by its values: order of keys, spaces, escapes, and a time's offset and digits
    do not count, unless the runner is to be exact.

    Args:
        runner: Whose answer it is.
        vector: The vector.
        answer: What the runner made of it.

    Returns:
        The outcome, one of `OUTCOMES` or the verdict where it is none, and what it is about in
        words; ``None`` when there is no difference.
    """
    if answer.verdict not in {"accepted", "refused"}:
        return answer.verdict, "a verdict that is neither accepted nor refused"
    if answer.verdict == "refused":
        return ("refuses", answer.error) if vector.accepted else None
    if not vector.accepted:
        return "accepts", "accepted"
    if answer.binary is not None:
        try:
            value = _value_of(vector.event, answer.binary)
        except DecodeError as error:
            return "reads", f"bytes that are no {vector.event}: {error}"
        if value != vector.value:
            return "reads", _changes(vector.value, value)
    if answer.json is None:
        return "writes", f"nothing: {answer.error}"
    assert vector.json is not None
    wanted = _normal(vector.event, json.loads(vector.json))
    try:
        written = _normal(vector.event, json.loads(answer.json, object_pairs_hook=_once))
    except ValueError as error:
        return "writes", f"no JSON: {error}"
    if runner.no_presence:
        written = _without_empty_extensions(vector.event, written, wanted)
    if written != wanted:
        return "writes", _changes(wanted, written)
    if runner.exact and answer.json != vector.json.encode():
        return "writes", f"other bytes: {_short(answer.json.decode())}"
    return None


def _value_of(event: str, binary: bytes) -> dict[str, Any]:
    """Return the value in a protobuf message, in the form of the vectors."""
    descriptor = getattr(ingenium.events, event).DESCRIPTOR
    message = message_factory.GetMessageClass(descriptor)()
    message.ParseFromString(binary)
    return _shown(event, message)


def _shown(form: str, message: Any) -> dict[str, Any]:
    names = {field.json_name: field for field in message.DESCRIPTOR.fields}
    value: dict[str, Any] = {}
    for field in FORMS[form]:
        of_schema = names[field.key]
        inner = getattr(message, of_schema.name)
        if field.kind in FORMS:
            if message.HasField(of_schema.name) or not field.extension:
                value[field.key] = _shown(field.kind, inner)
        elif not of_schema.has_presence or message.HasField(of_schema.name):
            if field.kind == "time":
                value[field.key] = _time(inner.seconds, inner.nanos)
            else:
                value[field.key] = (
                    base64.b64encode(inner).decode() if field.kind == "bytes" else inner
                )
    return value


def _time(seconds: int, nanos: int) -> str:
    """Return a time in UTC, its fraction without zeros at the end."""
    days, rest = divmod(seconds, 86_400)
    try:
        date = datetime.fromordinal(days + 719_163).strftime("%Y-%m-%d").rjust(10, "0")
    except (ValueError, OverflowError):
        return f"{seconds} s from 1970"
    fraction = f".{nanos:09}".rstrip("0") if nanos else ""
    return f"{date}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}{fraction}Z"


def _normal(form: str, event: Any) -> Any:
    """Return an event of JSON with its times in UTC."""
    if not isinstance(event, dict):
        return event
    kinds = {field.key: field.kind for field in FORMS[form]}
    normal = {}
    for key, inner in event.items():
        kind = kinds.get(key, "")
        if kind in FORMS:
            normal[key] = _normal(kind, inner)
        elif kind == "time" and isinstance(inner, str):
            normal[key] = _instant(inner)
        else:
            normal[key] = inner
    return normal


def _without_empty_extensions(form: str, written: Any, wanted: Any) -> Any:
    """Leave out what a struct writes since it cannot leave it out."""
    if not isinstance(written, dict) or not isinstance(wanted, dict):
        return written
    kept = {}
    fields = {field.key: field for field in FORMS[form]}
    for key, inner in written.items():
        field = fields.get(key)
        empty = field and field.extension and inner in ("", ZERO_TIME) and key not in wanted
        if field and field.kind in FORMS:
            kept[key] = _without_empty_extensions(field.kind, inner, wanted.get(key))
        elif not empty:
            kept[key] = inner
    return kept


def _instant(text: str) -> str:
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    local = datetime.fromisoformat(found[1] + found[3])
    offset = local.utcoffset()
    assert offset is not None
    seconds = (local.toordinal() - 719_163) * 86_400 + local.hour * 3600 + local.minute * 60
    seconds += local.second - int(offset.total_seconds())
    return _time(seconds, int((found[2] or "").ljust(9, "0")))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    event = dict(pairs)
    if len(event) < len(pairs):
        raise ValueError("a key stands twice")
    return event


def _changes(wanted: Any, found: Any) -> str:
    """Say which keys hold something else."""
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return f"{_short(wanted)} is {_short(found)}"
    changes = []
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        if key not in found:
            changes.append(f"no {key}")
        elif key not in wanted:
            changes.append(f"{key} {_short(found[key])}")
        elif wanted[key] != found[key]:
            inner = isinstance(wanted[key], dict) and isinstance(found[key], dict)
            more = _changes(wanted[key], found[key]) if inner else _short(found[key])
            changes.append(f"{key} {more}")
    return ", ".join(changes)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]}..."
