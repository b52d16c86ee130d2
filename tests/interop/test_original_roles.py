"""Each role of the original Go library beside ours: in a replay, and live in each server mode.

Where ``INGENIUM_ORIGINAL_PROGRAMS`` names a folder with its programs, built as
``docs/original-go-library.md`` says, the same is done with them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import support.original_peer as peer
from support.delivering import jetstream
from support.running import ingenium, running

GOLDEN = Path(__file__).parents[1] / "golden" / "original"
PEER = Path(__file__).parents[1] / "support" / "original_peer.py"
FOLDER = os.environ.get("INGENIUM_ORIGINAL_PROGRAMS", "")
KINDS = ["peer", *(["original"] if FOLDER else [])]
ROLES = ["ingestor", "strategy", "portfolio", "executor"]
SYMBOLS = "AAPL,msft,BRK.B,rds.a"
"""In upper and lower case, plain and with a dot."""

APP = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta

from ingenium import (
    App, Bar, ExecutionEvent, Executor, External, Ingestor, Portfolio, RiskLimits, Signal, Strategy,
)

SYMBOLS = os.environ["SYMBOLS"].split(",")
COUNT = int(os.environ["COUNT"])
ROLE = os.environ["ROLE"]
COMMAND = os.environ["COMMAND"].split("|")
COUNTS = {}

def count(what):
    COUNTS[what] = COUNTS.get(what, 0) + 1
    if COUNTS[what] == COUNT:
        print("all", what, flush=True)

def bars():
    for number in range(COUNT):
        price = str(100 + number % 7)
        yield Bar.make(
            SYMBOLS[number % len(SYMBOLS)],
            datetime(2024, 1, 2, tzinfo=UTC) + timedelta(minutes=number // len(SYMBOLS)),
            open=price, high=price, low=price, close=price, volume="1000000",
            period=timedelta(minutes=1),
        ).event

class History(Ingestor):
    def read(self):
        yield from bars()

class Feed(Ingestor):
    async def ingest(self):
        for number, event in enumerate(bars()):
            self.send_data(event)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.Event().wait()

class EachBar(Strategy):
    def on_bar(self, bar):
        count("data")
        turn = COUNTS.get(bar.symbol, 0)
        COUNTS[bar.symbol] = turn + 1
        self.send_signal(bar.symbol, Signal.SHORT if turn % 2 else Signal.LONG)

class EachSignal(Portfolio):
    def on_signal(self, event):
        count("signals")
        self.send_order(event.symbol, "buy" if event.signal == Signal.LONG else "sell", 1,
                        time_in_force="gtc")
    def on_execution(self, event):
        count("executions")

class FillEach(Executor):
    def on_order(self, event):
        count("orders")
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="100.25", update="filled", execution_timestamp=event.timestamp))
    def on_stop(self):
        kinds = ("data", "signals", "orders", "executions")
        print("counts", *(f"{kind}={COUNTS.get(kind, 0)}" for kind in kinds), flush=True)

def make(ingestor):
    parts = {"ingestor": ingestor, "strategy": EachBar(SYMBOLS),
             "portfolio": EachSignal(cash=10_000_000), "executor": FillEach()}
    parts[ROLE] = External(ROLE, COMMAND, name="peer",
                           symbols=SYMBOLS if ROLE in ("ingestor", "strategy") else None)
    return App(name="roles", ingestors=[parts["ingestor"]], strategies=[parts["strategy"]],
               portfolio=parts["portfolio"], executor=parts["executor"],
               risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None,
                               price_collar=None))

def live():
    return make(Feed())

def history():
    return make(History())
"""


def golden(name: str) -> tuple[bytes, dict[str, Any]]:
    payload = (GOLDEN / f"{name}.json").read_bytes()
    return payload, json.loads(payload)


def _meta(event: dict[str, Any]) -> dict[str, str]:
    return {"id": event["Id"], "timestamp": event["Timestamp"]}


