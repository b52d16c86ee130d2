"""A vector of the conformance kit, and the file that holds all of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Vector", "digest", "dump", "load"]

# A text of this length or more is searched for parts that are repeated.
_LONG = 500
_RUN = re.compile(r"(.{1,12}?)\1{99}", re.DOTALL)


@dataclass(frozen=True)
class Vector:
    """A payload, and what a reader makes of it.

    Attributes:
        event: The event that the payload is meant to be, ``"OrderEvent"``.
        group: Class of the vector, ``"key_case"``.
        name: Unique within event and class.
        why: Why the vector exists, one line.
        payload: The bytes.
        value: The decoded value, see ``forms.complete``; ``None`` when the payload is refused.
        json: The value written again, as the format has it; ``None`` when the payload is refused.
        since: Version of the kit that added the vector.
    """

    event: str
    group: str
    name: str
    why: str
    payload: bytes
    value: dict[str, Any] | None
    json: str | None
    since: int = 1

    @property
    def id(self) -> str:
        """Name of the vector in the whole kit: ``"order/key_case/lower"``."""
        return f"{self.event.removesuffix('Event').lower()}/{self.group}/{self.name}"

    @property
    def accepted(self) -> bool:
        """Whether a reader takes the payload."""
        return self.value is not None


def dump(version: int, groups: dict[str, str], vectors: Iterable[Vector]) -> str:
    """Return the text of the file: one vector a line, so that a difference shows well."""
    head = json.dumps({"version": version, "classes": groups}, ensure_ascii=False, indent=1)
    lines = ",\n".join(json.dumps(_packed(vector), ensure_ascii=True) for vector in vectors)
    return f'{head.removesuffix("}").rstrip()},\n "vectors": [\n{lines}\n]}}\n'


def load(path: Path) -> list[Vector]:
    """Read the vectors of a file."""
    return [
        Vector(
            event=one["event"],
            group=one["class"],
            name=one["id"].rsplit("/", 1)[1],
            why=one["why"],
            payload=_payload(one["input"]),
            value=_unfolded(one["value"]) if "value" in one else None,
            json=_unfolded(one["json"]) if "json" in one else None,
            since=one["since"],
        )
        for one in json.loads(path.read_text())["vectors"]
    ]


def digest(vector: Vector) -> str:
    """Return the SHA-256 of what a vector promises; its reason may be put in better words."""
    promise = _packed(vector)
    del promise["why"]
    text = json.dumps(promise, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _packed(vector: Vector) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "id": vector.id,
        "since": vector.since,
        "event": vector.event,
        "class": vector.group,
        "why": vector.why,
    }
    try:
        packed["input"] = _folded(vector.payload.decode())
    except UnicodeDecodeError:
        packed["input"] = {"base64": base64.b64encode(vector.payload).decode()}
    packed["verdict"] = "accepted" if vector.accepted else "refused"
    if vector.accepted:
        packed |= {"value": _folded(vector.value), "json": _folded(vector.json)}
    return packed


def _payload(packed: Any) -> bytes:
    if isinstance(packed, dict):
        return base64.b64decode(packed["base64"])
    text = _unfolded(packed)
    assert isinstance(text, str)
    return text.encode()


def _folded(value: Any) -> Any:
    """Put ``{"repeat": [text, times]}`` for what would fill the file."""
    if isinstance(value, dict):
        return {key: _folded(inner) for key, inner in value.items()}
    if not isinstance(value, str) or len(value) < _LONG:
        return value
    parts: list[Any] = []
    end = 0
    while run := _RUN.search(value, end):
        parts += [value[end : run.start()]] if run.start() > end else []
        unit, end = run[1], run.end()
        # The regular expression finds where it begins; for a million of them it would be slow.
        for step in (1000, 1):
            while value.startswith(unit * step, end):
                end += len(unit) * step
        parts.append({"repeat": [unit, (end - run.start()) // len(unit)]})
    return parts + ([value[end:]] if end < len(value) else [])


def _unfolded(packed: Any) -> Any:
    if isinstance(packed, dict):
        return {key: _unfolded(inner) for key, inner in packed.items()}
    if isinstance(packed, list):
        return "".join(
            part if isinstance(part, str) else part["repeat"][0] * part["repeat"][1]
            for part in packed
        )
    return packed
