"""Backtests, sweeps and comparisons of the control plane: typed values in, results out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.control_plane import ControlClient, control_plane
from support.running import ingenium

DATA = Path(__file__).parents[2] / "examples" / "data" / "AAPL.csv"
CROSS = f"""
import os
from typing import Annotated, Literal
from msgspec import Meta
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

Fast = Annotated[int, Meta(ge=2, le=50, title="bars", description="Length of the fast average")]

def app(fast: Fast = 5, slow: int = 20, size: float = 10.0, side: Literal["long", "both"] = "both"):
    if side == "long":
        raise ValueError("seen " + os.environ.get("BROKER_KEY", "no key"))
    return App(
        name="cross", ingestors=[CsvIngestor({str(DATA)!r})],
        strategies=[SmaCross(["AAPL"], fast=fast, slow=slow)],
        portfolio=FixedQuantity(int(size)), executor=PaperExecutor(),
    )
"""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlClient]:
    folder = tmp_path_factory.mktemp("backtests")
    (folder / "cross.py").write_text(CROSS)
    with control_plane(folder, "cross.py:app", env={"BROKER_KEY": "canary"}) as client:
        yield client


def _finished(plane: ControlClient, **fields: Any) -> dict[str, Any]:
    """Run a backtest to its end."""
    made = plane.call("BacktestService/StartBacktest", "operate", app="cross", **fields)
    *_, last = plane.stream("BacktestService/WatchBacktest", id=made["backtest"]["id"])
    return dict(last["backtest"])


def test_form_has_kind_range_unit_and_default_of_each_parameter(plane: ControlClient) -> None:
    found = plane.call("AppService/GetApp", "read")
    assert found["app"]["environment"] == "ENVIRONMENT_REPLAY"
    assert found["app"]["isBacktestable"]
    fast, slow, size, side = found["parameters"]
    assert fast == {
        "name": "fast",
        "kind": "PARAMETER_KIND_INTEGER",
        "defaultValue": {"integer": "5"},
        "minimum": 2.0,
        "maximum": 50.0,
        "unit": "bars",
        "description": "Length of the fast average",
    }
    assert slow == {
        "name": "slow", "kind": "PARAMETER_KIND_INTEGER", "defaultValue": {"integer": "20"},
    }  # fmt: skip
    assert (size["kind"], size["defaultValue"]) == ("PARAMETER_KIND_NUMBER", {"number": 10.0})
    assert (side["kind"], side["choices"]) == ("PARAMETER_KIND_CHOICE", ["long", "both"])


@pytest.mark.timeout(180)
def test_backtest_of_the_page_is_that_of_the_command_line(plane: ControlClient) -> None:
    values = {"fast": {"integer": "7"}}
    one = _finished(plane, parameters=values, requestId="a", startDay="2010-01-04")
    assert one["state"] == "RUN_STATE_DONE", one
    assert one["parameters"]["slow"] == {"integer": "20"}
    (plane.folder / "seven.py").write_text(CROSS.replace("Fast = 5", "Fast = 7"))
    printed = ingenium(
        "backtest", "seven.py:app", "--start", "2010-01-04", "--json", cwd=plane.folder
    )
    expected = json.loads(printed.out)
    assert one["eventsDigest"] == expected["events_digest"]
    assert one["totalReturn"] == expected["stats"]["total_return"]
    found = plane.call("BacktestService/GetBacktest", "read", id=one["id"])
    report = found["report"]
    assert int(report["tradeCount"]) == expected["stats"]["trades"]
    assert [each["price"] for each in report["fills"]] == [
        each["price"] for each in expected["fills"]
    ]
    assert report["equity"][-1]["equity"] == pytest.approx(expected["stats"]["final_equity"])
    assert min(each.get("drawdown", 0) for each in report["equity"]) == pytest.approx(
        expected["stats"]["max_drawdown"]
    )
    parts = plane.stream("BacktestService/GetBacktestFile", id=one["id"])
    html = b"".join(base64.b64decode(part["data"]) for part in parts)
    assert len(html) == int(report["reportBytes"])
    assert html.lower().startswith(b"<!doctype html>")

    # The same id is the same run, and an equal run has the same digest.
    again = plane.call(
        "BacktestService/StartBacktest", app="cross", parameters=values, requestId="a"
    )
    assert again["backtest"]["id"] == one["id"]
    same = _finished(plane, parameters=values, startDay="2010-01-04")
    assert (same["eventsDigest"], same["sameAs"]) == (one["eventsDigest"], one["id"])
    equal = plane.call("BacktestService/CompareBacktests", leftId=one["id"], rightId=same["id"])
    assert equal == {"isEqual": True, "equalFills": str(len(report["fills"]))}

    other = _finished(plane, parameters={"fast": {"integer": "8"}}, startDay="2010-01-04")
    different = plane.call(
        "BacktestService/CompareBacktests", leftId=one["id"], rightId=other["id"]
    )
    assert "isEqual" not in different
    assert different["values"][0] == {
        "name": "fast", "left": "7", "right": "8", "isParameter": True,
    }  # fmt: skip
    figures = {each["name"]: each for each in different["values"] if "isParameter" not in each}
    assert re.fullmatch(r"[\d,]+\.\d\d", figures["final_equity"]["left"])
    assert re.fullmatch(r"-?\d+\.\d\d%", figures["total_return"]["right"])
    second = plane.call("BacktestService/GetBacktest", id=other["id"])["report"]["fills"]
    at = int(different.get("equalFills", 0))
    assert second[:at] == report["fills"][:at]
    assert (different["leftFill"], different["rightFill"]) == (report["fills"][at], second[at])
    listed = plane.call("BacktestService/ListBacktests", "read")["backtests"]
    assert [each["id"] for each in listed][:3] == [other["id"], same["id"], one["id"]]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"app": "../../etc/passwd"}, "no app '../../etc/passwd'"),
        ({"app": "cross.py:app"}, "no app 'cross.py:app'"),
        ({"app": "os:system"}, "no app 'os:system'"),
        ({"app": "/proc/self/environ"}, "no app"),
        ({"app": "file:///etc/passwd"}, "no app"),
        ({"app": "cross\0"}, "no app"),
        ({"parameters": {"fast": {"integer": "51"}}}, "fast is 51"),
        ({"parameters": {"fast": {"number": 7.5}}}, "fast is 7.5"),
        ({"parameters": {"fast": {"boolean": True}}}, "fast is True"),
        ({"parameters": {"fast": {"text": "__import__('os')"}}}, "fast is"),
        ({"parameters": {"side": {"text": "short"}}}, "side is 'short'"),
        ({"parameters": {"side": {"text": "x" * 300}}}, "300 characters"),
        ({"parameters": {"fast": {}}}, "'fast' has no value"),
        ({"parameters": {"__class__": {"integer": "1"}}}, "no parameter '__class__'"),
        ({"startDay": "2020-1-1"}, "start_day is '2020-1-1'"),
        ({"startDay": "20200101"}, "start_day is '20200101'"),
        ({"startDay": "2020-01-02", "endDay": "2020-01-01"}, "is before"),
        ({"requestId": "x" * 101}, "101 characters"),
    ],
)
def test_names_and_values_that_are_not_of_the_registry_are_refused(
    plane: ControlClient, fields: dict[str, Any], text: str
) -> None:
    before = plane.call("BacktestService/ListBacktests", "read")
    refused = plane.post("BacktestService/StartBacktest", "operate", **{"app": "cross", **fields})
    assert refused.status in {400, 404}
    assert refused.code in {"invalid_argument", "not_found"}
    assert text in refused.json["message"]
    assert plane.call("BacktestService/ListBacktests", "read") == before


@pytest.mark.timeout(120)
def test_run_has_no_keys_of_the_server_and_says_why_it_failed(plane: ControlClient) -> None:
    failed = _finished(plane, parameters={"side": {"text": "long"}})
    assert failed["state"] == "RUN_STATE_FAILED"
    assert "seen no key" in failed["error"]
    kept = b"".join(
        path.read_bytes() for path in (plane.folder / ".ingenium").rglob("*") if path.is_file()
    )
    assert b"canary" not in kept


@pytest.mark.timeout(120)
def test_waiting_and_running_backtests_are_bounded_and_can_be_canceled(tmp_path: Path) -> None:
    wait = "    if wait:\n        import time; time.sleep(60)\n"
    slow = CROSS.replace("def app(", "def app(wait: int = 0, *, ", 1)
    slow = slow.replace('    if side == "long":', f'{wait}    if side == "long":')
    (tmp_path / "cross.py").write_text(slow)
    with control_plane(tmp_path, "cross.py:app") as plane:
        values = {"wait": {"integer": "1"}}
        start: dict[str, Any] = {"app": "cross", "parameters": values}
        made = [plane.post("BacktestService/StartBacktest", **start) for _ in range(14)]
        assert [each.status for each in made[:12]] == [200] * 12
        assert {(each.status, each.code) for each in made[12:]} == {(429, "resource_exhausted")}
        ids = [each.json["backtest"]["id"] for each in made[:12]]
        listed = plane.call("BacktestService/ListBacktests")["backtests"]
        states = sorted(each["state"] for each in listed)
        assert states == ["RUN_STATE_QUEUED"] * 10 + ["RUN_STATE_RUNNING"] * 2
        for run_id in ids:
            plane.call("BacktestService/CancelBacktest", id=run_id)
        for run_id in ids:
            *_, last = plane.stream("BacktestService/WatchBacktest", id=run_id)
            assert last["backtest"]["state"] == "RUN_STATE_CANCELED"


@pytest.mark.timeout(180)
def test_sweep_ranks_its_cells(plane: ControlClient) -> None:
    made = plane.call(
        "SweepService/StartSweep",
        "operate",
        app="cross",
        parameters={
            "fast": {"values": [{"integer": "5"}, {"integer": "7"}]},
            "slow": {"values": [{"integer": "20"}, {"integer": "30"}]},
        },
        startDay="2010-01-04",
    )
    run_id = made["sweep"]["id"]
    for answer in plane.answers("WatchService/Watch", "read", topics=["TOPIC_RUNS"]):
        found = answer.get("sweep", {})
        if found.get("id") == run_id and found["state"] not in {
            "RUN_STATE_QUEUED",
            "RUN_STATE_RUNNING",
        }:
            break
    assert found["state"] == "RUN_STATE_DONE", found
    assert (found["done"], found["total"], found["parameters"]) == ("4", "4", ["fast", "slow"])
    assert 0 <= found["deflatedSharpe"] <= 1
    cells = plane.call("SweepService/GetSweep", id=run_id)["cells"]
    sharpes = [cell["figures"]["sharpe"] for cell in cells]
    assert sharpes == sorted(sharpes, reverse=True)
    points = {
        (c["parameters"]["fast"]["integer"], c["parameters"]["slow"]["integer"]) for c in cells
    }
    assert points == {("5", "20"), ("5", "30"), ("7", "20"), ("7", "30")}
    one = _finished(plane, parameters=cells[0]["parameters"], startDay="2010-01-04")
    assert cells[0]["eventsDigest"] == one["eventsDigest"]
    assert [each["id"] for each in plane.call("SweepService/ListSweeps")["sweeps"]] == [run_id]
    refused = plane.post("SweepService/StartSweep", app="cross", rankBy="luck", parameters={})
    assert "no figure 'luck'" in refused.json["message"]


@pytest.mark.timeout(180)
def test_walk_forward_of_the_page_is_that_of_the_command_line(plane: ControlClient) -> None:
    made = plane.call(
        "SweepService/StartSweep",
        "operate",
        app="cross",
        parameters={"fast": {"values": [{"integer": "5"}, {"integer": "7"}]}},
        rankBy="total_return",
        startDay="2008-01-04",
        workers=1,
        walkForward={"folds": 2},
    )["sweep"]
    assert (made["workers"], made["walkForward"]) == (
        1, {"folds": 2, "inside": 0.75, "way": "rolling"},
    )  # fmt: skip
    for answer in plane.answers("WatchService/Watch", "read", topics=["TOPIC_RUNS"]):
        found = answer.get("sweep", {})
        if found.get("id") == made["id"] and "endedTime" in found:
            break
    assert found["state"] == "RUN_STATE_DONE", found
    assert (found["done"], found["total"], found["foldsDone"]) == ("6", "6", "2")
    answer = plane.call("SweepService/GetSweep", "read", id=made["id"])
    assert "cells" not in answer
    printed = ingenium(
        "sweep", "cross.py:app", "--param", "fast=5,7", "--by", "total_return", "--start",
        "2008-01-04", "--walk-forward", "2", "--json", cwd=plane.folder,
    )  # fmt: skip
    expected = json.loads(printed.out)
    walked = answer["walkForward"]
    assert walked["totalReturn"] == expected["walk_forward"]["total_return"]
    assert walked.get("efficiency") == expected["walk_forward"]["efficiency"]
    first, second = walked["folds"]
    # Periods out of sample follow each other.
    assert first["endTime"] == second["splitTime"]
    for fold, run in zip((first, second), expected["runs"], strict=True):
        assert int(fold["parameters"]["fast"]["integer"]) == run["point"]["fast"]
        assert fold["outside"]["total_return"] == run["figures"]["total_return"]
    for fields, text in (
        ({"workers": 10_000}, "workers is 10000"),
        ({"walkForward": {}}, "folds is 0: use 1 to 50"),
        ({"walkForward": {"folds": 2, "inside": 1.5}}, "inside is 1.5"),
        ({"walkForward": {"folds": 2, "way": "os:system"}}, "way is 'os:system'"),
    ):
        refused = plane.post(
            "SweepService/StartSweep",
            app="cross",
            parameters={"fast": {"values": [{"integer": "5"}]}},
            **fields,
        )
        assert (refused.status, refused.code) == (400, "invalid_argument")
        assert text in refused.json["message"]


@pytest.mark.timeout(60)
def test_backtests_are_listed_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "cross.py").write_text(CROSS)
    with control_plane(tmp_path, "cross.py:app") as plane:
        one = _finished(plane, startDay="2012-01-04")
    with control_plane(tmp_path, "cross.py:app") as plane:
        [found] = plane.call("BacktestService/ListBacktests")["backtests"]
        assert found == one
        report = plane.call("BacktestService/GetBacktest", id=one["id"])["report"]
        assert report["fillCount"] == str(len(report["fills"]))


@pytest.mark.timeout(120)
def test_recorded_backtest_is_listed_and_equals_the_same_one_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "cross.py").write_text(CROSS)
    ended = ingenium("backtest", "cross.py:app", "--start", "2010-01-04", "--record", cwd=tmp_path)
    assert ended.code == 0, ended.err
    with control_plane(tmp_path, "cross.py:app") as plane:
        [recorded] = plane.call("BacktestService/ListBacktests", "read")["backtests"]
        assert recorded["isRecorded"]
        assert (recorded["state"], recorded["app"]) == ("RUN_STATE_DONE", "cross")
        one = _finished(plane, startDay="2010-01-04")
        for name in ("eventsDigest", "totalReturn", "sharpe", "maxDrawdown", "trades", "startDay"):
            assert recorded[name] == one[name], name
        listed = plane.call("BacktestService/ListBacktests", "read")["backtests"]
        assert [each["id"] for each in listed] == [one["id"], recorded["id"]]
        mine, own = (
            plane.call("BacktestService/GetBacktest", id=each["id"])["report"]
            for each in (recorded, one)
        )
        assert mine["fills"] == own["fills"]
        assert mine["trades"] == own["trades"]
        assert Decimal(str(mine["equity"][-1]["equity"])) == Decimal(
            str(own["equity"][-1]["equity"])
        )
        equal = plane.call(
            "BacktestService/CompareBacktests", leftId=recorded["id"], rightId=one["id"]
        )
        assert (equal["isEqual"], equal["equalFills"]) == (True, str(len(own["fills"])))
        assert [each for each in equal.get("values", []) if "isParameter" not in each] == []
        [last] = plane.stream("BacktestService/WatchBacktest", id=recorded["id"])
        assert last["backtest"] == recorded
        unknown = plane.post("BacktestService/GetBacktest", id="run_unknown")
        assert (unknown.status, unknown.code) == (404, "not_found")


def test_app_of_history_needs_no_server_and_has_an_empty_account(plane: ControlClient) -> None:
    health = plane.call("SessionService/GetHealth", "read")
    assert health["isWell"]
    assert ["isExpected" in each for each in health["checks"]] == [False, False]
    beat = next(plane.answers("WatchService/Watch", "read"))["heartbeat"]
    assert (beat["isConnected"], beat["isWithoutServer"]) == (True, True)
    assert "error" not in beat
    for method in ("GetEquityHistory", "ListPositions", "ListProfit"):
        found = plane.call(f"PortfolioService/{method}", "read")
        assert list(found) == ["notes"], method
        assert "app 'cross' has no recording" in found["notes"][0]
