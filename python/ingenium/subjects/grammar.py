"""Validation of NATS subjects, and matching of wildcards.

`ingenium.subjects.names` knows which subjects the events have; this module knows what any subject
may look like, so that both buses refuse the same ones before anything is sent.
"""

from __future__ import annotations

import re

from ingenium.errors import SubjectError

__all__ = ["MAX_SUBJECT_BYTES", "check_pattern", "check_queue_group", "check_subject", "matches"]

MAX_SUBJECT_BYTES = 1024
"""Longer subjects are refused. A server takes a line of 4,096 bytes by default and ends the
connection over a longer one."""

# Whitespace would end the subject in the protocol's line, and other control characters have no
# business in one; a foreign server would take them.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")


def _check(subject: str, what: str) -> list[str]:
    if not isinstance(subject, str):
        raise SubjectError(f"{what} {subject!r} is no string: pass one like 'ingenium.my.subject'")
    if not subject:
        raise SubjectError(f"{what} is empty: pass one like 'ingenium.my.subject'")
    if found := _FORBIDDEN.search(subject):
        raise SubjectError(
            f"{what} {subject[:80]!r} holds {found.group()!r}: use parts without whitespace and "
            "control characters, with dots between them"
        )
    try:
        length = len(subject.encode())
    except UnicodeEncodeError as error:
        raise SubjectError(f"{what} {subject[:80]!r} cannot be written as UTF-8") from error
    if length > MAX_SUBJECT_BYTES:
        raise SubjectError(
            f"{what} {subject[:40]!r}... has {length} bytes: the longest allowed is "
            f"{MAX_SUBJECT_BYTES}"
        )
    parts = subject.split(".")
    if "" in parts:
        raise SubjectError(f"{what} {subject[:80]!r} has a leading, trailing or doubled dot")
    return parts


def check_subject(subject: str) -> None:
    """Refuse a subject that is invalid for publishing.

    Raises:
        SubjectError: It is empty or too long, or holds whitespace, control characters, an empty
            part or a wildcard.
    """
    parts = _check(subject, "subject")
    if "*" in parts or ">" in parts:
        raise SubjectError(
            f"subject {subject[:80]!r} holds a wildcard: publish to one subject, without * and >"
        )


def check_pattern(pattern: str) -> None:
    """Refuse a subject or wildcard that is invalid for subscribing.

    Raises:
        SubjectError: It is no subject, or a ``*`` or ``>`` stands where it means nothing.
    """
    parts = _check(pattern, "subject")
    if ">" in parts[:-1]:
        raise SubjectError(f"subject {pattern[:80]!r} goes on after >: it must be the last part")
    for part in parts:
        if len(part) > 1 and ("*" in part or ">" in part):
            raise SubjectError(
                f"subject {pattern[:80]!r} has a wildcard within a part: * and > stand alone"
            )


def check_queue_group(queue_group: str) -> None:
    """Refuse a name of a queue group that cannot be sent; the empty one means none.

    Raises:
        SubjectError: See `check_subject`.
    """
    if queue_group:
        _check(queue_group, "queue group")


def matches(pattern: str, subject: str) -> bool:
    """Return whether ``pattern``, with or without wildcards, matches ``subject``."""
    if pattern == subject:
        return True
    wanted = pattern.split(".")
    found = subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(found) > index
        if index >= len(found) or (part not in ("*", found[index])):
            return False
    return len(wanted) == len(found)
