"""A live app that is warmed up from history, in one process and in several, on all servers."""

from __future__ import annotations

import json
import math
import signal
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from support.delivering import jetstream
from support.plain_server import PlainServer
from support.running import Running, ingenium, running, until

from ingenium import backtest

BARS, HISTORY, OVERLAP = 240, 150, 10

APP = """
import asyncio, json, os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingenium import App, Bar, ExecutionEvent, Executor, Ingestor, RiskLimits
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

FOLDER = Path(__file__).parent

class Feed(Ingestor):
    async def ingest(self):
        for line in (FOLDER / "live.csv").read_text().splitlines()[1:]:
            time, symbol, price = line.split(",")
            if symbol == "last":
                break
            bar = Bar.make(symbol, datetime.fromisoformat(time), open=price, high=price, low=price,
                           close=price, volume="1000", period=timedelta(minutes=1))
            self.send_data(bar.event)
            await asyncio.sleep(0.002)
        await asyncio.Event().wait()

class Noting(FixedQuantity):
    def on_signal(self, event):
        super().on_signal(event)
        with open(FOLDER / "signals.txt", "a") as file:
            file.write(f"{event.symbol} {event.signal}\\n")

    def on_stop(self):
        held = {each: str(self.position(each).quantity) for each in ("AAPL", "MSFT")}
        (FOLDER / "positions.json").write_text(json.dumps(held))

class FillAll(Executor):
    def on_order(self, event):
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="100", update="filled",
        ))

def parts(name):
    return dict(
        name=name, strategies=[SmaCross(fast=3, slow=9)], portfolio=Noting(10), executor=FillAll(),
        risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None, price_collar=None),
    )

def history(kind):
    return [CsvIngestor(FOLDER / f"{symbol}.{kind}.csv", symbol=symbol, name=symbol.lower())
            for symbol in ("AAPL", "MSFT")]

def live():
    return App(ingestors=[Feed()], warm_up=history("past"), **parts("live"))

def past():
    return App(ingestors=history("all"), **parts("past"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = Random(9)
    prices = {"AAPL": 100.0, "MSFT": 200.0}
    head = "timestamp,open,high,low,close,volume"
    past = {symbol: [head] for symbol in prices}
    whole = {symbol: [head] for symbol in prices}
    live = ["time,symbol,price"]
    for minute in range(BARS):
        time = f"2024-01-02T{9 + minute // 60:02}:{minute % 60:02}:00+00:00"
        for symbol in prices:
            prices[symbol] *= math.exp(random.gauss(0, 0.01))
            price = f"{prices[symbol]:.2f}"
            row = f"{time},{price},{price},{price},{price},1000"
            whole[symbol].append(row)
            if minute < HISTORY:
                past[symbol].append(row)
            if minute >= HISTORY - OVERLAP:
                live.append(f"{time},{symbol},{price}")
    for symbol in prices:
        (tmp_path / f"{symbol}.past.csv").write_text("\n".join(past[symbol]) + "\n")
        (tmp_path / f"{symbol}.all.csv").write_text("\n".join(whole[symbol]) + "\n")
    (tmp_path / "live.csv").write_text("\n".join(live) + "\n")
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def signals_in(folder: Path) -> list[str]:
    path = folder / "signals.txt"
    return path.read_text().splitlines() if path.exists() else []


def of_backtest(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the signals and positions of one backtest over all bars, traded from history's end."""
    start = datetime(2024, 1, 2, 9 + HISTORY // 60, HISTORY % 60, 30, tzinfo=UTC)
    backtest.run(f"{folder / 'app.py'}:past", start=start)
    found = signals_in(folder), json.loads((folder / "positions.json").read_text())
    (folder / "signals.txt").unlink()
    (folder / "positions.json").unlink()
    return found


def stop(it: Running) -> None:
    it.send(signal.SIGINT)
    assert it.wait().code == 0


@pytest.mark.parametrize(
    ("server", "how"),
    [("embedded", []), ("embedded", ["--processes"]), ("plain", []), ("jetstream", [])],
)
def test_live_app_trades_after_its_warm_up_as_one_backtest_does(folder, tmp_path, server, how):
    signals, positions = of_backtest(folder)
    assert len(signals) > 5
    own = PlainServer(tmp_path, jetstream(tmp_path / "js") if server == "jetstream" else "")
    env = {}
    if server != "embedded":
        own.write(own.config)
        own.start()
        env = {"NATS_SERVER": own.url}
    try:
        with running("run", "app.py:live", *how, cwd=folder, env=env) as it:
            it.until_line("sma-cross is warmed up with 300 events of history")
            until(lambda: len(signals_in(folder)) >= len(signals), "all signals")
            stop(it)
    finally:
        if own.process is not None:
            own.kill()
    assert signals_in(folder) == signals
    assert json.loads((folder / "positions.json").read_text()) == positions
    assert "missing between" not in it.err


@pytest.mark.parametrize(
    ("rows", "code", "text"),
    [(None, 1, "AAPL.past.csv"), ("timestamp,open,high,low,close,volume\n", 1, "AAPL.past.csv")],
)
@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_live_app_whose_history_is_missing_or_empty_says_so_and_starts_nothing(
    folder, rows, code, text, how
):
    path = folder / "AAPL.past.csv"
    path.unlink()
    if rows is not None:
        path.write_text(rows)
    ended = ingenium("run", "app.py:live", *how, cwd=folder)
    assert ended.code == code, ended.err
    assert text in ended.err
    assert signals_in(folder) == []


def test_live_app_with_history_of_other_symbols_names_them(folder):
    text = (folder / "app.py").read_text().replace("SmaCross(fast=3", "SmaCross(['IBM'], fast=3")
    (folder / "app.py").write_text(text)
    ended = ingenium("run", "app.py:live", cwd=folder)
    assert ended.code == 2, ended.err
    assert "history has AAPL, MSFT, but sma-cross needs IBM: pass App(warm_up=...)" in ended.err
