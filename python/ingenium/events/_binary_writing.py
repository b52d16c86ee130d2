"""Write events in protobuf's binary form, through messages of google.protobuf.

betterproto2 writes the same bytes over twenty times slower: its encoder is Python, and that of
google.protobuf is C. For each type a function is generated that checks an event's values and copies
them into such a message. An event is declined when a value is not exactly of the schema's type; it
is then converted through JSON, so that both forms accept and refuse the same values.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf import message_factory  # type: ignore[import-untyped]
from google.protobuf.message import (  # type: ignore[import-untyped]
    EncodeError as SerializeError,
)

from ingenium.errors import EncodeError
from ingenium.events._declining import DeclineError, decline, text
from ingenium.events._reading import read
from ingenium.events._schema import Field, Kind, Schema
from ingenium.events._text import float_text
from ingenium.events._writing import write

__all__ = ["EPOCH", "compile_binary_writer", "member"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799


def compile_binary_writer(schema: Schema) -> Callable[[Any], bytes]:
    """Return the function that writes events of one type.

    Returns:
        A function from an event to its bytes; it raises ``EncodeError``.
    """
    new = message_factory.GetMessageClass(schema.cls.DESCRIPTOR)
    fill = _Fillers().filler(schema)

    def write_event(event: Any) -> bytes:
        try:
            message = new()
            fill(event, message)
        except (DeclineError, TypeError, ValueError, OverflowError, RecursionError):
            # Refused with a precise error, or converted to the schema's type.
            event = read(schema, write(schema, event))
            message = new()
            fill(event, message)
        try:
            payload: bytes = message.SerializeToString()
        except (SerializeError, ValueError) as error:
            raise EncodeError(schema.name, "", f"protobuf cannot write it: {error}") from None
        return payload

    return write_event


def member(message: str, name: str) -> str:
    """Return the source for access to a field, whose name may be a Python keyword."""
    return f"getattr({message}, {name!r})" if keyword.iskeyword(name) else f"{message}.{name}"


class _Fillers:
    """Generates a function for each type of message, from an event into a protobuf message."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "EPOCH": EPOCH,
            "datetime": datetime,
            "decline": decline,
            "put_time": _put_time,
            "text": text,
            "number": _number,
            "single": _single,
        }
        self._fillers: dict[int, str] = {}

    def filler(self, schema: Schema) -> Callable[[Any, Any], None]:
        """Return the function for messages of one type."""
        function: Callable[[Any, Any], None] = self._names[self._filler(schema)]
        return function

    def _filler(self, schema: Schema) -> str:
        known = self._fillers.get(id(schema))
        if known is not None:
            return known
        # Registered before its fields are processed, for recursive messages.
        name = self._fillers[id(schema)] = f"fill{len(self._fillers)}"
        lines = []
        for field, described in zip(schema.fields, schema.cls.DESCRIPTOR.fields, strict=True):
            lines += [f"value = event.{field.name}", *self._field(field, described.name)]
        source = [f"def {name}(event, message):", *lines, "return"]
        # The source contains no external text: attribute names come from generated classes.
        exec("\n    ".join(source), self._names)  # noqa: S102
        return name

    def _field(self, field: Field, name: str) -> list[str]:
        target = member("message", name)
        if field.repeated:
            return self._list(field, target)
        if field.kind is Kind.MESSAGE:
            lines = [
                *self._check(field, "value"),
                f"{target}.SetInParent()",
                f"{self._nested(field)}(value, {target})",
            ]
        elif field.kind is Kind.TIME:
            lines = [f"put_time(value, {target})"]
        else:
            assign = (
                f"setattr(message, {name!r}, value)"
                if keyword.iskeyword(name)
                else f"{target} = value"
            )
            # An empty field without presence is not written.
            lines = [
                *_check_lines(field, "value"),
                assign if field.optional or field.kind is Kind.DOUBLE else f"if value: {assign}",
            ]
        if not field.optional:
            return lines
        return ["if value is not None:", *[f"    {line}" for line in lines]]

    def _list(self, field: Field, target: str) -> list[str]:
        lines = ["if type(value) is not list: decline()"]
        if field.kind is Kind.MESSAGE:
            each = [*self._check(field, "item"), f"{self._nested(field)}(item, {target}.add())"]
        elif field.kind is Kind.TIME:
            each = [f"put_time(item, {target}.add())"]
        else:
            each = [*_check_lines(field, "item"), f"{target}.append(item)"]
        return [*lines, "for item in value:", *[f"    {line}" for line in each]]

    def _nested(self, field: Field) -> str:
        if field.message is None:
            raise AssertionError(f"{field.name} is not a message")
        return self._filler(field.message)

    def _check(self, field: Field, variable: str) -> list[str]:
        if field.message is None:
            raise AssertionError(f"{field.name} is not a message")
        name = f"class_{self._nested(field)}"
        self._names[name] = field.message.cls
        return [f"if type({variable}) is not {name}: decline()"]


def _check_lines(field: Field, variable: str) -> list[str]:
    """Return the source that checks a value; protobuf itself checks the ranges of numbers."""
    match field.kind:
        case Kind.STRING:
            return [f"if type({variable}) is not str: {variable} = text({variable})"]
        case Kind.BOOL:
            return [f"if {variable} is not True and {variable} is not False: decline()"]
        case Kind.BYTES:
            return [f"if type({variable}) is not bytes: decline()"]
        case Kind.INT | Kind.LONG:
            return [f"if type({variable}) is not int: decline()"]
        case Kind.DOUBLE:
            return [f"number({variable})"]
        case Kind.FLOAT:
            return [f"{variable} = single({variable})"]
    raise AssertionError(f"no rule for {field.kind}")


def _number(value: Any) -> None:
    # The difference is not zero for infinity and nan.
    if type(value) is not float or value - value:
        raise DeclineError


def _single(value: Any) -> float:
    if type(value) is not float:
        raise DeclineError
    # As in JSON: its shortest decimal, which a reader rounds to single precision.
    return float(float_text(value))


def _put_time(value: Any, target: Any) -> None:
    if not isinstance(value, datetime):
        raise DeclineError
    since = value - EPOCH
    seconds = since.days * 86_400 + since.seconds
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise DeclineError
    target.seconds = seconds
    target.nanos = since.microseconds * 1000
