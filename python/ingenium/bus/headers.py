"""Encoding and lazy decoding of NATS headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

from ingenium.errors import BusError

__all__ = ["RawHeaders", "encode_headers", "with_headers"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_CACHE_LIMIT = 1024
_SHORTEST = len("NATS/1.0\r\n\r\n")
_good_names: set[str] = set()
_DefaultT = TypeVar("_DefaultT")


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """Encode headers in the NATS wire format.

    Args:
        headers: Values of one line by ASCII name.

    Returns:
        The header block with its closing empty line; `RawHeaders` unchanged.

    Raises:
        BusError: A name is not a token, or a value contains a line break, which could end the block
            early.
    """
    if type(headers) is RawHeaders:
        return headers.raw
    lines = ["NATS/1.0"]
    for name, value in headers.items():
        if name not in _good_names:
            _check_name(name)
        lines.append(f"{name}: {value}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    # Two counts over the whole block are cheaper than checking each value.
    if text.count("\n") != breaks or text.count("\r") != breaks:
        bad = next(name for name, value in headers.items() if "\n" in value or "\r" in value)
        raise BusError(f"header {bad} holds a line break: pass a value of one line")
    return f"{text}\r\n\r\n".encode("utf-8", "replace")


def with_headers(headers: Mapping[str, str], further: Mapping[str, str]) -> Mapping[str, str]:
    """Return headers with further ones behind them, without parsing encoded headers.

    Args:
        headers: Headers of a message; unchanged.
        further: Headers with other names.

    Raises:
        BusError: See `encode_headers`.
    """
    if not further:
        return headers
    if type(headers) is RawHeaders:
        return RawHeaders(headers.raw[:-2] + encode_headers(further)[len("NATS/1.0\r\n") :])
    return {**headers, **further}


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise BusError(f"header name {name!r} is no token: use letters, digits and -")
    if len(_good_names) < _CACHE_LIMIT:
        _good_names.add(name)


class RawHeaders(Mapping[str, str]):
    """Received headers, parsed on first access.

    Most handlers never read headers, and parsing three headers costs as much as decoding the event.
    Parsing never fails: invalid UTF-8 becomes U+FFFD, a line without a colon is skipped, and a
    status after the version is not treated as a header, so that no publisher can forge a message of
    the server.

    Args:
        raw: The header block, from the version to the closing empty line.
    """

    __slots__ = ("_parsed", "raw")
    _parsed: dict[str, str]

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def _headers(self) -> dict[str, str]:
        try:
            return self._parsed
        except AttributeError:
            parsed: dict[str, str] = {}
        for line in self.raw.split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if colon:
                text = value.strip().decode("utf-8", "replace")
                parsed[name.strip().decode("ascii", "replace")] = text
        self._parsed = parsed
        return parsed

    def __bool__(self) -> bool:
        # Without this method a plain `if headers` would parse them.
        return len(self.raw) > _SHORTEST

    def __getitem__(self, name: str) -> str:
        return self._headers()[name]

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str, /) -> str: ...
    @overload
    def get(self, name: str, default: _DefaultT, /) -> str | _DefaultT: ...
    def get(self, name: str, default: object = None, /) -> object:
        """Return a header, without parsing the others where its line is as Ingenium writes it."""
        if not hasattr(self, "_parsed") and name.isascii():
            raw, key = self.raw, name.encode()
            count = raw.count(key)
            if not count:
                return default
            begin = raw.find(b"\r\n%b: " % key) if count == 1 else -1
            if begin >= 0:
                begin += len(key) + 4
                return raw[begin : raw.index(b"\r\n", begin)].strip().decode("utf-8", "replace")
        return self._headers().get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers())

    def __len__(self) -> int:
        return len(self._headers())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return self._headers() == dict(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RawHeaders({self._headers()!r})"
