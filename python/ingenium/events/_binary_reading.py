"""Read events from protobuf's binary form, through messages of google.protobuf.

The counterpart of `_binary_writing`: for each type a function is generated that copies the values
of such a message into an event, with the same rules as for JSON: a time is truncated to
microseconds, and Go's zero time and an empty ``StopLoss`` are read as unset.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import message_factory  # type: ignore[import-untyped]

from ingenium.events._binary_writing import EPOCH, member
from ingenium.events._schema import Field, Kind, Schema, is_plain
from ingenium.events._time import ZERO

__all__ = ["WrongValueError", "compile_binary_reader"]


class WrongValueError(Exception):
    """A value that no event can contain; becomes a decode error."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(problem)


def compile_binary_reader(schema: Schema) -> Callable[[bytes], Any]:
    """Return the function that reads events of one type.

    Returns:
        A function from bytes to an event. It raises `WrongValueError`, and the errors of
        google.protobuf for invalid bytes.
    """
    parse = message_factory.GetMessageClass(schema.cls.DESCRIPTOR).FromString
    make = _Makers().maker(schema)
    return lambda payload: make(parse(payload))


class _Makers:
    """Generates a function for each type of message, from a protobuf message to an event."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "ZERO": ZERO,
            "new": object.__new__,
            "read_time": _read_time,
            "not_finite": _not_finite,
        }
        self._makers: dict[int, str] = {}

    def maker(self, schema: Schema) -> Callable[[Any], Any]:
        """Return the function for messages of one type."""
        function: Callable[[Any], Any] = self._names[self._maker(schema)]
        return function

    def _maker(self, schema: Schema) -> str:
        known = self._makers.get(id(schema))
        if known is not None:
            return known
        # Registered before its fields are processed, for recursive messages.
        name = self._makers[id(schema)] = f"make{len(self._makers)}"
        cls = f"class_{name}"
        self._names[cls] = schema.cls
        lines: list[str] = []
        values: list[str] = []
        for index, (field, described) in enumerate(
            zip(schema.fields, schema.cls.DESCRIPTOR.fields, strict=True)
        ):
            more, value = self._field(field, described.name, f"v{index}")
            lines += more
            values.append(value)
        pairs = [(field.name, value) for field, value in zip(schema.fields, values, strict=True)]
        if is_plain(schema.cls):
            # Equivalent to the generated __init__ and __post_init__, in a third of the time.
            lines += [
                f"event = new({cls})",
                *[f"event.{key} = {value}" for key, value in pairs],
                'event._unknown_fields = b""',
            ]
        else:
            lines.append(f"event = {cls}({', '.join(f'{key}={value}' for key, value in pairs)})")
        source = [f"def {name}(message):", *lines, "return event"]
        # The source contains no external text: attribute names come from generated classes.
        exec("\n    ".join(source), self._names)  # noqa: S102
        return name

    def _field(self, field: Field, name: str, value: str) -> tuple[list[str], str]:
        """Return source lines, and the expression of the event's value."""
        taken = member("message", name)
        if field.repeated:
            return self._list(field, taken, value)
        is_set = f"message.HasField({name!r})"
        if field.message is not None:
            make = self._maker(field.message)
            lines = [f"{value} = {make}({taken}) if {is_set} else None"]
            if field.written_when_unset:
                lines.append(f"if {value} is not None and not {value}: {value} = None")
            return lines, value
        if field.kind is Kind.TIME:
            return [f"{value} = read_time({taken}, {field.key!r}) if {is_set} else None"], value
        if field.kind in (Kind.DOUBLE, Kind.FLOAT):
            # The difference is not zero for infinity and nan.
            lines = [f"{value} = {taken}", f"if {value} - {value}: not_finite({field.key!r})"]
        elif field.optional:
            lines = [f"{value} = {taken}"]
        else:
            return [], taken
        if field.optional:
            # A check for presence is slower than one for a non-empty value.
            lines.append(f"if not {value} and not {is_set}: {value} = None")
        return lines, value

    def _list(self, field: Field, taken: str, value: str) -> tuple[list[str], str]:
        if field.message is not None:
            make = self._maker(field.message)
            return [f"{value} = [{make}(item) for item in {taken}]"], value
        if field.kind is Kind.TIME:
            each = f"read_time(item, {field.key!r}) or ZERO"
            return [f"{value} = [{each} for item in {taken}]"], value
        lines = [f"{value} = list({taken})"]
        if field.kind in (Kind.DOUBLE, Kind.FLOAT):
            lines += [
                f"for item in {value}:",
                f"    if item - item: not_finite({field.key!r})",
            ]
        return lines, value


def _read_time(stamp: Any, path: str) -> datetime | None:
    nanos = stamp.nanos
    try:
        if 0 <= nanos <= 999_999_999:
            time = EPOCH + timedelta(0, stamp.seconds, nanos // 1000)
            return None if time == ZERO else time
    except OverflowError:
        pass
    raise WrongValueError(
        path,
        f"{stamp.seconds} seconds and {nanos} nanoseconds are not a time in the years 1 to 9999 "
        "in UTC: send a valid google.protobuf.Timestamp",
    )


def _not_finite(path: str) -> None:
    raise WrongValueError(path, "expected a finite number, found an infinite one or NaN")
