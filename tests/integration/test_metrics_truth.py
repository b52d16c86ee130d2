"""Metrics of a live app on a real server, against what its streams hold, counted otherwise."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import signal
import sqlite3
import statistics
import urllib.request
from collections import Counter
from contextlib import closing, suppress
from decimal import Decimal
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from typing import Any

from support.running import Running, running, until

from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.config import Settings
from ingenium.operations.apps import as_operator, find_app
from ingenium.subjects.names import SIGNAL

SYMBOLS = ("AAPL", "IBM", "MSFT")
EACH = 200
BARS = EACH * len(SYMBOLS)
DATA = Path(__file__).parents[2] / "examples" / "data"
CASH = Decimal(100_000)
APP = """
import asyncio, csv
from datetime import datetime, timedelta

from ingenium import App, Bar, Ingestor, RiskLimits
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

SYMBOLS = ["AAPL", "IBM", "MSFT"]

class Replay(Ingestor):
    async def ingest(self):
        rows = []
        for symbol in SYMBOLS:
            with open(f"{symbol}.csv") as file:
                rows += [row | {"symbol": symbol} for row in csv.DictReader(file)]
        for row in sorted(rows, key=lambda row: (row["timestamp"], row["symbol"])):
            start = datetime.fromisoformat(row["timestamp"])
            self.send_data(Bar.make(
                row["symbol"], start, open=row["open"], high=row["high"], low=row["low"],
                close=row["close"], volume=row["volume"], period=timedelta(days=1),
            ).event)
            await asyncio.sleep(0.002)
        await asyncio.Event().wait()

app = App(
    name="counted",
    ingestors=[Replay(name="prices")],
    strategies=[RsiStrategy(SYMBOLS, name="rsi")],
    portfolio=FixedQuantity(10, name="fixed"),
    executor=PaperExecutor(name="paper", clock="data"),
    risk=RiskLimits(max_order_notional=LIMIT, price_collar=None, max_orders_per_second=None,
                    duplicate_seconds=None),
)
"""
_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Scrape = dict[tuple[str, ...], float]


def scrape(url: str) -> Scrape:
    """Return the values by name and labels' values, without buckets."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found: Scrape = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            matched = _LINE.match(line)
            assert matched, line
            labels = dict(_LABEL.findall(matched[2] or ""))
            if "le" not in labels:
                found[matched[1], *labels.values()] = float(matched[3])
    return found


async def read_streams(folder: Path) -> tuple[list[tuple[str, Any]], int]:
    """Return subject and JSON of each message of the stream of orders, and the number of bars."""
    place = find_app(Settings(data_directory=folder / ".ingenium"), "counted")
    found: list[tuple[str, Any]] = []
    async with as_operator(place) as bus:
        js = bus.client.jetstream()
        last = (await js.stream_info(MONEY_STREAM.name)).state.last_seq
        for sequence in range(1, last + 1):
            message = await js.get_msg(MONEY_STREAM.name, sequence)
            text = message.data or b""
            found.append((message.subject or "", json.loads(text) if text[:1] == b"{" else None))
        bars = (await js.stream_info(DATA_STREAM.name)).state.messages
    return found, bars


async def send_garbage(folder: Path) -> None:
    place = find_app(Settings(data_directory=folder / ".ingenium"), "counted")
    async with as_operator(place) as bus:
        await bus.client.jetstream().publish(SIGNAL, b"no JSON")


def settled(url: str, run: Running) -> Scrape:
    """Return the metrics once all bars are handled and nothing waits."""
    found: Scrape = {}
    before: Scrape = {}

    def is_settled() -> bool:
        nonlocal found, before
        assert "Traceback" not in run.err, run.err
        before, found = found, scrape(url)
        handled = "messaging_client_consumed_messages_total"
        return (
            all(
                found.get((handled, each, "DataEvent")) == BARS
                for each in ("rsi", "fixed", "paper")
            )
            and found.get(("ingenium_dead_letters_total", "fixed")) == 1
            and not any(found.get(("ingenium_component_outbox", each)) for each in ("fixed", "rsi"))
            and {k: v for k, v in found.items() if "lag" not in k[0]}
            == {k: v for k, v in before.items() if "lag" not in k[0]}
        )

    # Gauges are set once per second.
    until(is_settled, "all bars are handled", pause_seconds=1.5)
    return found


