"""Hostile names, texts and hosts at every method of the control plane, as SECURITY asks."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.test_control_access import METHODS, TOP
from integration.test_control_backtests import CROSS
from support.control_plane import PACKAGE, Answer, ControlClient, control_plane

from ingenium.control.static_files import ASSETS
from ingenium.recorder.live_recording import open_database

JSON = {"content-type": "application/json"}
NAMES = (
    "../../etc/passwd",
    "/proc/self/environ",
    "os:system",
    "cross.py:app",
    "Name:aW1wb3J0IG9z",
    "file:///etc/passwd",
    "cross\0",
    "link",
    "-m os",
    "' or 1=1 --",
)
TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</textarea><svg/onload=alert(1)>",
    "{{7*7}}${7*7}",
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+cmd",
    "@sum(1)",
    "\u202egnp.exe",
    "'; drop table executions; --",
)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlClient]:
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "cross.py").write_text(CROSS)
    # A link in the data folder, to a folder outside of it.
    outside = tmp_path_factory.mktemp("outside")
    open_database(str(outside / "record.db")).engine.dispose()
    (folder / ".ingenium").mkdir(mode=0o700)
    (folder / ".ingenium" / "link").symlink_to(outside)
    with control_plane(folder, "cross.py:app", env={"BROKER_KEY": "canary-5f1d"}) as client:
        yield client


def _with_app() -> list[tuple[str, str]]:
    """Return each method whose request names an app, and the field."""
    text = "".join(
        path.read_text() for path in (TOP / "proto" / PACKAGE.replace(".", "/")).glob("*.proto")
    )
    found = []
    for method in METHODS:
        name = method.partition("/")[2]
        body = re.search(rf"message {name}Request {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
        if body is None:
            continue
        if re.search(r"^  string app = ", body[1], re.MULTILINE):
            found.append((method, "app"))
        elif "TransactionFilter filter" in body[1]:
            found.append((method, "filter"))
    return found


def _called(plane: ControlClient, method: str, fields: dict[str, Any]) -> tuple[str, str]:
    """Return code and text of a call; the text of its answer without a code if it succeeds."""
    answer = plane.post(method, "trade", **fields)
    if answer.status != 415:
        if answer.status == 200:
            return "", answer.body.decode()
        return answer.code, answer.json["message"]
    payload = json.dumps(fields).encode()
    headers = {
        "content-type": "application/connect+json",
        "authorization": f"Bearer {plane.tokens['trade']}",
    }
    body = b"\0" + len(payload).to_bytes(4, "big") + payload
    text = plane.request("POST", f"/{PACKAGE}.{method}", headers, body).body
    size = int.from_bytes(text[1:5], "big")
    first = json.loads(text[5 : 5 + size])
    error = first.get("error")
    return ("", text.decode()) if error is None else (error["code"], error["message"])


@pytest.mark.timeout(120)
def test_name_that_is_not_of_the_registry_is_refused_by_every_method(plane: ControlClient) -> None:
    methods = _with_app()
    assert len(methods) >= 20
    before = sorted(plane.folder.rglob("*"))
    for method, field in methods:
        for name in NAMES:
            # What else a method wants is valid, so that the name alone is refused.
            fields: dict[str, Any] = {
                "orderId": "a", "symbol": "AAPL", "sequence": "1", "component": "a",
                "state": "TRADING_STATE_HALTED", "command": "COMMAND_PAUSE", "confirmApp": name,
                "parameters": {},
            }  # fmt: skip
            known = _fields_of(method)
            fields = {key: value for key, value in fields.items() if key in known}
            if method == "SweepService/StartSweep":
                fields["parameters"] = {"fast": {"values": [{"integer": "5"}]}}
            fields |= {"app": name} if field == "app" else {"filter": {"app": name}}
            code, text = _called(plane, method, fields)
            if method in {"BacktestService/ListBacktests", "SweepService/ListSweeps"}:
                # Here a name only selects.
                assert (code, text) == ("", "{}"), (method, name, text)
            else:
                assert code == "not_found", (method, name, text)
                assert f"no app {name!r}" in text, (method, name, text)
    made = {path.name for path in plane.folder.rglob("*")} - {path.name for path in before}
    assert made <= {"control-audit.jsonl"}


def _fields_of(method: str) -> set[str]:
    """Return the JSON names of the fields of a request."""
    name = method.partition("/")[2]
    for path in (TOP / "proto" / PACKAGE.replace(".", "/")).glob("*.proto"):
        body = re.search(
            rf"message {name}Request {{\n(.*?)^}}", path.read_text(), re.MULTILINE | re.DOTALL
        )
        if body is not None:
            names = re.findall(r"^  .*?(\w+) = \d+;", body[1], re.MULTILINE)
            return {re.sub(r"_(\w)", lambda found: found[1].upper(), each) for each in names}
    raise AssertionError(method)


@pytest.mark.timeout(120)
def test_other_host_or_origin_is_refused_at_every_route(plane: ControlClient) -> None:
    paths = [f"/{PACKAGE}.{method}" for method in METHODS]
    paths += ["/", "/login", "/assets/x.js", "/grpc.health.v1.Health/Check", "/backtests"]
    own = {**JSON, "authorization": f"Bearer {plane.tokens['trade']}"}
    for path in paths:
        for host in ("evil.example", "localhost", f"{plane.host}.evil.example", ""):
            answer = plane.request("POST", path, own | {"host": host}, b"{}")
            assert answer.status in {400, 421}, (path, host)
        answer = plane.request("POST", path, own | {"origin": "http://evil.example"}, b"{}")
        assert answer.status == 403, path
        assert "access-control-allow-origin" not in answer.headers
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        upgrade |= {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "host": "evil.example"}
        assert plane.request("GET", path, upgrade).status in {400, 421}, path
        if path.startswith(f"/{PACKAGE}"):
            # No side effect by a link.
            assert plane.request("GET", f"{path}?app=cross", own).status == 405, path
            assert plane.request("PUT", path, own, b"{}").status == 405, path


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/redoc", "/metrics", "/debug", "/.git/config", "/server.py"]
)
def test_there_are_no_pages_about_the_server(plane: ControlClient, path: str) -> None:
    answer = plane.request("GET", path)
    page = (ASSETS / "index.html").read_bytes()
    assert answer.status == 404 or answer.body == page
    assert b"Traceback" not in answer.body
    assert not {"server", "via", "x-powered-by"} & set(answer.headers)


def test_page_loads_nothing_from_elsewhere() -> None:
    text = (ASSETS / "index.html").read_text()
    assert not re.findall(r'(?:src|href)\s*=\s*"(?:[a-z]+:)?//', text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.timeout(60)
def test_errors_are_codes_without_traces(plane: ControlClient) -> None:
    token = {**JSON, "authorization": f"Bearer {plane.tokens['trade']}"}
    for method in METHODS:
        for body in (
            b"{",
            b"[]",
            b'"x"',
            b'{"app": 5}',
            b'{"app": {"a": 1}}',
            b"\xff\xfe",
            b"null",
        ):
            answer = plane.request("POST", f"/{PACKAGE}.{method}", token, body)
            assert answer.status < 500, (method, body, answer.body)
            assert b"Traceback" not in answer.body
            assert b".py" not in answer.body, (method, body, answer.body)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlClient]:
    """A recording whose symbols, ids and texts are all hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    place = folder / ".ingenium" / "shop" / "record.db"
    place.parent.mkdir(parents=True, mode=0o700)
    open_database(str(place)).engine.dispose()
    with sqlite3.connect(place) as database:

        def add(table: str, *values: object) -> None:
            marks = ", ".join("?" * len(values))
            database.execute(f"insert into {table} values ({marks})", values)

        add("position", "shop/live", "shop", "live", 1, 99, 0, "", 0)
        for number, text in enumerate(TEXTS, 1):
            key, time = ("shop/live", number), number * 10**9
            body = json.dumps({"Id": text, "Text": text}).encode()
            add("events", *key, "own.<b>", "", text, text, time, time, b"", body, text)
            add("bars", *key, text, time, time, "1", "1", "1", "1", "1", "")
            add("executions", *key, text, text, text, time, "filled", "buy", "2", "3", "0", "0",
                text, 1, text)  # fmt: skip
            add("orders", *key, text, "new", text, text, time, "buy", "2", text, "day", *[None] * 7,
                "", text, 0)  # fmt: skip
            add("denials", *key, text, text, text, time, text, text, text, *_rest(database))
            add("position_changes", *key, text, time, "2", "6", "0")
            add("account_snapshots", *key, time, "-6", "0", "0")
    database.close()
    with control_plane(folder, "shop") as client:
        yield client


