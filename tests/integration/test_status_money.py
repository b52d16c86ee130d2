"""The money of a live app: in ``status`` while it runs and after, and at the end of its run."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.delivering import jetstream
from support.running import Ended, ingenium, running, until
from typer.testing import CliRunner, Result

from ingenium.cli.main import application
from ingenium.errors import ConfigError

# Buys 10 A at 101 for a fee of 0.05 each, tries to buy 1,000 D, which a limit denies, has a buy of
# 5 C at 1 that never fills, and sells 4 of A once the price is 103.25.
APP = """
import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from ingenium import App, Bar, Ingestor, Portfolio, RiskLimits, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FeePerShare

class Feed(Ingestor):
    async def ingest(self):
        while True:
            start = datetime.now(UTC)
            await asyncio.sleep(0.1)
            price = "103.25" if Path("up").exists() else "101"
            for symbol in ("C", "D", "A"):
                at = price if symbol == "A" else "50"
                self.send_data(Bar.make(
                    symbol, start, open=at, high=at, low=at, close=at, volume="100000",
                    period=timedelta(milliseconds=100),
                ).event)

class Quiet(Strategy):
    def on_bar(self, bar):
        pass

class Desk(Portfolio):
    def on_bar(self, bar):
        if bar.symbol != "A" or self.orders.keys() - {self.far()}:
            return
        held = self.position("A").quantity
        if not held and not self.account.trades:
            self.send_order("D", "buy", 1000)
            self.send_order("C", "buy", 5, type="limit", limit_price="1", time_in_force="gtc")
            self.send_order("A", "buy", 10)
        elif held == 10 and bar.close == 103.25:
            self.send_order("A", "sell", 4)

    def far(self):
        return next((key for key, each in self.orders.items() if each.order.symbol == "C"), "")

def app():
    return App(name="live", ingestors=[Feed()], strategies=[Quiet()], portfolio=Desk(1000),
               executor=PaperExecutor(fees=FeePerShare(Decimal("0.05"))),
               risk=RiskLimits(max_order_quantity=100, duplicate_seconds=None,
                               price_collar=None))
"""

POSITION = {
    "symbol": "A",
    "quantity": "6",
    "average_cost": "101",
    "last_price": "103.25",
    "unrealized_pnl": "13.50",  # 6 x (103.25 - 101)
    "realized_pnl": "9.00",  # 4 x (103.25 - 101)
}
ACCOUNT = {
    "starting_cash": "1000",
    "cash": "402.30",  # 1000 - 10 x 101 + 4 x 103.25 - 14 x 0.05
    "equity": "1021.80",  # 402.30 + 6 x 103.25
    "unrealized_pnl": "13.50",
    "realized_pnl": "9.00",
    "commissions": "0.70",
    "open_positions": 1,
}
DETAIL = "quantity 1000 is above 100"
FILLS = [("buy", "10", "101"), ("sell", "4", "103.25")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def command(folder: Path, *arguments: str) -> Result:
    """Run a command in this process, which is quicker, as if in a folder."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(application, list(arguments))


def look(folder: Path, *arguments: str) -> dict[str, Any]:
    """Return what ``status --json`` says of the only app."""
    (status,) = json.loads(command(folder, "status", *arguments, "--json").stdout)["apps"]
    assert isinstance(status, dict)
    return status


def check_money(money: dict[str, Any], *, is_priced: bool = True) -> None:
    """Hold the money of the app at its end against sums that were made by hand."""
    unknown = {} if is_priced else {"equity": None, "unrealized_pnl": None}
    assert {key: _plain(money[key]) for key in ACCOUNT} == {
        key: _plain(value) for key, value in (ACCOUNT | unknown).items()
    }
    (position,) = money["positions"]
    unknown = {} if is_priced else {"last_price": None, "unrealized_pnl": None}
    assert {key: _plain(position[key]) for key in POSITION} == {
        key: _plain(value) for key, value in (POSITION | unknown).items()
    }
    (order,) = money["working_orders"]
    assert money["working_count"] == 1
    assert (order["symbol"], order["side"], order["type"]) == ("C", "buy", "limit")
    assert (order["quantity"], order["filled"], order["limit_price"]) == ("5", "0", "1")


def check_today(today: dict[str, Any]) -> None:
    """Hold the day's fills and denials against what the app does."""
    fills = [(each["side"], each["quantity"], each["price"]) for each in today["fills"]]
    assert (fills, today["fill_count"], today["complete"]) == (FILLS, 2, True)
    (denial,) = today["denials"]
    assert (denial["symbol"], denial["side"], denial["quantity"]) == ("D", "buy", "1000")
    assert (denial["reason"], today["denial_count"]) == ("max_order_quantity", 1)


def _plain(value: object) -> object:
    """Compare decimals by their value, with no float between."""
    return Decimal(value) if isinstance(value, str) and value[:1].isdigit() else value


