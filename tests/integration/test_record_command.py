"""``ingenium record``, ``run --record`` and the commands that read, on a live app."""

from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium import recorder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def rows(folder: Path, *command: str) -> list[dict[str, Any]]:
    ended = ingenium(*command, "--json", cwd=folder)
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = json.loads(ended.out)["rows"]
    return found


def test_live_app_is_recorded_and_read_again(folder: Path) -> None:
    url = folder / ".ingenium" / "live" / "record.db"
    with running("run", "app.py", "--record", "--quiet", cwd=folder) as live:
        live.until_line("is ready")
        until(lambda: url.is_file() and _fills(url) > 5, "fills in the recording")
        second = ingenium("record", "live", cwd=folder)
        assert second.code == 1
        assert f"process {live.pid} already" in second.err
        live.send(signal.SIGINT)
        ended = live.wait()
    assert ended.code == 0, ended.err
    fills = rows(folder, "transactions", "app.py", "--limit", "10000")
    # Each signal turns the position round: 10 at first, and 20 then, at 100 each.
    assert {fill["quantity"] for fill in fills} == {"10", "20"}
    assert [fill["quantity"] for fill in fills].count("10") == 1
    held = sum(float(f["quantity"]) * (1 if f["side"] == "buy" else -1) for f in fills)
    assert abs(held) == 10
    (position,) = rows(folder, "positions")
    assert float(position["quantity"]) == held
    (profit,) = rows(folder, "pnl", "--by", "symbol")
    assert (profit["fills"], float(profit["realized_pnl"])) == (len(fills), 0)
    story = rows(folder, "order", fills[0]["order_id"])
    assert [step["step"] for step in story][:3] == ["bar", "signal", "order"]
    assert {"execution", "trade"} <= {step["step"] for step in story}
    (run,) = rows(folder, "runs")
    assert (run["app"], run["kind"]) == ("live", "live")
    assert run["ended"] > run["started"]
    table = list(csv.DictReader(io.StringIO(ingenium("transactions", "--csv", cwd=folder).out)))
    assert [row["id"] for row in table] == [fill["id"] for fill in fills][:100]
    made_again = ingenium("record", "live", "--rebuild", cwd=folder)
    assert made_again.code == 0, made_again.err
    assert rows(folder, "transactions", "--limit", "10000") == fills


def _fills(url: Path) -> int:
    with recorder.open(str(url)) as records:
        return len(records.transactions())


BACKTEST = """
from datetime import UTC, datetime, timedelta

from ingenium import App, Bar, Ingestor
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

class Days(Ingestor):
    def read_bars(self):
        for day in range(60):
            price = str(100 + day * 7 % 11)
            yield Bar.make("AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day),
                           open=price, high=price, low=price, close=price, volume="100000",
                           period=timedelta(days=1))

def app(fast=2):
    return App(name="cross", ingestors=[Days()], strategies=[SmaCross(["AAPL"], fast=fast, slow=5)],
               portfolio=FixedQuantity(10), executor=PaperExecutor(clock="data"))
"""


def test_backtests_and_sweeps_are_recorded_listed_and_compared(folder: Path) -> None:
    (folder / "cross.py").write_text(BACKTEST)
    results = []
    for end in ("2024-01-31", "2024-02-20"):
        ended = ingenium("backtest", "cross.py", "--record", "--end", end, "--json", cwd=folder)
        assert ended.code == 0, ended.err
        results.append(json.loads(ended.out))
    swept = ingenium("sweep", "cross.py:app", "--param", "fast=2,3", "--record", cwd=folder)
    assert swept.code == 0, swept.err
    assert "recorded 2 runs" in swept.err
    runs = rows(folder, "runs")
    assert [run["kind"] for run in runs] == ["sweep", "sweep", "backtest", "backtest"]
    ids = [run["id"] for run in reversed(runs)]
    for identifier, run, result in zip(ids, reversed(runs), results, strict=False):
        assert run["digest"] == result["events_digest"]
        fills = rows(folder, "transactions", "--run", identifier, "--limit", "10000")
        listed = [(fill["symbol"], fill["quantity"]) for fill in reversed(fills)]
        assert listed == [(fill["symbol"], fill["quantity"]) for fill in result["fills"]]
        assert listed
    found = {
        row["name"]: row for row in rows(folder, "runs", "--compare", ids[0], "--compare", ids[1])
    }
    assert found["input end"][ids[0]].startswith("2024-02-01")
    assert rows(folder, "transactions", "cross") == []
    refused = ingenium("backtest", "cross.py", "--record", "--no-digest", cwd=folder)
    assert refused.code == 2
    assert "--record needs the digest" in refused.err


