"""Trace identity against the formulas of its page, computed here from bytes."""

import hashlib

import pytest

from ingenium.telemetry.trace_context import (
    TraceContext,
    known_traceparent,
    parse_traceparent,
    process_span_id,
    send_span_id,
    trace_id_of,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_ids_follow_from_event_ids() -> None:
    whole = hashlib.sha256(b"tracedata_1").digest()
    assert bytes.fromhex(trace_id_of("data_1")) == whole[:16]
    assert bytes.fromhex(send_span_id("data_1")) == hashlib.sha256(b"senddata_1").digest()[:8]
    handled = hashlib.sha256("processdata_1/größe".encode()).digest()
    assert bytes.fromhex(process_span_id("data_1", "größe")) == handled[:8]


def test_ids_are_of_the_text_also_with_a_lone_surrogate() -> None:
    whole = hashlib.sha256(b"trace\xed\xa0\x80").hexdigest()
    assert trace_id_of("\ud800") == whole[:32]


def test_header_is_that_of_the_specification() -> None:
    # The example of the specification, section 3.2.
    text = f"00-{TRACE}-{SPAN}-01"
    assert TraceContext(TRACE, SPAN, True).traceparent == text
    assert parse_traceparent(text) == TraceContext(TRACE, SPAN, True)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-00") == TraceContext(TRACE, SPAN, False)


def test_flags_of_the_future_do_not_hide_the_sampled_one() -> None:
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-03") == TraceContext(TRACE, SPAN, True)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-02") == TraceContext(TRACE, SPAN, False)
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-01-more") == TraceContext(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no header",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\nfurther: header",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_malformed_header_is_ignored(text: str) -> None:
    assert parse_traceparent(text) is None
    assert known_traceparent(text) == ""


def test_known_header_is_as_it_is_written_here() -> None:
    assert known_traceparent(f"00-{TRACE}-{SPAN}-01") == f"00-{TRACE}-{SPAN}-01"
    assert known_traceparent(f" 00-{TRACE}-{SPAN}-03") == f"00-{TRACE}-{SPAN}-01"
    assert known_traceparent(f"cc-{TRACE}-{SPAN}-02-more") == f"00-{TRACE}-{SPAN}-00"
