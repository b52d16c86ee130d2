"""Methods ``to_json`` and ``from_json`` of the bus's own messages, for the JSON of the bus.

The base class of generated messages writes keys in camel case and leaves out empty fields, which
is another format.
"""

from __future__ import annotations

import json
from typing import Any

from betterproto2 import Casing, Message

from ingenium._gen.ingenium import v1
from ingenium.events.wire import decode, encode

__all__ = ["teach_wire"]


def _to_json(
    self: Message,
    indent: int | str | None = None,
    include_default_values: bool = False,
    casing: Casing | None = None,
) -> str:
    """Write this event as the JSON of the bus.

    Args:
        self: The event.
        indent: Passed to `json.dumps`, for readable output.
        include_default_values: With this, or a ``casing``, betterproto2 writes the JSON instead,
            which is not the format of the bus.
        casing: See ``include_default_values``.
    """
    if include_default_values or casing is not None:
        return Message.to_json(self, indent, include_default_values, casing or Casing.CAMEL)
    text = encode(self).decode()
    return (
        text if indent is None else json.dumps(json.loads(text), indent=indent, ensure_ascii=False)
    )


def _from_json(
    cls: type[Message], value: str | bytes, *, ignore_unknown_fields: bool = True
) -> Message:
    """Read an event from the JSON of the bus; keys match in any case.

    Args:
        cls: Class of the event.
        value: The JSON.
        ignore_unknown_fields: The format of the bus skips unknown keys; False reads with
            betterproto2 instead, which refuses them.

    Raises:
        DecodeError: The JSON is not such an event.
    """
    if not ignore_unknown_fields:
        return cls.from_dict(json.loads(value))
    return decode(cls, value.encode() if isinstance(value, str) else value)


def teach_wire() -> None:
    """Install these methods on the bus's own messages, replacing those of the base class."""
    for name in v1.__all__:
        cls: Any = getattr(v1, name)
        cls.to_json = _to_json
        cls.from_json = classmethod(_from_json)
