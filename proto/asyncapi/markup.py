"""Small pieces of HTML: text with code in it, and JSON with colours."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

__all__ = ["paragraphs", "pretty", "prose", "subject"]

# What is code in the comments of the schemas: quoted values, subjects, keys of JSON, and `this`.
_CODE = re.compile(
    r'`(?P<ticked>[^`]+)`|"[^"\s]{1,40}"|""|\b_?ingenium\.[a-z<>_*{}.]*[a-z>*}]'
    r"|(?<![\w.])_ingenium\.[a-z<>_.]*[a-z>]|\b[A-Z]+_[A-Z_]+\b"
)
_LONGEST_LINE = 72


def prose(text: str) -> str:
    """Return one paragraph of text as HTML."""
    parts: list[str] = []
    end = 0
    for found in _CODE.finditer(text):
        parts.append(escape(text[end : found.start()], quote=False))
        parts.append(f"<code>{escape(found['ticked'] or found[0], quote=False)}</code>")
        end = found.end()
    return "".join(parts) + escape(text[end:], quote=False)


def paragraphs(text: str) -> str:
    """Return text with empty lines between its paragraphs as HTML."""
    return "".join(f"<p>{prose(' '.join(part.split()))}</p>" for part in text.split("\n\n"))


def subject(address: str) -> str:
    """Return a subject with what stands for something marked."""
    return re.sub(r"(\{\w+\}|[*&]gt;|(?<=\.)\*$)", r"<i>\1</i>", escape(address))


def pretty(value: Any, depth: int = 0) -> str:
    """Return JSON as HTML, small objects on one line."""
    if isinstance(value, dict):
        flat = json.dumps(value, ensure_ascii=False)
        if value and (depth == 0 or len(flat) > _LONGEST_LINE):
            inner = ",\n".join(
                f"{'  ' * (depth + 1)}{_key(key)}: {pretty(item, depth + 1)}"
                for key, item in value.items()
            )
            return f"{{\n{inner}\n{'  ' * depth}}}"
        inner = ", ".join(f"{_key(key)}: {pretty(item, depth + 1)}" for key, item in value.items())
        return f"{{{inner}}}"
    text = escape(json.dumps(value, ensure_ascii=False), quote=False)
    return f'<span class="text">{text}</span>' if isinstance(value, str) else text


def _key(key: str) -> str:
    return f'<span class="key">{escape(json.dumps(key, ensure_ascii=False), quote=False)}</span>'
