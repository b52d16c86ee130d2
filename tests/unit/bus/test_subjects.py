"""No input reaches another subject."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium import DataEvent, ExecutionEvent, OrderEvent, SignalEvent, SubjectError
from ingenium.events import DeadLetterEvent, Event
from ingenium.subjects.names import (
    ALL_DATA,
    MAX_SYMBOL_LENGTH,
    check_symbol,
    data_subject,
    dead_letter_subject,
    event_type_of,
    grant_subject,
    report_subject,
    subject_for,
    subject_of,
)


@pytest.mark.parametrize(
    ("symbol", "subject"),
    [
        ("AAPL", "ingenium.ingestor.data.aapl"),
        ("BRK.B", "ingenium.ingestor.data.brk.b"),
        ("BTC/USD", "ingenium.ingestor.data.btc/usd"),
        ("^GSPC", "ingenium.ingestor.data.^gspc"),
        ("ES=F", "ingenium.ingestor.data.es=f"),
        ("50%", "ingenium.ingestor.data.50%"),
        # Go lower-cases letter by letter: one letter for one, whatever stands beside it.
        ("İ", "ingenium.ingestor.data.i"),
        ("ΑΣ", "ingenium.ingestor.data.ασ"),
    ],
)
def test_data_subject_symbol_is_lower_cased_as_go_does(symbol: str, subject: str) -> None:
    assert data_subject(symbol) == subject


@pytest.mark.parametrize(
    "symbol",
    [
        None, 5, "", " ", " A", "A ", "A\tB", "A\n", "A\u00a0B", "*", "A*", "A *", ">", "A.>", ".A",
        "A.", "A..B", "A\x00", "\ud800",
    ],
)  # fmt: skip
def test_check_symbol_that_means_other_subjects_is_refused(symbol: str) -> None:
    with pytest.raises(SubjectError, match="symbol"):
        data_subject(symbol)


@pytest.mark.parametrize(
    ("symbol", "part"),
    [
        ("BRK B", "brk%20b"),
        ("ES Z4", "es%20z4"),
        ("A  B.C D", "a%20%20b.c%20d"),
        ("50% X", "50%%20x"),
        ("A%20B", "a%2520b"),
        ("A%2a", "a%252a"),
        ("A%2", "a%2"),
    ],
)
def test_data_subject_space_is_written_by_its_number(symbol: str, part: str) -> None:
    assert data_subject(symbol) == f"ingenium.ingestor.data.{part}"
    assert event_type_of(data_subject(symbol)) is DataEvent


@given(st.text("AaBb2 0e5%./", min_size=1, max_size=12))
def test_data_subject_holds_the_whole_symbol(symbol: str) -> None:
    try:
        subject = data_subject(symbol)
    except SubjectError:
        return
    assert unquote(subject.removeprefix("ingenium.ingestor.data.")) == symbol.lower()


@pytest.mark.parametrize("name", ["a b", "a*", ">", ".a", "a.", "a..b", "", "a\n", 5])
def test_name_of_component_or_app_is_not_written_in_another_way(name: str) -> None:
    for subject in (dead_letter_subject, report_subject, grant_subject):
        with pytest.raises(SubjectError, match="name"):
            subject(name)


def test_check_symbol_too_long_is_refused_with_the_limit() -> None:
    check_symbol("A" * MAX_SYMBOL_LENGTH)
    with pytest.raises(SubjectError, match="64"):
        check_symbol("A" * (MAX_SYMBOL_LENGTH + 1))


def test_check_symbol_no_string_is_refused_with_its_value() -> None:
    with pytest.raises(SubjectError, match="12"):
        check_symbol(12)  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_data_subject_any_text_is_refused_or_stays_below_its_prefix(symbol: str) -> None:
    try:
        subject = data_subject(symbol)
    except SubjectError:
        return
    prefix, tokens = subject[:23], subject[23:].split(".")
    assert prefix == "ingenium.ingestor.data."
    assert all(tokens)
    assert not any(set(token) & set("*> \t\r\n\x00") for token in tokens)
    subject.encode()


def test_all_data_reaches_dotted_symbols_too() -> None:
    assert ALL_DATA == "ingenium.ingestor.data.>"


def test_subject_of_each_event_and_back() -> None:
    cases: list[tuple[Event, str]] = [
        (DataEvent(symbol="A"), "ingenium.ingestor.data.a"),
        (SignalEvent(symbol="A"), "ingenium.strategy.signal"),
        (OrderEvent(symbol="A"), "ingenium.portfolio.order"),
        (ExecutionEvent(), "ingenium.executor.execution"),
        (DeadLetterEvent(component="rsi"), "ingenium.deadletter.rsi"),
    ]
    for event, subject in cases:
        assert subject_of(event) == subject
        assert event_type_of(subject) is type(event)


def test_subject_of_order_without_symbol_is_refused() -> None:
    with pytest.raises(SubjectError, match="empty"):
        subject_of(OrderEvent())


def test_subject_for_type_without_subject_is_refused() -> None:
    with pytest.raises(SubjectError, match="int"):
        subject_for(int)  # type: ignore[arg-type]


def test_control_subjects_lie_outside_of_all_events() -> None:
    assert not report_subject("demo").startswith("ingenium.")
    assert not grant_subject("demo").startswith("ingenium.")
    with pytest.raises(SubjectError):
        grant_subject("a.>")
    with pytest.raises(SubjectError):
        dead_letter_subject("*")


def test_event_type_of_foreign_subject_is_none() -> None:
    assert event_type_of("ingenium.other") is None
