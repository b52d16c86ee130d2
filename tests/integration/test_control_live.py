"""The control plane beside a live app: what runs, what it did, and what stops it."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from support.control_plane import ControlClient, control_plane
from support.live_app import APP
from support.running import Running, ingenium, running, until

# The third order fails at the executor, and so becomes a dead letter.
FAILING = APP.replace(
    "    def on_order(self, event):\n",
    "    def on_order(self, event):\n"
    "        self.count = getattr(self, 'count', 0) + 1\n"
    "        if self.count == 3:\n"
    "            raise ValueError('no third order <img src=x onerror=alert(1)>')\n",
)


class LiveApp:
    """A recorded app that runs, with its control plane."""

    def __init__(self, folder: Path, app: Running, plane: ControlClient) -> None:
        self.folder = folder
        self.app = app
        self.plane = plane

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the recording, by SQL of the test's own."""
        with sqlite3.connect(self.folder / ".ingenium" / "live" / "record.db") as database:
            return database.execute(query).fetchall()

    def component(self, name: str) -> dict[str, Any]:
        found = self.plane.call("ComponentService/ListComponents", "read")["components"]
        [one] = [each for each in found if each["name"] == name]
        return dict(one)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "app.py").write_text(FAILING)
    with running("run", "app.py", "--record", cwd=folder) as app:
        app.until_line("all is ready")
        with control_plane(folder, "app.py") as plane:
            it = LiveApp(folder, app, plane)
            until(lambda: len(it.rows("select 1 from executions")) > 20, "20 executions")
            yield it


@pytest.mark.timeout(120)
def test_components_are_seen_and_take_commands(live: LiveApp) -> None:
    found = live.plane.call("ComponentService/ListComponents", "read")
    roles = {each["name"]: each["role"] for each in found["components"]}
    assert roles == {
        "ticks": "ingestor",
        "turns": "strategy",
        "fixed-quantity": "portfolio",
        "fill-all": "executor",
        "recorder": "recorder",
    }
    turns = live.component("turns")
    assert (turns["liveness"], turns["language"]) == ("LIVENESS_ALIVE", "python")
    assert turns["process"] == str(live.app.pid)
    assert turns["writes"] == ["ingenium.strategy.signal"]

    command = {"component": "turns", "requestId": "one"}
    send = "ComponentService/CommandComponent"
    paused = live.plane.call(send, "operate", command="COMMAND_PAUSE", **command)
    assert (paused["paused"], paused["instance"]) == (True, turns["instance"])
    until(lambda: live.component("turns").get("paused", False), "it is seen to be paused")
    # The same id once more is the same command.
    again = live.plane.call(send, "operate", command="COMMAND_RESUME", **command)
    assert again == paused
    command["requestId"] = "two"
    assert "paused" not in live.plane.call(send, "operate", command="COMMAND_RESUME", **command)
    del command["requestId"]
    level = live.plane.call(
        send, "operate", command="COMMAND_LOG_LEVEL", logLevel="debug", **command
    )
    assert level["logLevel"] == "debug"
    for fields, text in (
        ({"command": "COMMAND_LOG_LEVEL"}, "log_level goes with"),
        ({"command": "COMMAND_PAUSE", "component": "nobody"}, "no component 'nobody'"),
        ({}, "command is not stated"),
    ):
        refused = live.plane.post(send, "operate", **{"component": "turns", **fields})
        assert (refused.status, refused.code) == (400, "invalid_argument")
        assert text in refused.json["message"]


