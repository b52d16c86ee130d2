"""Log records: text and JSON, what is handled meanwhile, secrets, levels, and OTLP."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.otlp_receiver import attributes_of, receiving
from support.running import ingenium

from ingenium.errors import ConfigError
from ingenium.telemetry.logs import configure_logs, redact, set_log_level

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5In0.eyJqdGkiOiJYIn0.c2lnbmF0dXJl"
CREDS = f"""-----BEGIN NATS USER JWT-----
{JWT}
------END NATS USER JWT------
-----BEGIN USER NKEY SEED-----
{SEED}
------END USER NKEY SEED------"""
APP = """
import logging
from ingenium import App, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity

class Talker(Strategy):
    def on_bar(self, bar):
        logging.getLogger("ingenium.mine").info("close %s at nats://ann:hunter2@host", bar.close)

app = App(
    name="talk", ingestors=[CsvIngestor("AAPL.csv", name="prices")],
    strategies=[Talker(["AAPL"], name="talker")], portfolio=FixedQuantity(1),
    executor=PaperExecutor(),
)
"""
DATA = Path(__file__).parents[3] / "examples" / "data" / "AAPL.csv"


@contextmanager
def written(format_name: str, level: str = "info", component: str = "") -> Iterator[io.StringIO]:
    stream, logger = io.StringIO(), logging.getLogger("ingenium")
    before = logger.level
    handler = configure_logs(format_name, level, component, stream)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)
        logger.setLevel(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at nats://ann:hunter2@host:4222/x", "at nats://***@host:4222/x"),
        ("at tls://t0ken@host, nats://b:c@d", "at tls://***@host, nats://***@d"),
        ("at nats://host:4222 as ann@desk", "at nats://host:4222 as ann@desk"),
        (f"seed is {SEED}!", "seed is ***!"),
        (f"jwt {JWT}", "jwt ***"),
        (f"file:\n{CREDS}", "file:\n***\n***"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ('{"password": "a b", "user": "ann"}', '{"password": ***, "user": "ann"}'),
        ("api_key=abc&x=1 auth_token: q1", "api_key=***&x=1 auth_token: ***"),
        ("secret='a b', x", "secret=***, x"),
        ("AAPL: SUPERB signal, tokens 5", "AAPL: SUPERB signal, tokens 5"),
    ],
)  # fmt: skip
def test_secrets_are_replaced_and_other_text_is_not(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_text_has_time_level_and_component_and_the_exception_without_secrets() -> None:
    with written("text", component="rsi") as stream:
        try:
            raise ValueError("cannot reach nats://a:b@host")
        except ValueError:
            logging.getLogger("ingenium.bus").exception("lost\nall of it")
    first, *rest = stream.getvalue().splitlines()
    assert first[10] == "T"
    assert first.endswith("Z ERROR rsi: lost\\nall of it")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: cannot reach nats://***@host"


def test_json_is_one_object_a_line() -> None:
    with written("json", component="rsi") as stream:
        logging.getLogger("ingenium.bus").warning("two\nlines of %s", "nats://a:b@host")
    [line] = stream.getvalue().splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "WARNING",
        "component": "rsi",
        "logger": "ingenium.bus",
        "message": "two\\nlines of nats://***@host",
    }


def test_level_changes_at_run_time_for_all_or_for_one_logger() -> None:
    with written("text", "warning") as stream:
        logger, other = logging.getLogger("ingenium.bus"), logging.getLogger("ingenium.risk")
        logger.info("one")
        set_log_level("INFO")
        logger.info("two")
        set_log_level("error")
        set_log_level("debug", "ingenium.risk")
        try:
            logger.warning("three")
            other.debug("four")
        finally:
            other.setLevel(logging.NOTSET)
    assert [line.rpartition(": ")[2] for line in stream.getvalue().splitlines()] == ["two", "four"]


def test_unknown_format_and_level_are_errors_with_the_cure() -> None:
    with pytest.raises(ConfigError, match="use text or json"):
        configure_logs("xml", "info")
    with pytest.raises(ConfigError, match="use debug, info, warning, error"):
        set_log_level("loud")


@pytest.mark.timeout(150)
def test_backtest_writes_json_and_exports_records_with_the_trace_of_the_bar(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "AAPL.csv").write_text("".join(DATA.read_text().splitlines(True)[:4]))
    with receiving() as received:
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url}
        options = ("--log-format", "json", "--record", "--database", "r.db")
        ended = ingenium("backtest", "app.py", *options, cwd=tmp_path, env=on)
    assert ended.code == 0, ended.err
    lines = [json.loads(line) for line in ended.err.splitlines()]
    said = [line for line in lines if line["logger"] == "ingenium.mine"]
    assert len(said) == 3
    assert {line["component"] for line in said} == {"talker"}
    assert all(line["message"].endswith("at nats://***@host") for line in said)
    exported = [
        each for each in received.logs if attributes_of(each).get("logger.name") == "ingenium.mine"
    ]
    assert [each.body.string_value for each in exported] == [line["message"] for line in said]
    assert [each.trace_id.hex() for each in exported] == [line["trace_id"] for line in said]
    assert [each.span_id.hex() for each in exported] == [line["span_id"] for line in said]
    assert {attributes_of(each)["ingenium.component"] for each in exported} == {"talker"}
    # The ids follow from those of the recorded bars.
    shown = ingenium("trace", said[0]["trace_id"], "--database", "r.db", "--json", cwd=tmp_path)
    bar = json.loads(shown.out)["hops"][0]["id"]
    assert hashlib.sha256(f"trace{bar}".encode()).hexdigest()[:32] == said[0]["trace_id"]
    span = hashlib.sha256(f"process{bar}/talker".encode()).hexdigest()[:16]
    assert said[0]["span_id"] == span