def _rest(database: sqlite3.Connection) -> list[object]:
    """Return values for the columns of denials behind those that are hostile."""
    rows = database.execute("pragma table_info(denials)").fetchall()
    return [None if not each[3] else "" for each in rows[9:]]


def _is_data(answer: Answer) -> bool:
    headers = answer.headers
    kind = headers["content-type"].partition(";")[0]
    return kind == "application/json" and headers["x-content-type-options"] == "nosniff"


@pytest.mark.timeout(90)
def test_hostile_texts_come_back_as_data_and_change_no_query(hostile: ControlClient) -> None:
    for method, rows, name, fields in (
        ("TransactionService/ListTransactions", "transactions", "symbol", {}),
        ("TransactionService/ListDenials", "denials", "detail", {}),
        ("EventService/ListEvents", "events", "source", {}),
        ("DataService/ListSymbols", "symbols", "symbol", {}),
        ("PortfolioService/ListPositions", "positions", "symbol", {}),
        ("PortfolioService/ListProfit", "rows", "key", {"by": "PROFIT_BY_SYMBOL"}),
    ):
        answer = hostile.post(method, "read", **fields)
        assert answer.status == 200, (method, answer.body)
        assert _is_data(answer), method
        assert sorted(each[name] for each in answer.json[rows]) == sorted(TEXTS), method
    for text in TEXTS:
        found = hostile.call("TransactionService/ListTransactions", filter={"symbol": text})
        assert [each["symbol"] for each in found["transactions"]] == [text]
        assert found["total"] == "1"
        bars = hostile.post("DataService/ListBars", symbol=text)
        assert _is_data(bars)
        assert len(bars.json["bars"]) == 1
        story = hostile.post("TransactionService/GetOrderStory", orderId=text)
        assert _is_data(story)
        assert text in story.json["text"]
    for text in ("' or '1'='1", "%", "_", '" or ""="', "\\"):
        found = hostile.call("TransactionService/ListTransactions", filter={"symbol": text})
        assert "transactions" not in found
        refused = hostile.post("TransactionService/ListTransactions", pageToken=text)
        assert (refused.status, refused.code) == (400, "invalid_argument")


