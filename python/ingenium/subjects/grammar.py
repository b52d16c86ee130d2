"""Validation of NATS subjects, and matching of wildcards.

`ingenium.subjects.names` defines the subjects of events; this module defines which subjects are
valid at all, so that both buses refuse the same ones before anything is sent.
"""

from __future__ import annotations

import re

from ingenium.errors import SubjectError

__all__ = ["MAX_SUBJECT_BYTES", "check_pattern", "check_queue_group", "check_subject", "matches"]

MAX_SUBJECT_BYTES = 1024
"""Longer subjects are refused. By default a server accepts lines of 4,096 bytes and closes the
connection on a longer one."""

# Whitespace would end the subject in the protocol's line. Other control characters never belong in
# a subject, but a foreign server would accept them.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")


def _check(subject: str, what: str) -> list[str]:
    if not isinstance(subject, str):
        raise SubjectError(
            f"{what} {subject!r} is not a string: pass one like 'ingenium.my.subject'"
        )
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
        SubjectError: The subject is empty or too long, or contains whitespace, control characters,
            an empty token or a wildcard.
    """
    parts = _check(subject, "subject")
    if "*" in parts or ">" in parts:
        raise SubjectError(
            f"subject {subject[:80]!r} holds a wildcard: publish to one subject, without * and >"
        )


def check_pattern(pattern: str) -> None:
    """Refuse a subject or wildcard that is invalid for subscribing.

    Raises:
        SubjectError: The pattern is not a subject, a ``*`` or ``>`` is not a whole token, or ``>``
            is not the last one.
    """
    parts = _check(pattern, "subject")
    if ">" in parts[:-1]:
        raise SubjectError(f"subject {pattern[:80]!r} continues after >: > must be the last part")
    for part in parts:
        if len(part) > 1 and ("*" in part or ">" in part):
            raise SubjectError(
                f"subject {pattern[:80]!r} has a wildcard within a part: * and > stand alone"
            )


def check_queue_group(queue_group: str) -> None:
    """Refuse an invalid queue group name; the empty name means no group.

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