@pytest.mark.timeout(120)
def test_kill_switch_shows_who_confirms_and_is_released_by_name(live: LiveApp) -> None:
    before = int(live.plane.call("TradingService/GetOverview")["overview"].get("dayDenials", 0))
    halt = {"state": "TRADING_STATE_HALTED", "reason": "too wild", "requestId": "halt"}
    *_, last = live.plane.stream("TradingService/HaltTrading", "operate", **halt)
    progress = last["progress"]
    assert (progress["done"], progress["isComplete"]) == (True, True)
    confirmed = {each["component"]: each["afterSeconds"] for each in progress["confirmed"]}
    assert set(confirmed) == {"executor 'fill-all'", "portfolio 'fixed-quantity'"}
    assert all(0 < seconds <= progress["elapsedSeconds"] for seconds in confirmed.values())
    [again] = live.plane.stream("TradingService/HaltTrading", "operate", **halt)
    assert again == last

    report = live.plane.call("TradingService/GetTradingState")["report"]
    assert (report["state"], report["isKillFileSet"]) == ("TRADING_STATE_HALTED", True)
    assert "too wild" in report["reason"]

    def denials() -> int:
        found = live.plane.call("TradingService/GetOverview")["overview"]
        assert found["trading"] == "TRADING_STATE_HALTED"
        assert any("trading is halted" in alert["text"] for alert in found["alerts"])
        return int(found.get("dayDenials", 0))

    until(lambda: denials() > before, "orders are denied")
    until(lambda: bool(live.plane.call("TransactionService/ListDenials")), "and recorded")
    denial = live.plane.call("TransactionService/ListDenials", pageSize=1)["denials"][0]
    assert (denial["symbol"], denial["reason"]) == ("AAPL", "halted")

    resume = "TradingService/ResumeTrading"
    body = b"\0\0\0\0\x02{}"
    kind = {"content-type": "application/connect+json"}
    token = {"authorization": f"Bearer {live.plane.tokens['trade']}"}
    path = f"/{live.plane.package}.{resume}"
    assert b"type the name" in live.plane.request("POST", path, kind | token, body).body
    *_, last = live.plane.stream(resume, confirmApp="live")
    assert last["progress"]["isComplete"]
    assert live.plane.call("TradingService/GetTradingState")["report"]["state"].endswith("ACTIVE")
    audit = (live.folder / ".ingenium" / "control-audit.jsonl").read_text()
    assert audit.count('"HaltTrading"') == 4
    assert '"outcome": "invalid_argument' in audit
    assert not any(each in audit for each in live.plane.tokens.values())


@pytest.mark.timeout(120)
def test_fills_are_paged_exported_and_followed_to_their_bar(live: LiveApp) -> None:
    until_time = int(live.rows("select max(time) from executions")[0][0])
    expected = live.rows(
        "select id, time, quantity, price from executions where booked = 1 and side = 'sell' "
        f"and time < {until_time} order by time desc, stream desc, sequence desc"
    )
    wanted = {"side": "sell", "untilTime": str(until_time)}
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = live.plane.call(
            "TransactionService/ListTransactions", filter=wanted, pageSize=7, pageToken=token
        )
        assert int(page["total"]) == len(expected)
        found += page["transactions"]
        if not (token := page.get("nextPageToken", "")):
            break
    assert [(each["id"], int(each["time"])) for each in found] == [row[:2] for row in expected]
    for each, (_, _, quantity, price) in zip(found, expected, strict=True):
        assert Decimal(each["value"]) == Decimal(quantity) * Decimal(price)
    skipped = live.plane.call(
        "TransactionService/ListTransactions", filter=wanted, pageSize=2, skip="3"
    )
    assert skipped["transactions"] == found[3:5]

    def exported(kind: str) -> bytes:
        parts = live.plane.stream(
            "TransactionService/ExportTransactions", filter=wanted, format=f"EXPORT_FORMAT_{kind}"
        )
        assert parts[0]["fileName"] == f"live-transactions.{kind.lower()}"
        return b"".join(base64.b64decode(part["data"]) for part in parts)

    rows = list(csv.DictReader(io.StringIO(exported("CSV").decode())))
    assert [row["id"] for row in rows] == [row[0] for row in expected]
    table = parquet.read_table(io.BytesIO(exported("PARQUET")))
    assert table.column("id").to_pylist() == [row[0] for row in expected]
    assert table.column("price").to_pylist() == [Decimal(row[3]) for row in expected]

    story = live.plane.call("TransactionService/GetOrderStory", orderId=found[-1]["orderId"])
    kinds = [step["kind"] for step in story["steps"]]
    assert kinds[:4] == ["bar", "signal", "order", "execution"]
    assert all("found" in step for step in story["steps"])
    for step in story["steps"]:
        [(received,)] = live.rows(
            f"select received from events where stream = '{step['stream']}' "
            f"and sequence = {step['sequence']}"
        )
        assert int(step["receivedTime"]) == received
    assert [step["source"] for step in story["steps"][:4]] == [
        "ticks", "turns", "fixed-quantity", "fill-all",
    ]  # fmt: skip
    assert found[-1]["orderId"] in story["text"]
    unknown = live.plane.post("TransactionService/GetOrderStory", orderId="none")
    assert (unknown.status, unknown.code) == (400, "failed_precondition")


