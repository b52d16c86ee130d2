"""Checks that a Python file is readable as source, before it is run."""

from __future__ import annotations

import codecs
import io
import tokenize
from pathlib import Path

from ingenium.errors import ConfigError

__all__ = ["check_source"]

_MARKS = (
    # The longer mark first: that of UTF-16 is its prefix.
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def check_source(path: Path) -> None:
    """Check that a file is text in an encoding that Python reads.

    Raises:
        ConfigError: It is not, or it cannot be read; the text names file, line and remedy.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"app file {path} cannot be read: {error.strerror}") from error
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise ConfigError(
                f"{path}, line 1: the file is in {encoding}: save it as UTF-8 (in "
                "PowerShell with Out-File -Encoding utf8)"
            )
    place = data.find(b"\0")
    if place >= 0:
        # Each letter of UTF-16 without a mark has a null byte beside it.
        if 3 * data.count(b"\0") > len(data):
            raise ConfigError(f"{path}, line 1: the file seems to be in UTF-16: save it as UTF-8")
        raise ConfigError(
            f"{path}, line {_line(data, place)}: contains a null byte, so it is not a Python file"
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(_not_text(path, data, error)) from error
    except SyntaxError as error:
        # The first two lines are checked, which finds bytes in them that are not UTF-8, too.
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as other:
            raise ConfigError(_not_text(path, data, other)) from error
        lines = data.splitlines()
        line = 1 if lines and b"coding" in lines[0] else 2
        raise ConfigError(f"{path}, line {line}: {error.msg}: save it as UTF-8") from error


def _not_text(path: Path, data: bytes, error: UnicodeDecodeError) -> str:
    return (
        f"{path}, line {_line(data, error.start)}: byte 0x{data[error.start]:02x} is not "
        f"{error.encoding}: save the file as UTF-8, or name its encoding in its first line, such "
        "as # coding: latin-1"
    )


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1
