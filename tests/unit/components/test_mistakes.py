"""Typing mistakes that would give nothing end with one line that names the cure."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from support.running import ingenium, running

from ingenium import App, Bar, Ingestor, Portfolio, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.envelope import pack
from ingenium.components import check_handlers, missing_handlers
from ingenium.deploy.local.symbol_watch import watched_symbols
from ingenium.errors import ComponentError, ConfigError
from ingenium.events import ContentType, DataEvent, Ohlc
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from ingenium.subjects.names import data_subject
from ingenium.testing.waiting import wait_until

PRICES = "Date,Open,High,Low,Close,Volume\n" + "".join(
    f"2024-01-{n:02},{n},{n},{n},{n},1000\n" for n in range(1, 29)
)
APP = """
from ingenium import App, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

class Bars(Strategy):
    def on_bars(self, bar): ...

def make(strategy):
    return App(ingestors=[CsvIngestor("IBM.csv")], strategies=[strategy],
               portfolio=FixedQuantity(1), executor=PaperExecutor())

def typo(n=1): return make(SmaCross(["IMB"]))
def bars(n=1): return make(Bars())
def good(n=1): return make(SmaCross(fast=2, slow=4))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "IBM.csv").write_text(PRICES)
    (tmp_path / "own.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["own.py:typo"],
            "waits for IMB, which no ingestor sent; did you mean IBM?: the data has IBM",
        ),
        (["own.py:bars"], "it has on_bars (own.py, line 9); did you mean on_bar?"),
        (
            ["own.py:good", "--start", "2030-01-01"],
            "no bars after start 2030-01-01: data ends 2024-01-28",
        ),
        (["own.py:good", "--end", "2020-01-01"], "end 2020-01-01 is before the first bar"),
    ],
)
@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_command_of_which_nothing_could_come_says_why_in_one_line(
    folder: Path, command: str, arguments: list[str], says: str
) -> None:
    more = ["--param", "n=1"] if command == "sweep" else []
    ended = ingenium(command, *arguments, *more, cwd=folder)
    assert (ended.code, ended.out) == (1, "")
    [line] = ended.err.splitlines()
    assert says in line


def test_replay_of_which_nothing_could_come_says_why(folder: Path) -> None:
    ended = ingenium("run", "own.py:typo", cwd=folder)
    assert ended.code == 1
    assert "waits for IMB, which no ingestor sent; did you mean IBM?" in ended.err.splitlines()[-1]


class Misnamed(Strategy):
    def onBar(self, bar: Bar) -> None: ...


class Deaf(Portfolio):
    def on_signals(self, event: object) -> None: ...


class Feed(Ingestor):
    def read_bars(self) -> Any:
        return iter(())


def app(strategies: Any, portfolio: Any = None) -> App:
    return App(
        ingestors=[Feed()],
        strategies=strategies,
        portfolio=FixedQuantity(1) if portfolio is None else portfolio,
        executor=PaperExecutor(),
    )


def test_classes_that_override_no_handler_are_named_with_the_likely_one() -> None:
    with pytest.raises(ComponentError, match=r"it has onBar .*did you mean on_bar\?"):
        check_handlers(app([Misnamed()]))
    with pytest.raises(ComponentError, match=r"it has on_signals .*did you mean on_signal\?"):
        check_handlers(app([SmaCross()], Deaf()))
    mixed = app([Misnamed(), SmaCross()])
    check_handlers(mixed)
    assert len(missing_handlers(mixed)) == 1
    assert missing_handlers(app([SmaCross(), Strategy()])) == []


class NoSuper(Strategy):
    def __init__(self) -> None:
        self.fast = 5

    def on_bar(self, bar: Bar) -> None: ...


def test_objects_that_are_none_are_named_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"pass SmaCross\(\), not the class"):
        app([SmaCross])
    with pytest.raises(ConfigError, match=r"pass a list with an object, \[SmaCross\(\)\]"):
        app(SmaCross)
    with pytest.raises(ConfigError, match=r"portfolio holds the class FixedQuantity: pass Fixed"):
        app([SmaCross()], FixedQuantity)
    with pytest.raises(ConfigError, match=r"NoSuper.__init__ .*write super\(\).__init__\(\)"):
        app([NoSuper()])


async def test_symbols_that_nobody_sends_live_are_named_after_the_first_data() -> None:
    bus, said = MemoryBus(), list[str]()
    bar = Ohlc(open="1", high="1", low="1", close="1", period="1d")
    event = DataEvent(id="d", symbol="AAPL", ohlc=bar, timestamp="2024-01-02T00:00:00Z")
    async with watched_symbols(bus, app([SmaCross(["AAPL", "APPL"])]), said.append, 0.05):
        payload, headers = pack(event, "feed", ContentType.JSON)
        await bus.publish(data_subject("AAPL"), payload, headers)
        await bus.flush()
        await wait_until(lambda: said)
    assert said == [
        (
            "strategy 'sma-cross' waits for APPL, which no ingestor sent; "
            "did you mean AAPL?: the data has AAPL"
        )
    ]


@pytest.mark.parametrize("arguments", [["backtest", "own.py:good"], ["run", "own.py:good"]])
def test_interrupt_while_the_app_is_loaded_ends_without_a_traceback(
    folder: Path, arguments: list[str]
) -> None:
    text = (folder / "own.py").read_text()
    waits = f"import time\nprint('loaded', flush=True)\n{text}\ntime.sleep(60)\n"
    (folder / "own.py").write_text(waits)
    with running(*arguments, cwd=folder) as it:
        it.until_line("loaded")
        it.send(signal.SIGINT)
        ended = it.wait()
    assert ended.code == 130
    assert "Traceback" not in ended.err