@pytest.mark.timeout(60)
def test_exported_text_is_no_formula(hostile: ControlClient) -> None:
    parts = hostile.stream("TransactionService/ExportTransactions", format="EXPORT_FORMAT_CSV")
    text = b"".join(base64.b64decode(part["data"]) for part in parts).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(TEXTS)
    for row in rows:
        for value in (row["symbol"], row["order_id"], row["id"]):
            assert value[0] not in "=+-@\t\r", value
            assert value in TEXTS or value[1:] in TEXTS


@pytest.mark.timeout(90)
def test_secrets_are_in_no_log_answer_or_file_but_their_own(tmp_path: Path) -> None:
    (tmp_path / "cross.py").write_text(CROSS)
    with control_plane(tmp_path, "cross.py:app", env={"BROKER_KEY": "canary-5f1d"}) as plane:
        login = plane.call("SessionService/CreateLogin", "operate")["url"]
        token = login.partition("token=")[2]
        cookie = plane.request("GET", f"/login?token={token}").headers["set-cookie"]
        session = cookie.partition("=")[2].partition(";")[0]
        secrets = [*plane.tokens.values(), token, session, "canary-5f1d"]
        values = {"fast": {"integer": "7"}}
        made = plane.call("BacktestService/StartBacktest", app="cross", parameters=values)
        *_, last = plane.stream("BacktestService/WatchBacktest", id=made["backtest"]["id"])
        assert last["backtest"]["state"] == "RUN_STATE_DONE"
        wrong = {**JSON, "authorization": f"Bearer {plane.tokens['read']}x"}
        for method in METHODS:
            answer = plane.request("POST", f"/{PACKAGE}.{method}", wrong, b"{}")
            assert not any(each.encode() in answer.body for each in secrets), method
        command = Path(f"/proc/{plane.process.pid}/cmdline").read_bytes()
        assert not any(each.encode() in command for each in secrets)
        plane.process.send(signal.SIGINT)
        ended = plane.process.wait()
        assert not any(each in ended.err for each in secrets)
        # The first line is the URL, whose token has another one.
        assert not any(each in ended.out for each in secrets)
    kept = [path for path in (tmp_path / ".ingenium").rglob("*") if path.is_file()]
    assert [path.name for path in kept if path.name == "control-audit.jsonl"]
    for path in kept:
        text = path.read_bytes()
        assert not any(each.encode() in text for each in secrets), path
    audit = [
        json.loads(line)
        for line in (tmp_path / ".ingenium" / "control-audit.jsonl").read_text().splitlines()
    ]
    [started] = [each for each in audit if each["method"] == "StartBacktest"]
    assert (started["role"], started["address"], started["outcome"]) == ("trade", "127.0.0.1", "ok")
    assert json.loads(started["request"])["app"] == "cross"
    assert started["user"]
    assert started["time"].endswith("+00:00")
