"""Apps with a component that is another program."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from support.running import ingenium, running, until

APP = """
import sys
from ingenium import App, External
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.components import handle_of
from ingenium.strategies import RsiStrategy

def make(strategy):
    return App(name="ext", ingestors=[CsvIngestor("IBM.csv"), CsvIngestor("AAPL.csv", name="a")],
               strategies=[strategy], portfolio=FixedQuantity(10), executor=PaperExecutor())

def python():
    return make(RsiStrategy(["AAPL", "IBM"], name="rsi"))

def external():
    return make(External("strategy", [sys.executable, "rsi.py"], name="rsi",
                         symbols=["AAPL", "IBM"]))

def missing():
    return make(External("strategy", ["no-such-program-at-all"], name="rsi"))

def stalling(seconds="0.06"):
    return make(External("strategy", [sys.executable, "stalling.py", seconds], name="rsi",
                         symbols=["AAPL", "IBM"]))

def stalling_30(): return stalling("0.03")
def stalling_60(): return stalling("0.06")
def stalling_200(): return stalling("0.2")

def short():
    return make(External("strategy", [sys.executable, "-c", "print('good-bye')"], name="rsi",
                         symbols=["AAPL"]))

def deaf():
    return make(External("strategy", [sys.executable, "deaf.py"], name="rsi", symbols=["AAPL"]))
"""

# As a component of another library would: it only subscribes and publishes, symbol by symbol.
RSI = """
import asyncio, sys
from ingenium import Bar, DataEvent, SignalEvent, connect
from ingenium.components import handle_of
from ingenium.strategies import RsiStrategy

async def main():
    bus = await connect()
    strategy = RsiStrategy(["AAPL", "IBM"])

    async def on_data(event):
        bar = Bar.from_event(event)
        handle_of(strategy).begin(event.id, bar.end)
        strategy.on_bar(bar)
        for signal in handle_of(strategy).take():
            await bus.publish(SignalEvent(symbol=signal.symbol, signal=signal.signal))

    for symbol in ("AAPL", "IBM"):
        await bus.subscribe(DataEvent, symbol=symbol, handler=on_data)
    print("subscribed", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

# As the original library writes it: no header, no time, and now and then a long pause.
STALLING = """
import asyncio, json, os, sys, time
import nats
from ingenium import Bar, DataEvent, decode
from ingenium.components import handle_of
from ingenium.strategies import RsiStrategy

async def main():
    client = await nats.connect(os.environ["NATS_SERVER"])
    strategy = RsiStrategy(["AAPL", "IBM"])
    count = 0

    async def on_data(message):
        nonlocal count
        count += 1
        bar = Bar.from_event(decode(DataEvent, message.data))
        handle_of(strategy).begin(str(count), bar.end)
        strategy.on_bar(bar)
        if count % 100 == 0:
            time.sleep(float(sys.argv[1]))
        for signal in handle_of(strategy).take():
            words = {"Symbol": signal.symbol, "Signal": signal.signal}
            await client.publish("ingenium.strategy.signal", json.dumps(words).encode())

    for symbol in ("aapl", "ibm"):
        await client.subscribe(f"ingenium.ingestor.data.{symbol}", cb=on_data)
    await client.flush()
    await asyncio.Event().wait()

asyncio.run(main())
"""

DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", os.getpid(), flush=True)
time.sleep(600)
"""

ROWS = 250


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = Path(__file__).parents[2] / "examples" / "data"
    for symbol in ("AAPL", "IBM"):
        lines = (data / f"{symbol}.csv").read_text().splitlines(keepends=True)
        (tmp_path / f"{symbol}.csv").write_text("".join(lines[: ROWS + 1]))
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "rsi.py").write_text(RSI)
    (tmp_path / "deaf.py").write_text(DEAF)
    (tmp_path / "stalling.py").write_text(STALLING)
    return tmp_path


@pytest.mark.timeout(120)
def test_run_silent_program_as_strategy_gives_equal_trades(folder: Path) -> None:
    python = ingenium("run", "app.py:python", "--json", cwd=folder)
    external = ingenium("run", "app.py:external", "--json", cwd=folder)
    assert external.code == 0, external.err
    ours, theirs = json.loads(python.out), json.loads(external.out)
    assert len(ours["trades"]) > 10
    assert theirs["trades"] == ours["trades"]
    assert theirs["equity"] == ours["equity"]
    assert theirs["counts"] == ours["counts"]
    assert "rsi | subscribed" in external.err


@pytest.mark.timeout(120)
@pytest.mark.parametrize("milliseconds", [30, 60, 200])
def test_run_silent_program_that_stalls_is_said_not_to_be_exact(
    folder: Path, milliseconds: int
) -> None:
    """Its signals carry no time, so nothing can tell that one came an instant late."""
    ended = ingenium("run", f"app.py:stalling_{milliseconds}", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    [said] = json.loads(ended.out)["inexact"]
    assert said.startswith("waited 0.02 s for rsi, which reports nothing; the slowest answer took ")
    if milliseconds == 30:
        shown = ingenium("run", "app.py:stalling_30", cwd=folder)
        assert "not exact: waited 0.02 s for rsi" in shown.out


def test_run_exact_refuses_a_program_that_reports_nothing(folder: Path) -> None:
    ended = ingenium("run", "app.py:external", "--exact", cwd=folder)
    assert ended.code == 2
    assert "rsi cannot say when an instant is handled, so the replay waits 0.02 s" in ended.err
    python = ingenium("run", "app.py:python", "--exact", "--json", cwd=folder)
    assert json.loads(python.out)["inexact"] == []


def test_run_program_that_does_not_exist_is_named(folder: Path) -> None:
    ended = ingenium("run", "app.py:missing", cwd=folder)
    assert ended.code == 1
    assert "cannot start 'no-such-program-at-all': No such file" in ended.err
    assert "Traceback" not in ended.err


def test_run_program_that_ends_early_ends_the_run_and_is_named(folder: Path) -> None:
    ended = ingenium("run", "app.py:short", cwd=folder)
    assert ended.code == 1
    assert "rsi | good-bye" in ended.err
    assert "'rsi' ended with 0 before the run did" in ended.err


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_run_parent_killed_ends_a_program_that_ignores_signals(folder: Path) -> None:
    assert sys.executable
    with running("run", "app.py:deaf", cwd=folder) as it:
        it.until_line("deaf ")
        text = it.out + it.err
        pid = int(text[text.index("deaf ") + 5 :].split()[0])
        it.send(signal.SIGKILL)
        it.wait()
    until(lambda: _is_gone(pid), "the program ended", 30)
