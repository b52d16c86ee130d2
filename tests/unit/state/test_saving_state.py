"""State that users keep in components: saved as JSON, given back as the same values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.components import Strategy, handle_of
from ingenium.components.handle import ComponentHandle
from ingenium.errors import ComponentError
from ingenium.trading import state_digest

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


class Keeper(Strategy):
    def __init__(self, state: object = None) -> None:
        super().__init__(name="keeper")
        self.state = state

    def get_state(self) -> object:
        return self.state

    def set_state(self, state: Any) -> None:
        self.state = state


class Forgetful(Strategy):
    def get_state(self) -> object:
        return 1


def restored(component: Keeper) -> Keeper:
    other = Keeper()
    handle_of(other).restore_rows(handle_of(component).state_rows())
    return other


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.sampled_from(["$decimal", "$time", "$dict", "$float"])
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(texts | st.sampled_from(["$decimal", "$dict"]), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_state_comes_back_as_the_same_values_and_types(state: object) -> None:
    found = restored(Keeper(state)).state
    assert found == state
    assert repr(type(found)) == repr(type(state))
    rows = handle_of(Keeper([state])).state_rows()
    assert handle_of(restored(Keeper([state]))).state_rows() == rows


def test_state_of_equal_dicts_is_equal_to_the_byte() -> None:
    one, other = Keeper({"a": 1, "b": D(1)}), Keeper({"b": D(1), "a": 1})
    assert (
        handle_of(one).state_rows()
        == handle_of(other).state_rows()
        == {"user": b'{"a":1,"b":{"$decimal":"1"}}'}
    )


def D(value: int | str) -> Decimal:
    return Decimal(value)


def test_window_of_numbers_is_saved_as_it_is() -> None:
    keeper = Keeper({"window": [1.5, -2.25, 0.1]})
    assert handle_of(keeper).state_rows() == {"user": b'{"window":[1.5,-2.25,0.1]}'}
    assert restored(keeper).state == {"window": [1.5, -2.25, 0.1]}


def test_state_keeps_what_json_has_no_word_for() -> None:
    found = restored(Keeper({"a": nan, "b": -inf, "c": D("0.0000001"), "d": (1, 2)})).state
    assert isinstance(found, dict)
    assert isnan(found["a"])
    assert (found["b"], found["c"], found["d"]) == (-inf, D("0.0000001"), [1, 2])


def test_time_of_another_zone_comes_back_in_utc() -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    found = restored(Keeper(tokyo)).state
    assert isinstance(found, datetime)
    assert found == NOON
    assert found.utcoffset() == timedelta(0)
    assert (
        handle_of(Keeper(tokyo)).state_rows()["user"] == b'{"$time":"2024-01-02T12:00:00.000000Z"}'
    )


SELF: list[Any] = []
SELF.append(SELF)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"a": [1, {2, 3}]}, "value at ['a'][1] is of type set: return texts, numbers"),
        ({"a": {7: 1}}, "value at ['a'] has the key 7: use texts as keys, such as '7'"),
        (NOON.replace(tzinfo=None), "a time without a zone: use one in UTC"),
        (object(), "it is of type object"),
        (SELF, "it holds itself, or is nested too deep"),
        ("\ud800", "none in UTF-8"),
    ],
)
def test_state_that_cannot_be_saved_is_refused_with_its_place(state: object, text: str) -> None:
    with pytest.raises(ComponentError) as caught:
        handle_of(Keeper(state)).state_rows()
    assert "state of 'keeper' cannot be saved: " in str(caught.value)
    assert text in str(caught.value)


def test_state_without_set_state_is_refused_when_it_is_saved_first() -> None:
    text = "Forgetful 'forgetful' defines get_state, but no set_state"
    with pytest.raises(ComponentError, match=text):
        handle_of(Forgetful()).state_rows()
    with pytest.raises(ComponentError, match=text):
        handle_of(Forgetful()).restore_rows({"user": b"1"})


def test_component_without_state_has_no_rows() -> None:
    assert handle_of(Strategy()).state_rows() == {}
    assert handle_of(Strategy()).changed_rows() == {}
    assert handle_of(Strategy()).take_log() == []


def test_changed_rows_give_the_state_when_it_differs() -> None:
    keeper = Keeper(1)
    assert handle_of(keeper).changed_rows() == {"user": b"1"}
    assert handle_of(keeper).changed_rows() == {}
    keeper.state = 2
    assert handle_of(keeper).changed_rows() == {"user": b"2"}
    keeper.state = None
    assert handle_of(keeper).changed_rows() == {"user": None}
    assert handle_of(restored(Keeper(3))).changed_rows() == {}, "restoring counts as a call"


class Counting(ComponentHandle):
    """Has rows of its own and says nothing of changes, as an executor of a broker may."""

    def __init__(self) -> None:
        super().__init__("counting", "component")
        self.rows: dict[str, bytes] = {}

    def state_rows(self) -> dict[str, bytes]:
        return super().state_rows() | self.rows


def test_component_with_rows_of_its_own_gets_their_changes() -> None:
    handle = Counting()
    handle.rows = {"a": b"1", "b": b"1"}
    assert handle.changed_rows() == {"a": b"1", "b": b"1"}
    handle.rows = {"b": b"2"}
    assert handle.changed_rows() == {"b": b"2", "a": None}


def test_events_without_ids_go_on_being_counted() -> None:
    first = Strategy()
    handle_of(first).name_cause(b"{}", NOON)
    other = Strategy()
    handle_of(other).restore_rows(handle_of(first).state_rows())
    assert handle_of(other).name_cause(b"{}", NOON) == handle_of(first).name_cause(b"{}", NOON)


def test_row_of_another_component_is_refused() -> None:
    text = "strategy 'strategy' does not know the saved row 'account': run the class of component"
    with pytest.raises(ComponentError, match=text):
        handle_of(Strategy()).restore_rows({"account": b"{}"})
    with pytest.raises(ComponentError, match="does not know the saved row 'e' of kind 'ended'"):
        handle_of(Strategy()).restore_log([("ended", "e", b"{}")])


def test_digest_is_sha_256_of_lengths_names_and_contents() -> None:
    text = b"1 5 a[1.5]2 0 bc"
    assert state_digest({"bc": b"", "a": b"[1.5]"}) == sha256(text).hexdigest()


def test_digest_is_one_of_all_rows_whatever_their_order() -> None:
    assert state_digest({"a": b"1", "b": b"2"}) == state_digest({"b": b"2", "a": b"1"})
    different = [{}, {"a": b"1"}, {"a": b""}, {"a": b"1", "b": b""}, {"a1": b""}, {"": b"a1"}]
    assert len({state_digest(rows) for rows in different}) == len(different)
