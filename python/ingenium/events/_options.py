"""Rules of fields and messages, from the options of ``ingenium/v1/options.proto``."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import (  # type: ignore[import-untyped]
    Descriptor,
    FieldDescriptor,
)
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

from ingenium._gen.google_proto_descriptor_pool import default_google_proto_descriptor_pool
from ingenium._gen.ingenium import v1  # noqa: F401 - puts the options into the pool

__all__ = ["field_option", "message_option"]


def field_option(field: FieldDescriptor, name: str) -> Any:
    """Return an option of a field, such as ``"format"``; its zero value when it is not set."""
    return _option("google.protobuf.FieldOptions", field.GetOptions().SerializeToString(), name)


def message_option(message: Descriptor, name: str) -> Any:
    """Return an option of a message, such as ``"id_prefix"``; its zero value when not set."""
    return _option("google.protobuf.MessageOptions", message.GetOptions().SerializeToString(), name)


def _option(kind: str, options: bytes, name: str) -> Any:
    # The descriptors of a user's classes are in another pool, where these options may be unknown,
    # so the options are parsed from their bytes.
    cls, extension = _extension(kind, name)
    return cls.FromString(options).Extensions[extension]


@cache
def _extension(kind: str, name: str) -> tuple[Any, Any]:
    pool = default_google_proto_descriptor_pool
    extension = pool.FindExtensionByName(f"ingenium.v1.{name}")
    return GetMessageClass(pool.FindMessageTypeByName(kind)), extension