def test_history_over_a_server_is_recorded_as_a_replay(folder: Path) -> None:
    (folder / "cross.py").write_text(BACKTEST)
    ended = ingenium("run", "cross.py", "--processes", "--record", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    run_id = ended.err.strip().splitlines()[-1].removeprefix("recorded as ")
    with recorder.open(str(folder / ".ingenium" / "cross" / "record.db")) as records:
        (run,) = records.runs("cross")
        assert (run["id"], run["kind"], run["digest"]) == (
            run_id,
            "replay",
            result["events_digest"],
        )
        assert run["trades"] == len(result["trades"]) > 0
        # The account began with 100,000.
        assert run["total_return"] == pytest.approx(float(result["equity"]) / 100_000 - 1)
        fills = list(records.transactions(run_id, limit=1000))
        (stream,) = records.streams()
        counts = ("data", "signals", "orders", "executions")
        assert stream["sequence"] == sum(result["counts"][name] for name in counts)
        assert stream["stream"] == f"{run_id}/replay"
        # The first trade is of 10; each signal then turns the position round.
        assert [fill["quantity"] for fill in fills].count(20) == len(result["trades"])
        story = records.order(fills[0]["order_id"], run_id)
        assert {"bar", "signal", "order", "execution", "trade"} == {row["step"] for row in story}


@pytest.mark.parametrize("pace", ["lockstep", "fast"])
def test_recorded_data_is_replayed_on_a_bus_of_its_own(folder: Path, pace: str) -> None:
    (folder / "cross.py").write_text(BACKTEST)
    ended = ingenium("backtest", "cross.py", "--record", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    original = json.loads(ended.out)
    run = ended.err.strip().splitlines()[-1].removeprefix("recorded as ")
    again = ingenium("replay", "cross.py", "--run", run, "--pace", pace, "--json", cwd=folder)
    assert again.code == 0, again.err
    answer = json.loads(again.out)
    if pace == "lockstep":
        assert answer["events_digest"] == original["events_digest"]
    else:
        # Long or short by 10 from the first cross on, since each signal turns the position round.
        (held,) = answer["money"]["positions"]
        assert abs(float(held["quantity"])) == 10
    # Neither a server nor state of the replay is left in the folder of the app.
    left = sorted(path.name for path in (folder / ".ingenium" / "cross").iterdir())
    assert [name for name in left if not name.startswith("record.db")] == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("transactions",), "recordings in .ingenium: none"),
        (("positions", "walk"), "there is no recording in .ingenium/walk/record.db"),
        (("record", "live"), "has no running server"),
        (("record", "live", "--once", "--rebuild"), "exclude each other"),
        (("runs", "--database", "mysql://x/y"), "a database mysql://... is not known"),
        (("run", "app.py", "--database", "x.db"), "--database goes with --record"),
        (("run", "cross.py", "--record", "--keep", "9d"), "--keep is for apps on live data"),
        (("run", "app.py", "--record", "--component", "ticks"), "--record does nothing with"),
        (("backtest", "app.py", "--database", "x.db"), "--database goes with --record"),
        (("replay", "app.py", "--pace", "slow"), "--pace 'slow' is not known"),
        (("replay", "app.py"), "there is no recording in .ingenium/live/record.db"),
        (("export", "live", "--format", "xml"), "--format 'xml' is not known"),
    ],
)
def test_what_cannot_be_done_says_why(folder: Path, arguments: tuple[str, ...], text: str) -> None:
    (folder / "cross.py").write_text(BACKTEST)
    ended = ingenium(*arguments, cwd=folder)
    assert ended.code in {1, 2}
    assert text in ended.err
    assert list(folder.rglob("record.db")) == []
