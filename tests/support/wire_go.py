"""Asks Go's encoding/json what it makes of a payload, and compares that with the codec."""

from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingenium._gen.ingenium import v1
from ingenium.errors import DecodeError
from ingenium.events import decode

__all__ = ["Reading", "Reply", "ask", "build", "compare", "shown"]

_SOURCE = Path(__file__).parents[1] / "golden" / "go"


@dataclass(frozen=True)
class Reading:
    """What encoding/json made of a payload.

    Attributes:
        problem: Why it refused the payload; empty when it did not.
        written: What it writes of the value that it read; ``None`` when it cannot write it.
    """

    problem: str
    written: bytes | None

    @property
    def value(self) -> Any:
        """The value as plain Python data."""
        assert self.written is not None
        return json.loads(self.written)


@dataclass(frozen=True)
class Reply:
    """Readings of one payload into the forms of its event; ``None`` where there is no such form."""

    superset: Reading
    documented: Reading | None
    later: Reading | None


def build(go: str, folder: Path) -> Path:
    """Compile the program that answers, and return its path."""
    program = folder / "golden"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=_SOURCE, check=True)
    return program


def ask(program: Path, questions: Iterable[tuple[str, bytes]]) -> list[Reply]:
    """Ask Go about payloads, all in one process."""
    lines = [
        json.dumps({"Event": name, "Payload": base64.b64encode(payload).decode()})
        for name, payload in questions
    ]
    done = subprocess.run(
        [str(program), "answer"],
        input="\n".join(lines).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(replies) == len(lines)
    return [
        Reply(
            _reading(one["Superset"]),
            *(_reading(one.get(form)) for form in ("Documented", "Later")),
        )
        for one in replies
    ]


def _reading(reply: dict[str, str] | None) -> Any:
    if reply is None:
        return None
    written = reply.get("Written")
    return Reading(reply.get("Problem", ""), None if written is None else base64.b64decode(written))


def shown(event: Any) -> dict[str, Any]:
    """Return an event as Go's program shows it: by wire names, times to the microsecond."""
    names = {
        field.metadata["betterproto"].number: field.name for field in dataclasses.fields(event)
    }
    result: dict[str, Any] = {}
    for field in event.DESCRIPTOR.fields:
        value = getattr(event, names[field.number])
        if isinstance(value, datetime):
            value = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
        elif isinstance(value, bytes):
            value = base64.b64encode(value).decode()
        elif field.json_name == "StopLoss":
            value = shown(value or v1.StopLoss())
        elif dataclasses.is_dataclass(value):
            value = shown(value)
        result[field.json_name] = value
    return result


def compare(name: str, payload: bytes, reply: Reply, counts: Counter[str]) -> Any:
    """Decode a payload and hold the result against Go's.

    Args:
        name: The event that the payload is meant to be.
        payload: The payload.
        reply: What Go made of it.
        counts: Counts what happened: ``"accepted"``, ``"refused"``, and the deviations.

    Returns:
        The event; ``None`` when it was refused.
    """
    context = f"{name} {payload!r}"
    go = reply.superset
    try:
        event = decode(getattr(v1, name), payload)
    except DecodeError as error:
        if go.problem:
            counts["refused"] += 1
        elif "is not UTF-8" in error.problem:
            assert not _is_utf8(payload), context
            counts["bad UTF-8, refused by us alone"] += 1
        elif "two spellings" in error.problem:
            assert name in ("OrderEvent", "ExecutionEvent"), context
            counts["two spellings of a key, refused by us alone"] += 1
        elif "outside of the years" in error.problem:
            # A repeated key may have put another time over it in Go.
            assert _repeats_timestamp(payload) or b"out of range" in (go.written or b""), context
            counts["time that a datetime cannot hold, refused by us alone"] += 1
        else:
            raise AssertionError(f"{error}, but Go reads {go.written!r} of {context}") from error
        return None
    assert not go.problem, f"we read {event}, but Go says {go.problem!r} of {context}"
    ours = shown(event)
    if name == "DeadLetterEvent":
        # Go shows bytes that nobody set as null.
        assert ours == {**go.value, "Data": go.value["Data"] or ""}, context
    else:
        assert ours == go.value, context
    counts["accepted"] += 1
    for form in (reply.documented, reply.later):
        _compare_form(ours, form, payload, counts)
    return event


def _compare_form(
    ours: dict[str, Any], form: Reading | None, payload: bytes, counts: Counter[str]
) -> None:
    """Compare with what a struct of the Go library holds, in the fields that it has."""
    if form is None or form.written is None:
        return
    counts["accepted by a struct of the Go library, too"] += 1
    for key, theirs in form.value.items():
        if not isinstance(theirs, dict):
            assert _same(key, ours[key], theirs), payload
            continue
        for inner, text in theirs.items():
            if not _same(inner, (ours[key] or {}).get(inner), text):
                # To the later code's pointer a null is an end: what came before it is gone.
                assert key == "Ohlc", payload
                assert b"null" in payload, payload
                assert text in ("", "0001-01-01T00:00:00Z"), payload
                counts["null takes an object back in the later code alone"] += 1


def _same(key: str, ours: Any, theirs: Any) -> bool:
    """Compare a single value; what is unset with us is empty in Go."""
    if ours == theirs or (not ours and theirs in ("", "0001-01-01T00:00:00Z")):
        return True
    if "Timestamp" not in key:
        return False
    # The same time, written in another way.
    return bool(_instant(ours) == _instant(theirs))


def _instant(text: Any) -> Any:
    return decode(v1.OrderEvent, json.dumps({"Timestamp": text}).encode()).timestamp


def _repeats_timestamp(payload: bytes) -> bool:
    """Whether an object has the key twice, in whatever case and with whatever escapes."""
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or sum(key.lower() == "timestamp" for key, _ in pairs) > 1

    json.loads(payload.decode("utf-8", "replace"), object_pairs_hook=look)
    return repeated


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
