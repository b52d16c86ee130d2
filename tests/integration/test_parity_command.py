"""``ingenium parity`` on a live run of a real process and a real server."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.running import Ended, ingenium, running, until

from ingenium import recorder

BARS = 24
FACTORS = {"ACME": 7, "BOLT": 5}
# On the time of the data, a fill does not depend on how fast the processes are.
APP = """
import asyncio
from datetime import UTC, datetime, timedelta

from ingenium import App, Bar, Ingestor, RiskLimits
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

class Feed(Ingestor):
    async def ingest(self):
        for number in range(24):
            start = datetime(2024, 1, 2, 15, tzinfo=UTC) + number * timedelta(minutes=1)
            for symbol, factor in (("ACME", 7), ("BOLT", 5)):
                first, last = (str(100 + n * factor % 13) for n in (number, number + 1))
                high, low = max(first, last, key=int), min(first, last, key=int)
                bar = Bar.make(symbol, start, open=first, high=high, low=low, close=last,
                               volume="100000", period=timedelta(minutes=1))
                await asyncio.sleep(0.02)
                self.send_data(bar.event)
        # Stands still.
        await asyncio.Event().wait()

def app(fast=2):
    return App(
        name="walk", ingestors=[Feed()], portfolio=FixedQuantity(10),
        strategies=[SmaCross(["ACME", "BOLT"], fast=fast, slow=4)],
        executor=PaperExecutor(clock="data"),
        risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None, price_collar=None),
    )
"""


def crosses(factor: int) -> list[int]:
    """Return the bars at which the average of 2 closes crosses that of 4, from 1."""
    closes = [100 + n * factor % 13 for n in range(1, BARS + 1)]
    sides = []
    for end in range(4, BARS + 1):
        # Both as whole numbers, by their common denominator.
        gap = 2 * sum(closes[end - 2 : end]) - sum(closes[end - 4 : end])
        if gap:
            sides.append((end, gap > 0))
    return [end for (_, before), (end, side) in pairwise(sides) if side is not before]


SIGNALS = sum(len(crosses(factor)) for factor in FACTORS.values())
# An order on the last bar of its symbol meets no bar that could fill it.
FILLS = sum(end < BARS for factor in FACTORS.values() for end in crosses(factor))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an app that has run live until its feed stood still."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "app.py").write_text(APP)
    url = folder / ".ingenium" / "walk" / "record.db"
    with running("run", "app.py", "--record", "--quiet", cwd=folder) as app:
        app.until_line("is ready")

        def fills() -> int:
            with recorder.open(str(url)) as records:
                return len(records.transactions())

        until(lambda: url.is_file() and fills() == FILLS, f"{FILLS} fills in the recording")
        app.send(signal.SIGINT)
        assert app.wait().code == 0, app.err
    return folder


def parity(folder: Path, target: str, *options: str) -> tuple[Ended, dict[str, Any]]:
    ended = ingenium("parity", target, *options, "--json", cwd=folder)
    assert ended.out, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return ended, answer


def test_live_run_of_a_feed_that_stood_still_equals_its_backtest(live: Path) -> None:
    ended, answer = parity(live, "app.py", "--report", "report.html")
    assert (ended.code, answer["parity"], answer["equal"]) == (0, 1.0, True), answer["first"]
    for kind, count in (("signal", SIGNALS), ("order", SIGNALS), ("fill", FILLS)):
        found = {"live": count, "backtest": count, "equal": count, "share": 1.0}
        assert answer["counts"][kind] == found, kind
    assert SIGNALS >= FILLS > 10
    assert answer["divergences"] == answer["notes"] == answer["changes"] == []
    assert answer["causes"] == {}
    page = (live / "report.html").read_text()
    assert "<h2>Parity with the live run</h2>" in page
    assert "<li>parity: 1.0000</li>" in page


def test_changed_parameter_is_named_where_the_runs_part(live: Path) -> None:
    (live / "other.py").write_text(APP.replace("def app(fast=2)", "def app(fast=3)"))
    ended, answer = parity(live, "other.py")
    assert (ended.code, answer["equal"]) == (1, False)
    assert answer["first"]["kind"] == "signal"
    assert answer["first"]["cause"] == "settings"
    assert "fast of strategy sma-cross: 2 in the recorded run, 3 now" in answer["first"]["text"]
    assert answer["parity"] < 1
    shown = ingenium("parity", "other.py", "--limit", "1", cwd=live)
    assert shown.code == 1
    assert shown.out.splitlines()[0].startswith("they part")
    assert "more: --limit, or --json" in shown.out