def _run_to_the_end(
    folder: Path,
    options: tuple[str, ...],
    while_it_runs: Callable[[], None],
    env: dict[str, str] | None = None,
) -> Ended:
    server = ("--server", env["NATS_SERVER"]) if env else ()
    with running("run", "app.py:app", *options, cwd=folder, env=env) as it:
        it.until_line("all is ready")
        until(lambda: _held(look(folder, "live", *server)) == ["10"], "the first fill")
        (folder / "up").touch()
        until(lambda: _held(look(folder, "live", *server)) == ["6"], "the second fill")
        while_it_runs()
        it.send(signal.SIGTERM)
        return it.wait()


def _held(status: dict[str, Any]) -> list[str]:
    return [each["quantity"] for each in status["money"]["positions"]]


def test_money_of_an_app_is_shown_while_it_runs_and_afterwards(folder: Path) -> None:
    def while_it_runs() -> None:
        money = look(folder)["money"]
        assert (money["source"], money["working_source"]) == ("portfolio", "executor")
        assert money["positions"][0]["last_price_time"].endswith("Z")
        check_money(money)
        check_today(money["today"])
        shown = ingenium("status", cwd=folder).out
        assert "account, as its portfolio says now\nequity          1,021.80\n" in shown
        assert "1 working order, by the executor" in shown
        assert " UTC: 2 fills, 1 denial\n" in shown
        narrow = ingenium("status", cwd=folder, env={"COLUMNS": "44"}).out
        assert "…" not in narrow
        for amount in ("1,021.80", "402.30", "13.50", "103.25"):
            assert amount in narrow, narrow

    ended = _run_to_the_end(folder, (), while_it_runs)
    assert ended.code == 0
    lines = [line.partition("Z  ")[2] for line in ended.err.splitlines() if "Z  " in line]
    shapes = [line.rpartition("  ")[0] or line for line in lines]
    assert "FILL    buy 10 A at 101, commission 0.5" in shapes
    assert "FILL    sell 4 A at 103.25, commission 0.2" in shapes
    denied = [line for line in lines if line.startswith("DENIED")]
    assert denied == [f"DENIED  buy 1000 D: max_order_quantity (desk): {DETAIL}"]
    # Not once more by the log.
    assert ended.err.count("max_order_quantity") == 1
    assert "account, as its portfolio said when it stopped\nequity          1,021.80" in ended.out
    after = look(folder)
    assert after["trading"] == "nothing runs"
    assert (after["money"]["source"], after["money"]["today"]) == ("state file", None)
    check_money(after["money"], is_priced=False)
    text = command(folder, "status")
    assert text.exit_code == 3
    assert "account, as the portfolio's state file on this machine has it" in text.stdout
    assert re.search(r"^equity +unknown$", text.stdout, re.MULTILINE)


def test_money_is_seen_from_another_machine_and_watched(
    folder: Path, tmp_path: Path, make_server: Any
) -> None:
    url = make_server(jetstream(tmp_path / "js")).url
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = ("live", "--server", url)

    def while_it_runs() -> None:
        watching = ("status", *here, "--watch", "--every", "0.1", "--json")
        with running(*watching, cwd=elsewhere) as watch:
            until(lambda: watch.out.count("\n") >= 3, "three looks")
            watch.send(signal.SIGINT)
            ended = watch.wait()
        assert (ended.code, ended.err) == (0, "")
        for line in ended.out.splitlines():
            (status,) = json.loads(line)["apps"]
            check_money(status["money"])
            check_today(status["money"]["today"])

    options = ("--processes", "--json", "--quiet")
    ended = _run_to_the_end(folder, options, while_it_runs, {"NATS_SERVER": url})
    assert ended.code == 0
    assert not [word for word in ("FILL", "DENIED", "denied") if word in ended.err], ended.err
    at_end = json.loads(ended.out)
    assert (at_end["app"], at_end["money"]["source"]) == ("live", "portfolio at its end")
    # The server has kept what they said last; no file of them is there.
    for money in (at_end["money"], look(elsewhere, *here)["money"]):
        assert money["source"] == "portfolio at its end"
        check_money(money)
        check_today(money["today"])


@pytest.mark.parametrize("flags", [("--verify",), ("--exact",), ("--trades", "3")])
def test_flags_of_history_are_refused_on_live_data(folder: Path, flags: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(application, ["run", f"{folder}/app.py:app", *flags])
    assert isinstance(ended.exception, ConfigError)
    assert str(ended.exception) == (
        f"{flags[0]} is for apps on history, and 'live' runs on live data: leave it out"
    )


@pytest.mark.parametrize("flag", ["--quiet", "--adopt"])
def test_flags_of_live_data_are_refused_on_history(flag: str) -> None:
    demo = Path(__file__).parents[2] / "examples/demo/app.py"
    ended = CliRunner().invoke(application, ["run", str(demo), flag])
    assert isinstance(ended.exception, ConfigError)
    assert str(ended.exception).startswith(f"{flag} is for apps on live data, and ")