@pytest.mark.parametrize(
    "name", ["data_hour", "data_five_minutes_lower_case", "data_day_dotted_symbol"]
)
def test_peer_writes_data_byte_for_byte(name: str) -> None:
    payload, event = golden(name)
    ohlc = event["Ohlc"]
    prices = [float(ohlc[field]) for field in ("Open", "High", "Low", "Close")]
    start, period, volume = ohlc["Timestamp"], ohlc["Period"], int(ohlc["Volume"])
    assert peer.data(event["Symbol"], start, period, prices, volume, **_meta(event)) == payload


def test_peer_writes_signals_orders_and_executions_byte_for_byte() -> None:
    for name in ("signal_long", "signal_lower_case"):
        payload, event = golden(name)
        direction = event["Signal"].rpartition(".")[2]
        assert peer.signal_event(event["Symbol"], direction, **_meta(event)) == payload
    payload, event = golden("order_market")
    assert peer.order("CPNG", "buy", "1", **_meta(event)) == payload
    for name in ("execution_fill", "execution_small_fill"):
        payload, event = golden(name)
        found = peer.execution(
            event["OrderId"],
            event["Quantity"],
            event["Price"],
            event["ExecutionTimestamp"],
            **_meta(event),
        )
        assert found == payload
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?-05:00", peer.go_now())


def _environment(kind: str, role: str, count: int) -> dict[str, str]:
    arguments = ["-symbols", SYMBOLS]
    if kind == "peer":
        command = [sys.executable, str(PEER), role, *arguments]
    else:
        command = [str(Path(FOLDER).absolute() / role), *arguments]
    if role == "ingestor":
        command += ["-count", str(count)]
    return {"ROLE": role, "SYMBOLS": SYMBOLS, "COUNT": str(count), "COMMAND": "|".join(command)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture(params=["plain", "jetstream", "accounts"])
def server(request: pytest.FixtureRequest, make_server: Any, tmp_path: Path) -> dict[str, str]:
    """The environment that names a server; none for an embedded one, which has accounts."""
    if request.param == "accounts":
        return {}
    config = "" if request.param == "plain" else jetstream(tmp_path / "js")
    return {"NATS_SERVER": make_server(config).url}


Count = Callable[[str, str], int]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS)
def test_role_of_the_original_takes_part_live(
    folder: Path, server: dict[str, str], kind: str, role: str
) -> None:
    is_plain = bool(server) and not (folder / "js").exists()
    count = 10_000 if is_plain and role == "strategy" else 120
    env = _environment(kind, role, count) | server
    consumed = {"strategy": "data", "portfolio": "signals", "executor": "orders"}
    with running("run", "app.py:live", cwd=folder, env=env) as it:
        it.until_line("is ready: ")
        for own, what in consumed.items():
            if own != role:
                it.until_line(f"all {what}")
        if role != "portfolio":
            it.until_line("all executions")
        if role == "ingestor":
            it.until_line("peer | ended with 0: all its data is sent, so it is not restarted")
        it.send(signal.SIGTERM)
        ended = it.wait()
    assert ended.code == 0, ended.out + ended.err
    if role != "executor":
        seen = {
            "data": count * (role != "strategy"),
            "signals": count * (role != "portfolio"),
            "orders": count,
            "executions": count * (role != "portfolio"),
        }
        said = " ".join(f"{what}={number}" for what, number in seen.items())
        assert f"counts {said}" in ended.out
    assert "dead letter" not in ended.err


@pytest.mark.timeout(120)
@pytest.mark.parametrize("role", ROLES[1:])
@pytest.mark.parametrize("kind", KINDS)
def test_role_of_the_original_takes_part_in_a_replay(
    folder: Path, server: dict[str, str], kind: str, role: str
) -> None:
    count = 60
    env = _environment(kind, role, count) | server
    ended = ingenium("run", "app.py:history", "--json", cwd=folder, env=env)
    assert ended.code == 0, ended.err
    answer = json.loads(ended.out.splitlines()[-1])
    assert answer["counts"] == {
        "data": count,
        "signals": count,
        "orders": count,
        "executions": count,
        "dead_letters": 0,
    }
    assert answer["inexact"][0].startswith("waited 0.02 s for peer, which reports nothing")
