"""Read any payload as Go's encoding/json would, into the values of an event.

This is the reference reader. `wire` uses it for payloads that the fast one declines: keys in
another case, duplicate keys, unknown keys, nulls, escapes, times with an offset, and all errors.
"""

from __future__ import annotations

import math
import re
import struct
from base64 import b64decode
from collections.abc import Callable
from typing import Any, NoReturn

from ingenium.errors import DecodeError
from ingenium.events._scanner import ScanError, Scanner, describe
from ingenium.events._schema import Field, Kind, Schema
from ingenium.events._time import ZERO, TimeError, read_time

__all__ = ["read"]

# The two non-ASCII letters that Go folds to an ASCII letter.
_FOLD = {0x017F: "S", 0x212A: "K"} | {ord(c): c.upper() for c in "abcdefghijklmnopqrstuvwxyz"}
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_WHOLE = re.compile(r"-?[0-9]{1,20}")


def read(schema: Schema, payload: bytes) -> Any:
    """Read a payload into a new event.

    Raises:
        DecodeError: Go would refuse the payload, or it violates a stricter rule of the SDK.
    """
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise DecodeError(schema.name, "", f"expected bytes, found a {type(payload).__name__}")
    try:
        text = str(payload, "utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8"
        raise DecodeError(schema.name, "", problem) from None
    reader = _Reader(schema, Scanner(text))
    try:
        return reader.event()
    except ScanError as error:
        raise DecodeError(schema.name, reader.path, str(error)) from None
    except RecursionError:
        raise DecodeError(schema.name, "", "the payload nests too deeply") from None


class _Reader:
    """Reads one payload.

    A message under construction is a dict of its attributes, since in Go a repeated key adds to
    the value of the first one.
    """

    def __init__(self, schema: Schema, scanner: Scanner) -> None:
        self._schema = schema
        self._scanner = scanner
        self._one_spelling = schema.one_spelling
        self.path = ""

    def event(self) -> Any:
        values: dict[str, Any] = {}
        scanner = self._scanner
        opening = scanner.peek()
        if opening == "{":
            self._object(self._schema, values, "")
        elif opening == "n":
            # For null, Go leaves a struct unchanged.
            scanner.skip()
        else:
            self._refuse_value("", f"an object with the fields of {self._schema.name}")
        scanner.end()
        return _build(self._schema, values)

    def _object(self, schema: Schema, values: dict[str, Any], path: str) -> None:
        exact, folded = _keys(schema)
        spellings: dict[str, str] = {}
        scanner = self._scanner
        for key in scanner.members():
            field = exact.get(key) or folded.get(key.translate(_FOLD))
            if field is None:
                self.path = path
                scanner.skip()
                continue
            place = f"{path}.{field.key}" if path else field.key
            self.path = place
            if self._one_spelling and spellings.setdefault(field.key, key) != key:
                problem = (
                    f"the key appears twice in two spellings, {spellings[field.key]!r} and "
                    f"{key!r}, and readers could differ on which one counts"
                )
                raise DecodeError(self._schema.name, place, problem)
            if scanner.peek() == "n":
                scanner.skip()
                # For null, Go sets a slice to nil, and leaves all other values unchanged.
                if field.repeated or field.kind is Kind.BYTES:
                    values.pop(field.name, None)
            elif field.repeated:
                self._list(field, values, place)
            else:
                values[field.name] = self._value(field, values.get(field.name), place)
        self.path = path

    def _list(self, field: Field, values: dict[str, Any], path: str) -> None:
        if self._scanner.peek() != "[":
            self._refuse_value(path, f"a list, each {field.kind.value}")
        # A second list under the same key overwrites the items of the first one.
        old: list[Any] = values.get(field.name, [])
        items: list[Any] = []
        for index in self._scanner.items():
            before = old[index] if index < len(old) else None
            if self._scanner.peek() == "n":
                self._scanner.skip()
                items.append(None if field.kind is Kind.BYTES else before)
            else:
                items.append(self._value(field, before, f"{path}[{index}]"))
        values[field.name] = items

    def _value(self, field: Field, before: Any, path: str) -> Any:
        if field.kind is Kind.MESSAGE:
            if self._scanner.peek() != "{":
                self._refuse_value(path, "an object")
            inner: dict[str, Any] = {} if before is None else before
            assert field.message is not None  # noqa: S101  kind MESSAGE has one; for the checker
            self._object(field.message, inner, path)
            return inner
        return _SCALARS[field.kind](self, field, before, path)

    def take_string(self, field: Field, _: Any, path: str) -> str:
        if self._scanner.peek() != '"':
            self._refuse_value(path, field.kind.value)
        return self._scanner.string()

    def take_bool(self, field: Field, _: Any, path: str) -> bool:
        if self._scanner.peek() not in "tf":
            self._refuse_value(path, field.kind.value)
        return self._scanner.skip() == "true"

    def take_bytes(self, field: Field, before: Any, path: str) -> bytes:
        if self._scanner.peek() == "[":
            return self._byte_list(before, path)
        if self._scanner.peek() != '"':
            self._refuse_value(path, field.kind.value)
        text = self._scanner.string()
        # Go's decoder skips line ends in base64.
        packed = text.replace("\n", "").replace("\r", "")
        if len(packed) % 4 or not _BASE64.fullmatch(packed):
            raise DecodeError(
                self._schema.name, path, f"expected a base64 string, found {describe(text)}"
            )
        return b64decode(packed)

    def _byte_list(self, before: bytes | None, path: str) -> bytes:
        """Read bytes as a list of numbers, which Go also accepts."""
        old = before or b""
        result = bytearray()
        for index in self._scanner.items():
            if self._scanner.peek() == "n":
                self._scanner.skip()
                result.append(old[index] if index < len(old) else 0)
            else:
                result.append(self._whole(f"{path}[{index}]", 0, 255))
        return bytes(result)

    def take_int(self, field: Field, _: Any, path: str) -> int:
        return self._whole(path, *field.limits)

    def take_long(self, field: Field, _: Any, path: str) -> int:
        low, high = field.limits
        # Protobuf writes 64-bit integers as strings, since JavaScript numbers have 53 bits; Go
        # structs write numbers. Both are accepted.
        if self._scanner.peek() != '"':
            return self._whole(path, low, high)
        text = self._scanner.string()
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            expected = f"a whole number from {low} to {high}, in a string"
            raise DecodeError(
                self._schema.name, path, f"expected {expected}, found {describe(text)}"
            )
        return int(text)

    def _whole(self, path: str, low: int, high: int) -> int:
        if self._scanner.peek() not in "-0123456789":
            self._refuse_value(path, "a whole number")
        text = self._scanner.skip()
        # Go accepts -0 only for a signed number.
        unsigned_minus = low == 0 and text.startswith("-")
        if unsigned_minus or not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            expected = f"a whole number from {low} to {high}"
            raise DecodeError(self._schema.name, path, f"expected {expected}, found {_cut(text)}")
        return int(text)

    def take_double(self, field: Field, _: Any, path: str) -> float:
        if self._scanner.peek() not in "-0123456789":
            self._refuse_value(path, "a number")
        text = self._scanner.skip()
        number = float(text)
        if field.kind is Kind.FLOAT:
            try:
                number = struct.unpack("<f", struct.pack("<f", number))[0]
            except OverflowError:
                number = math.inf
        if math.isinf(number):
            problem = f"the number {_cut(text)} is out of range"
            raise DecodeError(self._schema.name, path, problem)
        return number

    def take_time(self, _: Field, __: Any, path: str) -> Any:
        if self._scanner.peek() != '"':
            self._refuse_value(path, 'a time like "2024-01-03T00:00:00Z"')
        # Go uses the raw characters between the quotes, with escapes not resolved.
        text = self._scanner.skip()[1:-1]
        try:
            return read_time(text)
        except TimeError as error:
            raise DecodeError(self._schema.name, path, str(error)) from None

    def _refuse_value(self, path: str, expected: str) -> NoReturn:
        found = self._scanner.found()
        raise DecodeError(self._schema.name, path, f"expected {expected}, found {found}")


_SCALARS: dict[Kind, Callable[[_Reader, Field, Any, str], Any]] = {
    Kind.STRING: _Reader.take_string,
    Kind.BOOL: _Reader.take_bool,
    Kind.BYTES: _Reader.take_bytes,
    Kind.INT: _Reader.take_int,
    Kind.LONG: _Reader.take_long,
    Kind.DOUBLE: _Reader.take_double,
    Kind.FLOAT: _Reader.take_double,
    Kind.TIME: _Reader.take_time,
}

_ZEROS: dict[Kind, Any] = {
    Kind.STRING: "",
    Kind.BOOL: False,
    Kind.BYTES: b"",
    Kind.INT: 0,
    Kind.LONG: 0,
    Kind.DOUBLE: 0.0,
    Kind.FLOAT: 0.0,
    # In a list, where an unset time is an item.
    Kind.TIME: ZERO,
}

_key_tables: dict[int, tuple[dict[str, Field], dict[str, Field]]] = {}


def _keys(schema: Schema) -> tuple[dict[str, Field], dict[str, Field]]:
    """Return the fields by key, and by key with its case folded; the first one wins, as in Go."""
    tables = _key_tables.get(id(schema))
    if tables is None:
        folded: dict[str, Field] = {}
        for field in schema.fields:
            folded.setdefault(field.key.translate(_FOLD), field)
        tables = _key_tables[id(schema)] = ({field.key: field for field in schema.fields}, folded)
    return tables


def _build(schema: Schema, values: dict[str, Any]) -> Any:
    """Create the message from the values read."""
    for field in schema.fields:
        value = values.get(field.name)
        nested = field.message
        if field.repeated:
            if value is None:
                continue
            if nested is not None:
                value = [_build(nested, item or {}) for item in value]
            else:
                zero = _ZEROS.get(field.kind)
                value = [zero if item is None else item for item in value]
        elif nested is not None and value is not None:
            value = _build(nested, value)
            # An always-written object counts as unset when all of its fields are empty.
            if field.written_when_unset and not value:
                value = None
        else:
            continue
        values[field.name] = value
    return schema.cls(**values)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
