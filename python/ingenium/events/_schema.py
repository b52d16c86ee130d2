"""Schema of a message type for the codec, derived from its protobuf descriptor.

The package contains no table of fields: names, types, presence and the rules of
``ingenium/v1/options.proto`` come from the descriptors that ``buf generate`` puts into the
generated classes, so that a user's messages work like those of the package.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any

import betterproto2
from google.protobuf.descriptor import (  # type: ignore[import-untyped]
    Descriptor,
    FieldDescriptor,
)

from ingenium.events._options import field_option, message_option

__all__ = [
    "INT_RANGES",
    "Field",
    "Kind",
    "Schema",
    "SchemaError",
    "holds_itself",
    "is_plain",
    "schema_of",
]


class SchemaError(Exception):
    """A type that the codec does not support; becomes an encode or decode error of the caller."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(problem)


class Kind(Enum):
    """Representation of a value in Python and in JSON."""

    STRING = "a string"
    BOOL = "true or false"
    BYTES = "a base64 string"
    INT = "a whole number"
    LONG = "a whole number in a string"
    DOUBLE = "a number"
    FLOAT = "a number of single precision"
    TIME = "a time"
    MESSAGE = "an object"


_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT32 = (0, 2**32 - 1)
_UINT64 = (0, 2**64 - 1)

INT_RANGES: dict[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}
"""Minimum and maximum of each integer type of protobuf."""

_KINDS: dict[int, Kind] = {
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_BOOL: Kind.BOOL,
    FieldDescriptor.TYPE_BYTES: Kind.BYTES,
    FieldDescriptor.TYPE_DOUBLE: Kind.DOUBLE,
    FieldDescriptor.TYPE_FLOAT: Kind.FLOAT,
    FieldDescriptor.TYPE_MESSAGE: Kind.MESSAGE,
    **{
        number: Kind.INT if limits in (_INT32, _UINT32) else Kind.LONG
        for number, limits in INT_RANGES.items()
    },
}

_DECIMALS = frozenset({"price", "quantity", "money", "weight"})
_TIMESTAMP = "google.protobuf.Timestamp"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        name: Attribute of the Python class: ``"limit_price"``.
        key: Key in JSON: ``"LimitPrice"``.
        kind: Representation of its values.
        repeated: Whether it holds a list of such values.
        optional: Whether it can be unset, which is ``None`` in Python.
        written_when_unset: Whether it is written as its zero value when unset; a zero value is then
            read as unset.
        is_decimal: Whether it is a string with a decimal.
        limits: Minimum and maximum of a whole number.
        message: Schema of a nested message.
    """

    name: str
    key: str
    kind: Kind
    repeated: bool
    optional: bool
    written_when_unset: bool
    is_decimal: bool
    limits: tuple[int, int]
    message: Schema | None


@dataclass(slots=True, eq=False)
class Schema:
    """A message type.

    Attributes:
        name: ``"OrderEvent"``.
        cls: The generated class.
        fields: In the order of the schema, which is the order of the keys.
        one_spelling: Whether a key in two spellings is refused.
        id_prefix: Prefix of its ids; empty for none.
    """

    name: str
    cls: type[Any]
    fields: tuple[Field, ...]
    one_spelling: bool
    id_prefix: str = ""


_schemas: dict[type[Any], Schema] = {}


def schema_of(cls: Any) -> Schema:
    """Return the schema of a generated class, read from its descriptor on first use.

    Raises:
        SchemaError: The class is not a generated one, or has a field of an unsupported type.
    """
    pending: dict[type[Any], Schema] = {}
    schema = _read(cls, pending)
    # Only once all of them are complete, in case another thread reads the table.
    _schemas.update(pending)
    return schema


def _read(cls: Any, pending: dict[type[Any], Schema]) -> Schema:
    descriptor = getattr(cls, "DESCRIPTOR", None)
    if not isinstance(cls, type) or not isinstance(descriptor, Descriptor):
        raise SchemaError(
            "",
            "the type has no descriptor: pass a message class that betterproto2 generated with "
            "the option google_protobuf_descriptors",
        )
    known = _schemas.get(cls) or pending.get(cls)
    if known is not None:
        return known
    # Registered before its fields are read, for recursive messages.
    schema = pending[cls] = Schema(
        cls.__name__,
        cls,
        (),
        message_option(descriptor, "one_spelling"),
        message_option(descriptor, "id_prefix"),
    )
    attributes = {
        field.metadata["betterproto"].number: field.name for field in dataclasses.fields(cls)
    }
    hints = typing.get_type_hints(cls)
    schema.fields = tuple(
        _read_field(field, attributes[field.number], hints, pending) for field in descriptor.fields
    )
    return schema


def _read_field(
    field: FieldDescriptor, name: str, hints: dict[str, Any], pending: dict[type[Any], Schema]
) -> Field:
    kind = _KINDS.get(field.type)
    message: Schema | None = None
    nested = field.message_type
    if nested is not None and nested.full_name == _TIMESTAMP:
        kind = Kind.TIME
    elif nested is not None and (
        nested.GetOptions().map_entry or nested.full_name.startswith("google.protobuf.")
    ):
        kind = None
    if kind is None:
        what = nested.full_name if nested is not None else f"number {field.type}"
        raise SchemaError(
            field.json_name,
            f"the wire format has no rule for the type {what}: use a scalar, a message, a "
            "google.protobuf.Timestamp or a list of these",
        )
    if kind is Kind.MESSAGE:
        message = _read(_class_in(hints[name]), pending)
    return Field(
        name=name,
        key=field.json_name,
        kind=kind,
        repeated=field.is_repeated,
        optional=field.has_presence,
        is_decimal=field_option(field, "format") in _DECIMALS,
        written_when_unset=field_option(field, "written_when_unset"),
        limits=INT_RANGES.get(field.type, (0, 0)),
        message=message,
    )


def _class_in(hint: Any) -> type[Any]:
    """Return the class of ``Ohlc | None`` or ``list[Ohlc]``."""
    for part in typing.get_args(hint):
        if part is not types.NoneType:
            return _class_in(part)
    return typing.cast("type[Any]", hint)


def holds_itself(schema: Schema, above: tuple[Schema, ...] = ()) -> bool:
    """Return whether messages of a type can contain messages of the same type, at any depth."""
    return schema in above or any(
        field.message is not None and holds_itself(field.message, (*above, schema))
        for field in schema.fields
    )


def is_plain(cls: Any) -> bool:
    """Return whether a class has no custom code on creation."""
    base: Any = betterproto2.Message
    return (
        cls.__post_init__ is base.__post_init__
        and cls.__setattr__ is object.__setattr__
        and "__dataclass_fields__" in vars(cls)
    )
