"""Parameters of an app's function: kinds, bounds, and values that are refused."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from ingenium.control.registered_app import RegisteredApp, Value, parameters_of
from ingenium.errors import ConfigError

Days = Annotated[int, Meta(ge=2, le=50, title="days", description="Length")]


def make(
    days: Days,
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5,
    kind: Literal["a", "b"] = "a",
    label: str = "x",
    plain=3,
    is_on: bool = False,
    maybe: int | None = None,
    other: tuple[int, ...] = (),
) -> None:
    """Stand for a function that makes an app."""


APP = RegisteredApp("demo", "demo.py", {}, True, True, parameters_of(make))


def test_parameters_have_kind_bounds_unit_and_default() -> None:
    found = {each.name: each for each in APP.parameters}
    assert {name: each.kind for name, each in found.items()} == {
        "days": "integer",
        "share": "number",
        "kind": "choice",
        "label": "text",
        "plain": "integer",
        "is_on": "boolean",
    }
    days = found["days"]
    assert (days.minimum, days.maximum, days.default) == (2.0, 50.0, None)
    assert (days.unit, days.description) == ("days", "Length")
    assert found["kind"].choices == ("a", "b")


def test_values_left_out_have_their_defaults() -> None:
    assert APP.values({"days": 7}) == {
        "days": 7, "share": 0.5, "kind": "a", "label": "x", "plain": 3, "is_on": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "days has no default"),
        ({"days": 1}, "days is 1"),
        ({"days": 51}, "days is 51"),
        ({"days": True}, "days is True"),
        ({"days": "7"}, "days is '7'"),
        ({"days": 7, "share": 1.0}, "share is 1.0"),
        ({"days": 7, "kind": "c"}, "kind is 'c'"),
        ({"days": 7, "label": "a\0b"}, "without control characters"),
        ({"days": 7, "label": "x" * 201}, "201 characters"),
        ({"days": 7, "maybe": 1}, "no parameter 'maybe'"),
    ],
)
def test_other_values_are_refused(given: dict[str, Value], text: str) -> None:
    with pytest.raises(ConfigError, match=r".") as refused:
        APP.values(given)
    assert text in str(refused.value)