@pytest.mark.timeout(120)
def test_money_of_the_page_is_that_of_the_recording(live: LiveApp) -> None:
    portfolio = live.plane.call("PortfolioService/GetPortfolio")["portfolio"]
    assert (portfolio["source"], portfolio["startingCash"]) == ("portfolio", "100000")
    [position] = portfolio["positions"]
    value = Decimal(position["quantity"]) * Decimal(position["lastPrice"])
    assert Decimal(position["marketValue"]) == value
    assert Decimal(portfolio["equity"]) == Decimal(portfolio["cash"]) + value

    points = live.plane.call("PortfolioService/GetEquityHistory", maxPoints=50)
    assert points["hasStartingCash"]
    assert 2 <= len(points["points"]) <= 50
    last = points["points"][-1]
    until_time = int(last["time"])
    signed = live.rows(
        "select x.side, x.quantity, x.price from executions x join events e using "
        f"(stream, sequence) where x.booked = 1 and e.received <= {until_time}"
    )
    held, cash = Decimal(0), Decimal(100_000)
    for side, quantity, price in signed:
        moved = Decimal(quantity) if side == "buy" else -Decimal(quantity)
        held, cash = held + moved, cash - moved * Decimal(price)
    [(close,)] = live.rows(
        f"select close from bars where received <= {until_time} order by received desc limit 1"
    )
    # A fill at the time of the last point counts as the last price.
    values = {cash + held * Decimal(close), cash + held * 100}
    assert Decimal(last["equity"]) in values
    assert Decimal(last["exposure"]) in {held * Decimal(close), held * 100}
    assert all(-0.01 < point["drawdown"] <= 0 for point in points["points"])
    profit = live.plane.call("PortfolioService/ListProfit", by="PROFIT_BY_SYMBOL")["rows"]
    assert [(row["key"], row["netPnl"]) for row in profit] == [("AAPL", "0")]
    by_strategy = live.plane.call("PortfolioService/ListProfit", by="PROFIT_BY_STRATEGY")["rows"]
    # Streams are recorded one by one: the signal of a last fill may not be there yet.
    assert {row.get("key", "") for row in by_strategy} - {""} == {"turns"}
    assert {row["netPnl"] for row in by_strategy} == {"0"}
    assert int(by_strategy[0]["fills"]) >= int(profit[0]["fills"])
    positions = live.plane.call("PortfolioService/ListPositions")["positions"]
    assert [each["averageCost"] for each in positions] == ["100"]


