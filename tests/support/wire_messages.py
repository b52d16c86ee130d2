"""Any event of any type, for property tests."""

from __future__ import annotations

import dataclasses
import typing
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from ingenium._gen.ingenium import v1

__all__ = ["EVENTS", "NOON", "TEXT", "TYPES", "messages"]

TYPES = [
    v1.DataEvent,
    v1.SignalEvent,
    v1.OrderEvent,
    v1.ExecutionEvent,
    v1.DeadLetterEvent,
    v1.LockstepReport,
    v1.LockstepGrant,
    v1.ComponentStatus,
]
NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# Year 1 is not for events: its first moment means "not set".
TIME = st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    int: st.integers(0, 2**32 - 1),
    datetime: TIME,
}


def messages(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Make any message of a type."""
    fields = {}
    for name, hint in typing.get_type_hints(cls).items():
        if name not in {field.name for field in dataclasses.fields(cls)}:
            continue
        options = typing.get_args(hint) or (hint,)
        kind = options[0]
        one = VALUES[kind] if kind in VALUES else messages(kind)
        if kind is v1.StopLoss:
            # An empty one reads as none.
            one = one.filter(bool)
        if typing.get_origin(hint) is list:
            one = st.lists(one, max_size=2)
        fields[name] = one if len(options) == 1 else st.none() | one
    return st.builds(cls, **fields)


EVENTS = st.one_of([messages(cls) for cls in TYPES])
