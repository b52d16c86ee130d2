"""The parts of the bus that need no connection."""

import re
import socket
import ssl
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.bus.envelope import headers_for
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.bus.nats.addresses import is_final, parse_address, reason_of
from ingenium.config import Settings
from ingenium.errors import BusConnectError, BusError, SubjectError
from ingenium.ids import random_id
from ingenium.subjects.grammar import check_pattern, check_subject, matches
from ingenium.testing import data_event

PARTS = st.lists(st.sampled_from(["a", "b", "*", ">"]), min_size=1, max_size=4)


@given(PARTS, st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4))
def test_matches_agrees_with_a_regular_expression(pattern_parts, subject_parts):
    pattern, subject = ".".join(pattern_parts), ".".join(subject_parts)
    try:
        check_pattern(pattern)
    except SubjectError:
        assert ">" in pattern_parts[:-1]
        return
    expression = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
    assert matches(pattern, subject) == bool(re.fullmatch(expression, subject))


@given(st.text(max_size=20))
def test_checked_subject_is_safe_on_the_protocol_line(text):
    try:
        check_subject(text)
    except SubjectError:
        return
    line = f"PUB {text} 0\r\n".encode()
    assert line.split(b" ")[1].decode() == text
    assert line.count(b"\n") == line.count(b"\r") == 1
    assert not {"*", ">", ""} & set(text.split("."))


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=20),
        max_size=4,
    )
)
def test_headers_come_back_as_they_were_written(headers):
    assert dict(RawHeaders(encode_headers(headers))) == headers


@given(st.binary(max_size=60))
def test_no_bytes_make_reading_headers_fail(raw):
    assert all(isinstance(value, str) for value in RawHeaders(raw).values())


def test_headers_of_an_event_equal_those_written_one_by_one():
    event = data_event(id="data_1")
    expected = {
        "Ingenium-Source": "csv",
        "Content-Type": "application/json",
        "Nats-Msg-Id": "data_1",
    }
    assert headers_for(event, "csv") == expected
    assert encode_headers(headers_for(event, "csv")) == encode_headers(expected)
    assert "Nats-Msg-Id" not in headers_for(data_event(), "csv")
    assert headers_for(data_event(id="ä"), "csv")["Nats-Msg-Id"] == "ä"
    with pytest.raises(BusError, match="line break"):
        headers_for(data_event(id="a\r\nEvil: 1"), "csv")


@pytest.mark.parametrize(
    ("url", "servers", "user", "password", "token"),
    [
        ("nats://h:1", ("nats://h:1",), "", "", ""),
        ("h", ("nats://h:4222",), "", "", ""),
        ("tls://u:p@h", ("tls://h:4222",), "u", "p", ""),
        ("nats://t%40k@h:1", ("nats://h:1",), "", "", "t@k"),
        ("nats://u:a%2Fb@a:1, nats://b:2", ("nats://a:1", "nats://b:2"), "u", "a/b", ""),
        ("nats://[::1]:9", ("nats://[::1]:9",), "", "", ""),
    ],
)
def test_address_is_taken_apart(url, servers, user, password, token):
    address = parse_address(url)
    assert address.servers == servers
    assert (address.user, address.password, address.token) == (user, password, token)


def test_address_that_cannot_be_read_does_not_repeat_the_password():
    with pytest.raises(BusConnectError) as raised:
        parse_address("http://bob:hunter2@host")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "final", "reason"),
    [
        (ConnectionRefusedError(111, "x"), False, "connection refused: no server listens there"),
        (socket.gaierror(socket.EAI_NONAME, "Not known"), True, "unknown host: not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Try again"), False, "unknown host: try again"),
        (ssl.SSLError(1, "wrong version"), True, "TLS failed: "),
        (TimeoutError(), False, "no answer: is it a NATS server?"),
        (OSError(113, "No route to host"), False, "no route to that host"),
        (None, False, "no answer"),
    ],
)
def test_reason_says_what_a_person_can_act_on(error, final, reason):
    assert reason_of(error).startswith(reason)
    assert error is None or is_final(error) == final


def test_random_id_has_the_length_of_the_go_clients():
    made = {random_id("order") for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"order_[0-9A-Za-z]{27}", text) for text in made)


def test_settings_come_from_the_mapping_that_is_handed_in():
    settings = Settings.from_environment({"NATS_SERVER": " nats://h:1 ", "INGENIUM_DATA_DIR": "d"})
    assert settings.nats_server == "nats://h:1"
    assert settings.data_directory.name == "d"
    assert Settings.from_environment({}).data_directory.name == ".ingenium"


def test_import_loads_no_nats():
    code = "import sys, ingenium, ingenium.bus; sys.exit('nats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("secret", ["gehe/im", "ge#heim", "ge?heim", "12/34secret"])
def test_address_with_a_password_that_is_not_quoted_does_not_repeat_it(secret):
    from ingenium.bus.nats.addresses import parse_address
    from ingenium.errors import BusConnectError

    with pytest.raises(BusConnectError, match="%2F") as raised:
        parse_address(f"nats://u:{secret}@127.0.0.1:4222")
    for part in ("ge", "12", "34"):
        assert part not in str(raised.value)
    assert raised.value.__cause__ is None
