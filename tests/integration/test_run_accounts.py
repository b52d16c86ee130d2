"""``ingenium run`` on live data: every component with the rights of its role, and no more."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest
from support.running import Running, ingenium, running, until

from ingenium import SignalEvent, connect, encode
from ingenium.bus import NatsBus
from ingenium.config import Settings
from ingenium.errors import BusPermissionError
from ingenium.nats_server import running_servers
from ingenium.nats_server.accounts import OPERATOR, READER, ROLES
from ingenium.subjects.names import ORDER

APP = """
import asyncio, sys
from datetime import UTC, datetime, timedelta

from ingenium import App, Bar, External, Ingestor, RiskLimits, Signal, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

class Ticks(Ingestor):
    async def ingest(self):
        for day in range(100_000):
            price = str(100 + day * 3 % 7)
            bar = Bar.make(
                "AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=day),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(minutes=1),
            )
            self.send_data(bar.event)
            await asyncio.sleep(0.02)

class Turns(Strategy):
    def on_bar(self, bar):
        if bar.close > 105:
            raise ValueError("too high for me")
        self.send_signal(bar.symbol, Signal.SHORT if bar.close > 103 else Signal.LONG)

def make(strategy):
    return App(name="live", ingestors=[Ticks()], strategies=[strategy],
               portfolio=FixedQuantity(10), executor=PaperExecutor(),
               risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None))

def app():
    return make(Turns())

def rogue():
    return make(External("strategy", [sys.executable, "rogue.py"], name="rogue"))
"""

# A program that was given a strategy's credentials, and wants more.
ROGUE = """
import asyncio
from ingenium import BusPermissionError, DataEvent, OrderEvent, Signal, SignalEvent, connect

async def main():
    async with connect() as bus:
        order = {"symbol": "AAPL", "side": "buy", "quantity": "1", "type": "market"}
        await bus.publish(OrderEvent(id="order_forged", **order))
        try:
            await bus.flush()
        except BusPermissionError as error:
            print("refused:", error, flush=True)
        while True:
            for side in (Signal.LONG, Signal.SHORT):
                await bus.publish(SignalEvent(symbol="AAPL", signal=side))
                await asyncio.sleep(0.1)

asyncio.run(main())
"""

KINDS = {
    "ingenium.ingestor.data.aapl",
    "ingenium.strategy.signal",
    "ingenium.portfolio.order",
    "ingenium.executor.execution",
    "ingenium.deadletter.turns",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "rogue.py").write_text(ROGUE)
    return tmp_path


def until_served(folder: Path, it: Running) -> None:
    until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
    assert not it.out


def secrets(folder: Path) -> list[str]:
    urls = [running_servers(folder / ".ingenium", role)[0] for role in ROLES]
    return [url.split(":")[2].split("@")[0] for url in urls]


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_live_app_works_end_to_end_with_a_user_for_each_role(folder: Path, how: list[str]) -> None:
    with running("run", "app.py:app", *how, cwd=folder) as it:
        until_served(folder, it)
        passwords = secrets(folder)
        with running("tap", "--json", cwd=folder) as tap:
            until(lambda: all(kind in tap.out for kind in KINDS), "one event of each kind")
            seen = tap.out + tap.err
        it.send(signal.SIGTERM)
        ended = it.wait()
    output = ended.out + ended.err
    assert ended.code == 0, output
    assert "ermission" not in output + seen
    assert {json.loads(line)["subject"] for line in seen.splitlines() if line[0] == "{"} == KINDS
    for password in passwords:
        assert password not in output + seen


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_child_gets_the_address_of_its_own_user_only(folder: Path) -> None:
    with running("run", "app.py:app", "--processes", cwd=folder) as it:
        until_served(folder, it)
        roles = {
            "ticks": "ingestor",
            "turns": "strategy",
            "paper": "executor",
            "fixed-quantity": "portfolio",
        }
        found: dict[str, str] = {}

        def look() -> bool:
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    text = (path / "environ").read_bytes().decode().replace("\0", "\n")
                    here = (path / "cwd").resolve() == folder
                except OSError:
                    continue
                if here and (name := re.search("^INGENIUM_COMPONENT=(.*)$", text, re.MULTILINE)):
                    found[name[1]] = text
            return set(roles) <= set(found)

        until(look, "the children")
        for name, role in roles.items():
            users = re.findall(r"nats://([a-z.-]+):", found[name])
            assert users == [f"{role}.{name}"]
            own = running_servers(folder / ".ingenium", users[0])[0]
            assert f"NATS_SERVER={own}" in found[name]
            others = secrets(folder)
            assert len(others) == len(ROLES)
            assert not any(other in found[name] for other in others)


def test_rogue_strategy_program_may_signal_and_nothing_else(folder: Path) -> None:
    with running("run", "app.py:rogue", cwd=folder) as it:
        until_served(folder, it)
        with running("tap", "ingenium.portfolio.>", "--json", cwd=folder) as tap:
            it.until_line("refused:")
            until(lambda: ORDER in tap.out, "the order that its signals lead to")
            assert "order_forged" not in tap.out
        it.send(signal.SIGTERM)
        output = it.wait().err
    assert "refused: the server at nats://127.0.0.1:" in output
    assert "forbids publishing to 'ingenium.portfolio.order'" in output


async def test_whoever_looks_on_cannot_send(folder: Path) -> None:
    with running("run", "app.py:app", cwd=folder) as it:
        await asyncio.to_thread(until_served, folder, it)
        settings = Settings(data_directory=folder / ".ingenium")
        async with connect(settings=settings) as bus:
            await bus.publish(SignalEvent(symbol="AAPL", signal="long"))
            with pytest.raises(BusPermissionError, match="forbids publishing"):
                await bus.flush()
        urls = {role: running_servers(folder / ".ingenium", role)[0] for role in (READER, OPERATOR)}
        assert "nats://reader:" in urls[READER]
        operator = await NatsBus.connect(urls[OPERATOR])
        await operator.publish("ingenium.control.halt", encode(SignalEvent(symbol="A")))
        await operator.flush()
        await operator.close()


def test_replay_keeps_its_one_user(folder: Path) -> None:
    (folder / "replay.py").write_text(
        "from ingenium.ingestors import CsvIngestor\nfrom ingenium.strategies import RsiStrategy\n"
        "from ingenium import App\nfrom ingenium.brokers import PaperExecutor\n"
        "from ingenium.portfolios import FixedQuantity\n"
        f"app = App(ingestors=[CsvIngestor({str(data())!r})], strategies=[RsiStrategy(['IBM'])],"
        " portfolio=FixedQuantity(10), executor=PaperExecutor())\n"
    )
    ended = ingenium("run", "replay.py", "--processes", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["complete"] is True


def data() -> Path:
    return Path(__file__).parents[2] / "examples" / "data" / "IBM.csv"
