"""Read the few headers that the recorder uses, without parsing each block of headers."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from ingenium.bus.base import Message
from ingenium.bus.envelope import CAUSE, content_type_of, source_of
from ingenium.bus.headers import RawHeaders
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import DecodeError
from ingenium.events import ContentType
from ingenium.runtime.durable.causes import CAUSE_TIME

__all__ = ["HeaderFacts", "HeaderReader"]

_REMEMBERED = 4096
_VERSION = b"NATS/1.0"
_END = b"\r\n\r\n"
_ID_START = f"\r\n{MESSAGE_ID}: ".encode()
_CAUSE, _CAUSE_TIME = CAUSE.encode(), CAUSE_TIME.encode()
_CONTENT_TYPE = b"content-type"
# Headers that components write before the id; behind it, they replace what was read before.
_BEFORE_ID = frozenset({b"Ingenium-Source", b"Content-Type", MESSAGE_ID.encode()})


class HeaderFacts(NamedTuple):
    """What the headers of a message state.

    Attributes:
        source: Name of the component that sent it; empty if not stated.
        message_id: Id of the message; empty if not stated.
        cause: Id of the event that caused it; empty if not stated.
        cause_time: Time at which the stream stored the bar that caused it; empty if not stated.
        is_json: Whether its payload is surely JSON; if not, `unpack` decides or refuses.
    """

    source: str
    message_id: str
    cause: str
    cause_time: str
    is_json: bool


_NONE = HeaderFacts("", "", "", "", is_json=True)


class HeaderReader:
    """Reads blocks of headers, and remembers what the first headers of a component state.

    The headers of a component differ in the message id and what follows it, such as the time of the
    cause. So the part before the id is parsed once.
    """

    def __init__(self) -> None:
        self._starts: dict[bytes, HeaderFacts] = {}

    def read(self, block: bytes) -> HeaderFacts:
        """Return the facts in a block of headers; empty for none.

        They are those of `RawHeaders`: the last header of a name counts.
        """
        if not block:
            return _NONE
        at = block.find(_ID_START)
        if at < 0 or not block.endswith(_END):
            return _parse(block)
        start = block[:at]
        known = self._starts.get(start)
        if known is None:
            known = _parse(start + _END)
            if len(self._starts) >= _REMEMBERED:
                self._starts.clear()
            self._starts[start] = known
        source, _, cause, cause_time, is_json = known
        identifier, *others = block[at + len(_ID_START) : -len(_END)].split(b"\r\n")
        for line in others:
            name, colon, value = line.partition(b":")
            name = name.strip()
            if name == _CAUSE and colon:
                cause = value.strip().decode("utf-8", "replace")
            elif name == _CAUSE_TIME and colon:
                cause_time = value.strip().decode("utf-8", "replace")
            elif name in _BEFORE_ID:
                return _parse(block)
        message_id = identifier.strip().decode("utf-8", "replace")
        return HeaderFacts(source, message_id, cause, cause_time, is_json)


def _parse(block: bytes) -> HeaderFacts:
    headers = RawHeaders(block)
    message = Message("", b"", headers)
    is_json = False
    if block.lower().count(_CONTENT_TYPE) <= 1:
        with suppress(DecodeError):
            is_json = content_type_of(bytes, message) is ContentType.JSON
    return HeaderFacts(
        source_of(message),
        headers.get(MESSAGE_ID, ""),
        headers.get(CAUSE, ""),
        headers.get(CAUSE_TIME, ""),
        is_json,
    )