@pytest.mark.timeout(120)
def test_bars_have_the_signals_and_fills_that_they_caused(live: LiveApp) -> None:
    symbols = live.plane.call("DataService/ListSymbols")["symbols"]
    assert [each["symbol"] for each in symbols] == ["AAPL"]
    found = live.plane.call("DataService/ListBars", symbol="AAPL", limit=20)
    bars = {each["time"]: each for each in found["bars"]}
    assert len(bars) == 20
    signals = [each for each in found["marks"] if each["kind"] == "signal"]
    # The app is short above 103, and long otherwise.
    for each in signals[1:-1]:
        close = Decimal(bars[each["barTime"]]["close"])
        assert each["text"] == ("short" if close > 103 else "long"), each
    assert {each["text"] for each in found["marks"] if each["kind"] == "fill"} == {"buy", "sell"}
    last = int(found["bars"][-1]["time"]) // (300 * 10**9) * 300 * 10**9
    longer = live.plane.call(
        "DataService/ListBars", symbol="AAPL", period="5m", limit=3, untilTime=str(last)
    )
    rows = live.rows(
        f"select close, high from bars where time >= {last - 300 * 10**9} and time < {last} "
        "order by time"
    )
    five = longer["bars"][-1]
    assert (int(five["time"]), five["bars"]) == (last - 300 * 10**9, "5")
    assert (five["close"], five["volume"]) == (rows[-1][0], "500000")
    assert Decimal(five["high"]) == max(Decimal(row[1]) for row in rows)
    assert {each["barTime"] for each in longer["marks"]} <= {
        each["time"] for each in longer["bars"]
    }
    refused = live.plane.post("DataService/ListBars", symbol="AAPL", period="2m")
    assert "period is '2m': use 1m, 5m, 15m, 1h, 1d" in refused.json["message"]


@pytest.mark.timeout(120)
def test_dead_letter_of_an_order_is_sent_again_by_a_trader_once(live: LiveApp) -> None:
    answer = live.plane.post("EventService/ListDeadLetters", "read")
    # Its error is text for a page, and no page.
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    [letter] = answer.json["deadLetters"]
    assert "no third order <img src=x onerror=alert(1)>" in letter["error"]
    assert (letter["component"], letter["movesOrders"]) == ("fill-all", True)
    assert "no third order" in letter["error"]
    assert '"Symbol":"AAPL"' in letter["payload"]
    retry = {"sequence": letter["sequence"]}
    refused = live.plane.post("EventService/RetryDeadLetter", "operate", **retry)
    assert (refused.status, refused.code) == (403, "permission_denied")
    assert live.plane.call("EventService/RetryDeadLetter", **retry) == {"isSent": True}
    assert live.plane.call("EventService/RetryDeadLetter", **retry) == {}
    events = live.plane.call(
        "EventService/ListEvents", filter={"type": "DeadLetterEvent"}, pageSize=5
    )["events"]
    assert [each["id"] for each in events] == [letter["id"]]


@pytest.mark.timeout(120)
def test_stream_resumes_where_it_was_cut(live: LiveApp) -> None:
    wanted = {
        "topics": ["TOPIC_EVENTS", "TOPIC_TRANSACTIONS"],
        "eventFilter": {"type": "OrderEvent"},
    }
    first = live.plane.answers("WatchService/Watch", "read", **wanted)
    orders: list[str] = []
    token = ""
    for answer in first:
        token = answer["resumeToken"]
        if "event" in answer:
            assert answer["event"]["type"] == "OrderEvent"
            orders.append(answer["event"]["id"])
        if len(orders) == 3:
            break
    first.close()  # type: ignore[attr-defined]
    for answer in live.plane.answers("WatchService/Watch", "read", resumeToken=token, **wanted):
        assert "missed" not in answer
        if "event" in answer:
            orders.append(answer["event"]["id"])
        if len(orders) == 10:
            break
    until(lambda: any(r[0] == orders[-1] for r in live.rows("select order_id from orders")), "it")
    recorded = [row[0] for row in live.rows("select order_id from orders order by sequence")]
    at = recorded.index(orders[0])
    assert orders == recorded[at : at + 10]
    unknown = live.plane.answers("WatchService/Watch", "read", resumeToken="other/live/5", **wanted)
    assert "unknown token" in str([next(unknown) for _ in range(2)])