def test_metrics_are_the_counts_of_the_streams(tmp_path: Path, unused_port: int) -> None:
    closes: dict[str, list[Decimal]] = {}
    for symbol in SYMBOLS:
        rows = (DATA / f"{symbol}.csv").read_text().splitlines(True)[: EACH + 1]
        (tmp_path / f"{symbol}.csv").write_text("".join(rows))
        closes[symbol] = [Decimal(row["close"]) for row in csv.DictReader(rows)]
    # A reversal is an order of 20: some of them are denied.
    limit = 20 * statistics.median(chain(*closes.values()))
    (tmp_path / "app.py").write_text(APP.replace("LIMIT", f'"{limit}"'))
    on = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(unused_port),
    }
    arguments = ("run", "app.py", "--record", "--database", "record.db")
    with running(*arguments, cwd=tmp_path, env=on) as run:
        run.until_line("all is ready")
        asyncio.run(send_garbage(tmp_path))
        found = settled(f"http://localhost:{unused_port}/metrics", run)
        messages, bars = asyncio.run(read_streams(tmp_path))
        run.send(signal.SIGINT)
        assert run.wait().code == 0
    kinds = Counter(subject for subject, _ in messages)
    by = {
        subject: [content for each, content in messages if each == subject and content]
        for subject in kinds
    }
    signals, orders = by["ingenium.strategy.signal"], by["ingenium.portfolio.order"]
    executions, denials = by["ingenium.executor.execution"], by["ingenium.risk.denial"]
    assert len(orders) > 10
    assert len(denials) > 2
    assert bars == BARS

    sent = {
        key[1:]: value for key, value in found.items() if key[0].endswith("sent_messages_total")
    }
    assert sent == {
        ("prices", "DataEvent"): BARS,
        ("rsi", "SignalEvent"): len(signals),
        ("fixed", "OrderEvent"): len(orders),
        ("fixed", "DenialEvent"): len(denials),
        ("fixed", "DeadLetterEvent"): kinds["ingenium.deadletter.fixed"],
        ("paper", "ExecutionEvent"): len(executions),
    }
    assert kinds["ingenium.deadletter.fixed"] == 1
    # That of the garbage.
    assert found["ingenium_bus_incidents_total", "undecodable"] == 1

    def values_of(name: str) -> dict[str, float]:
        return {key[-1]: value for key, value in found.items() if key[0] == name}

    assert values_of("ingenium_order_reports_total") == Counter(
        each["Update"] for each in executions
    )
    assert values_of("ingenium_order_denials_total") == Counter(each["Reason"] for each in denials)

    fills = [each for each in executions if each["Update"] in {"filled", "partial_fill"}]
    assert values_of("ingenium_event_latency_seconds_count") == {
        "bar_to_signal": len(signals),
        "bar_to_order": len(orders),
        "order_to_fill": len({each["OrderId"] for each in fills}),
    }
    sums = values_of("ingenium_event_latency_seconds_sum")
    # None took as long as an event may be old.
    assert all(0 < seconds < 30 * len(signals) for seconds in sums.values())

    cash, held = CASH, dict.fromkeys(SYMBOLS, Decimal(0))
    for fill in fills:
        quantity = Decimal(fill["Quantity"]) * (1 if fill["Side"] == "buy" else -1)
        held[fill["Symbol"]] += quantity
        cash -= quantity * Decimal(fill["Price"]) + Decimal(fill.get("Commission") or 0)
    worth = [quantity * closes[symbol][-1] for symbol, quantity in held.items()]
    assert len(set(held.values())) > 1
    assert found["ingenium_account_cash", "fixed"] == float(cash)
    assert found["ingenium_account_equity", "fixed"] == float(cash + sum(worth))
    assert values_of("ingenium_account_exposure") == {
        "long": float(sum(each for each in worth if each > 0)),
        "short": float(-sum(each for each in worth if each < 0)),
    }
    assert values_of("ingenium_account_positions") == {
        "long": sum(each > 0 for each in worth),
        "short": sum(each < 0 for each in worth),
    }
    ended = {each["OrderId"] for each in executions} - {
        each["OrderId"]
        for each in {each["OrderId"]: each for each in executions}.values()
        if each["Update"] in {"new", "accepted", "partial_fill"}
    }
    working = len({each["Id"] for each in orders} - ended)
    assert found["ingenium_order_working", "fixed", "working"] == working
    assert found["ingenium_order_working", "paper", "working"] == working
    assert found["ingenium_trading_state", "fixed"] == 0
    assert found["ingenium_component_lag_seconds", "fixed"] == 0

    recorded = values_of("ingenium_recorder_events_total")
    assert recorded == {"INGENIUM": len(messages), "INGENIUM_DATA": BARS}
    assert values_of("ingenium_recorder_lag_seconds") == {"INGENIUM": 0, "INGENIUM_DATA": 0}
    with closing(sqlite3.connect(tmp_path / "record.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (len(messages) + BARS,)


def test_each_process_and_the_recorder_beside_them_export_metrics(
    tmp_path: Path, unused_port: int
) -> None:
    for symbol in SYMBOLS:
        rows = (DATA / f"{symbol}.csv").read_text().splitlines(keepends=True)
        (tmp_path / f"{symbol}.csv").write_text("".join(rows[: EACH + 1]))
    (tmp_path / "app.py").write_text(APP.replace("LIMIT", "None"))
    on = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(unused_port),
    }
    recorder = f"http://localhost:{unused_port}/metrics"
    bars = ("ingenium_recorder_events_total", DATA_STREAM.name)
    with running("run", "app.py", "--processes", "--record", cwd=tmp_path, env=on) as run:
        run.until_line("all is ready")
        until(lambda: scrape(recorder).get(bars) == BARS, "the recorder has written all bars")
        # What no component is in has the numbers of none, and the others have their own.
        assert {name for name, *_ in scrape(recorder)} <= {
            "ingenium_recorder_events_total",
            "ingenium_recorder_gaps_total",
            "ingenium_recorder_lag_seconds",
        }
        components = set()
        # A port that something else has is passed over.
        for port in range(unused_port + 1, unused_port + 9):
            with suppress(OSError, HTTPException):
                names = scrape(f"http://localhost:{port}/metrics")
                components |= {
                    labels[0] for name, *labels in names if name == "ingenium_component_lag_seconds"
                }
        assert components >= {"rsi", "fixed", "paper"}
        run.send(signal.SIGINT)
        assert run.wait().code == 0
