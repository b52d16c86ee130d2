"""The encoding of spans in OTLP: messages of ``opentelemetry/proto/trace/v1/trace.proto``.

It is compiled where there is a compiler, since a process under load makes thousands of spans a
second in the time of its handlers.

References:
    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ingenium.telemetry.conventions import (
    ERROR_TYPE,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_TYPE,
)
from ingenium.telemetry.spans import FinishedSpan, SpanPattern, error_name

__all__ = ["encode_span", "field"]

_KINDS: Final = {"internal": 1, "producer": 4, "consumer": 5}
# Of a span, ids are fields 1, 2 and 4, start and end are 7 and 8, and 16 are the flags.
_ROOT: Final = Struct("<2s16s2s8sBQBQ2sL")
_CHILD: Final = Struct("<2s16s2s8s2s8sBQBQ2sL")
_LINK: Final = Struct("<2s16s2s8sBL")
_TRACE_ID: Final = b"\x0a\x10"
_SPAN_ID: Final = b"\x12\x08"
_PARENT_ID: Final = b"\x22\x08"
_START: Final = 0x39
_END: Final = 0x41
_FLAGS: Final = b"\x85\x01"
_LINK_FLAGS: Final = 0x35
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x300
_NAME: Final = 0x2A
_KIND: Final = 0x30
_ATTRIBUTE: Final = 0x4A
_EVENT: Final = 0x5A
_LINKS: Final = 0x6A
_STATUS: Final = 0x7A
_ERROR: Final = b"\x18\x02"
_KEPT: Final = 1024
_SHORT: Final = 0x80
"""A length below has one byte."""

_heads: dict[str, list[bytes]] = {}


def encode_span(span: FinishedSpan) -> bytes:
    """Return the message ``Span`` of a span, equal to what the SDK writes for it."""
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_id
    if parent_id:
        ids: bytes = _CHILD.pack(
            _TRACE_ID, bytes.fromhex(trace_id), _SPAN_ID, bytes.fromhex(span_id),
            _PARENT_ID, bytes.fromhex(parent_id),
            _START, span.start, _END, span.end, _FLAGS, _IS_REMOTE,
        )  # fmt: skip
    else:
        ids = _ROOT.pack(
            _TRACE_ID, bytes.fromhex(trace_id), _SPAN_ID, bytes.fromhex(span_id),
            _START, span.start, _END, span.end, _FLAGS, _HAS_IS_REMOTE,
        )  # fmt: skip
    pattern = span.pattern
    encoded = pattern.encoded
    if encoded is None:
        encoded = pattern.encoded = _encode_pattern(pattern)
    parts = [ids, encoded]
    _add(span.own, parts, _ATTRIBUTE)
    link = span.link
    if link is not None:
        content = _LINK.pack(
            _TRACE_ID, bytes.fromhex(link[0]), _SPAN_ID, bytes.fromhex(link[1]),
            _LINK_FLAGS, _IS_REMOTE,
        )  # fmt: skip
        parts.append(field(_LINKS, content))
    error = span.error
    if error is None:
        parts.append(b"\x7a\x00")  # a status without content, as the SDK writes it
    else:
        _add_error(error, span.end, parts)
    return b"".join(parts)


def _add_error(error: BaseException, time: int, parts: list[bytes]) -> None:
    """Append the attribute, the event and the status of a failed span."""
    name, text = error_name(error), str(error)
    _add({ERROR_TYPE: name}, parts, _ATTRIBUTE)
    event = [b"\x09" + time.to_bytes(8, "little") + field(0x12, _bytes(EXCEPTION))]
    _add({EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: text}, event, 0x1A)
    parts.append(field(_EVENT, b"".join(event)))
    message = field(0x12, _bytes(text)) if text else b""
    parts.append(field(_STATUS, message + _ERROR))


def _encode_pattern(pattern: SpanPattern) -> bytes:
    """Return the fields of name and kind, and those of the shared attributes."""
    parts = [field(_NAME, _bytes(pattern.name)), bytes((_KIND, _KINDS[pattern.kind.value]))]
    _add(pattern.attributes, parts, _ATTRIBUTE)
    return b"".join(parts)


def _add(attributes: dict[str, str], parts: list[bytes], tag: int) -> None:
    """Append the fields of attributes, whose number and type is the tag."""
    for name, value in attributes.items():
        content = _bytes(value)
        size = len(content)
        if tag == _ATTRIBUTE:
            heads = _heads.get(name)
            if heads is None:
                heads = _heads_of(name)
                if len(_heads) < _KEPT:
                    _heads[name] = heads
            if size < len(heads):
                parts.append(heads[size])
                parts.append(content)
                continue
        parts.append(field(tag, _key(name) + field(0x12, field(0x0A, content))))


def _heads_of(name: str) -> list[bytes]:
    """Return what is in front of the value of an attribute, for each length of a short one."""
    key = _key(name)
    around = len(key) + 4
    return [
        bytes((_ATTRIBUTE, around + size)) + key + bytes((0x12, size + 2, 0x0A, size))
        for size in range(_SHORT - around)
    ]


def _key(name: str) -> bytes:
    return field(0x0A, _bytes(name))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def field(tag: int, content: bytes) -> bytes:
    """Return a field with a length.

    Args:
        tag: Number and type of the field, one byte.
        content: Its content.
    """
    size = len(content)
    if size < _SHORT:
        return bytes((tag, size)) + content
    head = [tag]
    while size >= _SHORT:
        head.append(size & 0x7F | _SHORT)
        size >>= 7
    head.append(size)
    return bytes(head) + content
