"""Scan JSON text, exactly as strict as Go's scanner."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["MAX_DEPTH", "ScanError", "Scanner", "describe"]

MAX_DEPTH = 10_000
"""Maximum nesting of objects and lists; Go's limit."""

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_WORD = re.compile(r"true|false|null")
_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))"
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LONGEST_SHOWN = 40


class ScanError(Exception):
    """The text is not JSON."""


def describe(text: str) -> str:
    """Return a string value for an error text, cut to a readable length."""
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return '"' + shown.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def _resolve(found: re.Match[str]) -> str:
    high, low, single, short = found.groups()
    if high is not None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if single is not None:
        code = int(single, 16)
        # An unpaired surrogate is no character; Go writes the replacement character.
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    return _SHORT.get(short, short)


class Scanner:
    """Scans one JSON text, value by value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def peek(self) -> str:
        """Advance to the next non-space character and return it.

        Raises:
            ScanError: The text ends.
        """
        at = self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        try:
            return self._text[at]
        except IndexError:
            raise ScanError(f"the JSON ends too early, after {at} characters") from None

    def end(self) -> None:
        """Check that only whitespace follows.

        Raises:
            ScanError: Other text follows.
        """
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        if self._at < len(self._text):
            raise self._unexpected("the end")

    def members(self) -> Iterator[str]:
        """Enter an object and yield its keys; the caller takes the value before the next one."""
        self._open()
        if self.peek() == "}":
            self._close()
            return
        while True:
            if self.peek() != '"':
                raise self._unexpected("a key in quotes")
            key = self.string()
            self._take(":")
            yield key
            if self._another("}"):
                return

    def items(self) -> Iterator[int]:
        """Enter a list and yield its indexes; the caller takes the value before the next one."""
        self._open()
        if self.peek() == "]":
            self._close()
            return
        index = 0
        while True:
            yield index
            index += 1
            if self._another("]"):
                return

    def string(self) -> str:
        """Take a string and return its value."""
        raw = self._literal(_STRING, "a string")
        if "\\" in raw:
            return _ESCAPE.sub(_resolve, raw[1:-1])
        return raw[1:-1]

    def skip(self) -> str:
        """Take a whole value and return its text."""
        start_sign = self.peek()
        start = self._at
        if start_sign not in "{[":
            return self._scalar(start_sign)
        # With a stack, not recursion: the sender controls the depth.
        outer = self._depth
        closers: list[str] = []
        while True:
            sign = self.peek()
            if sign in "{[":
                closer = "}" if sign == "{" else "]"
                self._open()
                closers.append(closer)
                if self.peek() != closer:
                    if sign == "{":
                        self._key()
                    continue
                self._close()
                closers.pop()
            else:
                self._scalar(sign)
            while self._depth > outer and self._another(closers[-1]):
                closers.pop()
            if self._depth == outer:
                return self._text[start : self._at]
            if closers[-1] == "}":
                self._key()

    def found(self) -> str:
        """Take the next value and return its description for an error text."""
        sign = self.peek()
        if sign == "{":
            return "an object"
        if sign == "[":
            return "a list"
        if sign == '"':
            return describe(self.string())
        text = self._scalar(sign)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."

    def _key(self) -> None:
        if self.peek() != '"':
            raise self._unexpected("a key in quotes")
        self._literal(_STRING, "a string")
        self._take(":")

    def _scalar(self, sign: str) -> str:
        if sign == '"':
            return self._literal(_STRING, "a string")
        if sign in "-0123456789":
            return self._literal(_NUMBER, "a number")
        return self._literal(_WORD, "a value")

    def _literal(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ScanError(f"{what} at character {self._at} is broken or ends too early")
        self._at = found.end()
        return found[0]

    def _open(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ScanError(f"the JSON nests deeper than {MAX_DEPTH} levels")
        self._at += 1

    def _close(self) -> None:
        self._depth -= 1
        self._at += 1

    def _another(self, closer: str) -> bool:
        """Take a comma, or the end of the object or list; return whether it was the end."""
        sign = self.peek()
        if sign == closer:
            self._close()
            return True
        if sign != ",":
            raise self._unexpected(f"',' or {closer!r}")
        self._at += 1
        return False

    def _take(self, sign: str) -> None:
        if self.peek() != sign:
            raise self._unexpected(repr(sign))
        self._at += 1

    def _unexpected(self, expected: str) -> ScanError:
        found = describe(self._text[self._at])
        return ScanError(f"expected {expected} at character {self._at}, found {found}")
