"""Serialization of user state as JSON that restores equal values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec

from ingenium.errors import ComponentError
from ingenium.state.rows import read_row, row_time, write_json

__all__ = ["read_user_state", "write_user_state"]

# Types without a JSON form are encoded as tagged objects: {"$decimal": "1.50"}.
_DECIMAL, _TIME, _FLOAT, _DICT = "$decimal", "$time", "$float", "$dict"


def write_user_state(state: object, name: str) -> bytes:
    """Serialize the result of a component's ``get_state``.

    Args:
        state: See `Component.get_state`.
        name: Name of the component, for the error.

    Raises:
        ComponentError: A value cannot be saved; the text says where.
    """
    try:
        return write_json(_plain(state, ""))
    except _NotSavableError as error:
        problem = str(error)
    except RecursionError:
        problem = "it contains itself, or is nested too deeply"
    except UnicodeEncodeError as error:
        problem = f"it contains a text that cannot be encoded as UTF-8: {error}"
    raise ComponentError(f"state of {name!r} cannot be saved: {problem}")


def read_user_state(data: bytes, name: str) -> Any:
    """Deserialize the output of `write_user_state`.

    Raises:
        ComponentError: The data cannot be read.
    """
    return _value(read_row(object, data, f"user of {name}"))


class _NotSavableError(Exception):
    """A value of an unsupported type."""


def _plain(value: object, path: str) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else {_FLOAT: repr(float(value))}
    if isinstance(value, Decimal):
        return {_DECIMAL: format(value, "f")}
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise _NotSavableError(f"{_at(path)} is {value}, a time without a zone: use one in UTC")
        return {_TIME: row_time(value)}
    if isinstance(value, list | tuple):
        # Fast path for windows of indicators: many numbers that need no encoding.
        if set(map(type, value)) == {float} and all(map(isfinite, value)):
            return value
        return [_plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        return _plain_dict(value, path)
    raise _NotSavableError(
        f"{_at(path)} is of type {type(value).__name__}: return texts, numbers, bool, None, "
        "Decimal, aware datetime, and lists and dicts of them"
    )


def _plain_dict(value: Mapping[object, object], path: str) -> object:
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _NotSavableError(
                f"{_at(path)} has the key {key!r}: use texts as keys, such as {str(key)!r}"
            )
        plain[str.__str__(key)] = _plain(item, f"{path}[{str.__str__(key)!r}]")
    is_special = len(plain) == 1 and next(iter(plain)).startswith("$")
    return {_DICT: plain} if is_special else plain


def _at(path: str) -> str:
    return f"value at {path}" if path else "it"


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if len(plain) == 1:
        [(key, item)] = plain.items()
        if key == _DECIMAL:
            return Decimal(item)
        if key == _TIME:
            return msgspec.convert(item, datetime)
        if key == _FLOAT:
            return float(item)
        if key == _DICT:
            plain = item
    return {key: _value(item) for key, item in plain.items()}