@pytest.mark.timeout(180)
def test_stream_shows_a_killed_app_within_five_seconds_and_its_return(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with control_plane(tmp_path, "app.py") as plane:
        with running("run", "app.py", cwd=tmp_path) as app:
            app.until_line("all is ready")
            stream = plane.answers("WatchService/Watch", "read", topics=["TOPIC_COMPONENTS"])
            state: dict[str, str] = {}

            def follow(wanted: str, of: str) -> int:
                """Return when a component got into a state, by the server's clock."""
                for answer in stream:
                    if (found := answer.get("component")) is not None:
                        state[found["name"]] = found["liveness"]
                    if state.get(of) == wanted:
                        return int(answer["serverTime"])
                raise AssertionError(f"{of} never is {wanted}")

            began = follow("LIVENESS_ALIVE", "turns")
            os.kill(app.pid, signal.SIGKILL)
            ended = next(
                int(answer["serverTime"])
                for answer in stream
                if answer.get("component", {}).get("liveness", "LIVENESS_ALIVE") != "LIVENESS_ALIVE"
            )
            assert (ended - began) / 1e9 < 5
        with running("run", "app.py", cwd=tmp_path) as app:
            app.until_line("all is ready")
            follow("LIVENESS_ALIVE", "turns")


@pytest.mark.timeout(120)
def test_page_command_line_and_export_have_the_same_figures(live: LiveApp) -> None:
    until_time = int(live.rows("select max(time) from executions")[0][0])
    until_text = datetime.fromtimestamp(until_time // 10**9, UTC).isoformat()
    end = until_time // 10**9 * 10**9

    def printed(*command: str) -> list[dict[str, Any]]:
        ended = ingenium(*command, "--json", cwd=live.folder)
        assert ended.code == 0, ended.err
        rows: list[dict[str, Any]] = json.loads(ended.out)["rows"]
        return rows

    wanted = {"untilTime": str(end)}
    page = live.plane.call("TransactionService/ListTransactions", filter=wanted, pageSize=1000)
    parts = live.plane.stream(
        "TransactionService/ExportTransactions", filter=wanted, format="EXPORT_FORMAT_CSV"
    )
    text = b"".join(base64.b64decode(part["data"]) for part in parts).decode()
    names = ("id", "symbol", "side", "quantity", "price", "commission")
    of_page = [tuple(row.get(each) or "" for each in names) for row in page["transactions"]]
    of_file = [tuple(row[each] for each in names) for row in csv.DictReader(io.StringIO(text))]
    of_line = [
        tuple("" if row[each] is None else str(row[each]) for each in names)
        for row in printed("transactions", "live", "--until", until_text, "--limit", "1000")
    ]
    assert len(of_page) > 20
    assert of_page == of_file == of_line

    profit = live.plane.call("PortfolioService/ListProfit", by="PROFIT_BY_DAY", untilTime=str(end))
    lines = printed("pnl", "live", "--by", "day", "--until", until_text)
    money = ("realized_pnl", "commissions", "net_pnl")
    assert [
        (row["key"], row["fills"], row["realizedPnl"], row["commissions"], row["netPnl"])
        for row in profit["rows"]
    ] == [(row["day"], str(row["fills"]), *(row[name] for name in money)) for row in lines]
    # By the words of the test: each fill is at 100, so that nothing is won or lost.
    assert {row["netPnl"] for row in profit["rows"]} == {"0"}
    at = live.plane.call("PortfolioService/ListPositions", atTime=str(end))
    held = printed("positions", "live", "--at", until_text)
    assert [
        (row["symbol"], row["quantity"], row["averageCost"]) for row in at.get("positions", [])
    ] == [(row["symbol"], row["quantity"], row["average_cost"]) for row in held]
    for row in (*page["transactions"], *profit["rows"]):
        for name in ("value", "quantity", "price", "netPnl", "realizedPnl"):
            # Money is an exact decimal, never a float with its rest.
            assert re.fullmatch(r"-?\d+(\.\d{1,12})?", row.get(name, "0")), row
