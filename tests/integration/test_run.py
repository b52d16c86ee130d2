"""``ingenium run`` as a user starts it, stops it, and sees it fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.running import Ended, Running, ingenium, running, until

from ingenium.nats_server import EmbeddedServer

APP = """
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingenium import App, Bar, Ingestor, Signal, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

DAYS = 60

class Waves(Ingestor):
    def __init__(self, symbol, height):
        super().__init__(name=symbol.lower())
        self.symbol, self.height = symbol, height

    def total(self):
        return DAYS

    def read(self):
        for day in range(DAYS):
            price = str(100 + day * self.height % 7)
            yield Bar.make(
                self.symbol, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(days=1),
            ).event

class Turns(Strategy):
    def on_bar(self, bar):
        on_bar(self, bar)
        if bar.close > 105:
            self.send_signal(bar.symbol, Signal.SHORT)
        elif bar.close < 101:
            self.send_signal(bar.symbol, Signal.LONG)

def on_bar(strategy, bar):
    pass

def app():
    return App(
        name="waves",
        ingestors=[Waves("B", 3), Waves("A", 2)],
        strategies=[Turns(["A"], name="first"), Turns(name="second")],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def _add(folder: Path, text: str) -> None:
    with (folder / "app.py").open("a") as file:
        file.write("\n" + text)


def _result(ended: Ended) -> dict[str, object]:
    assert ended.code == 0, ended.err
    answer: dict[str, object] = json.loads(ended.out)
    return answer


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found, grown = {pid}, True
    while grown:
        more = {p for p, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found - {pid})


def test_run_one_process_and_many_give_equal_bytes_and_trades(folder: Path) -> None:
    one = _result(ingenium("run", "app.py", "--json", "--verify", cwd=folder))
    many = _result(ingenium("run", "app.py", "--json", "--verify", "--processes", cwd=folder))
    assert one["verified"] is True
    assert many["verified"] is True
    # What an ingestor says of its files is told where it runs.
    assert one.pop("data_notes") == []
    assert one == many
    assert isinstance(one["trades"], list)
    assert len(one["trades"]) > 5
    assert isinstance(one["counts"], dict)
    assert (one["counts"]["data"], one["counts"]["dead_letters"]) == (120, 0)
    assert one["complete"] is True
    assert one["problems"] == []


def test_run_in_binary_gives_what_json_gives(folder: Path) -> None:
    env = {"INGENIUM_CONTENT_TYPE": "application/protobuf"}
    arguments = ("run", "app.py", "--json", "--processes")
    assert _result(ingenium(*arguments, cwd=folder, env=env)) == _result(
        ingenium(*arguments, cwd=folder)
    )


def test_run_with_a_content_type_that_is_none_is_refused(folder: Path) -> None:
    env = {"INGENIUM_CONTENT_TYPE": "text/xml"}
    ended = ingenium("run", "app.py", cwd=folder, env=env)
    assert ended.code == 2, ended.err
    assert "content type 'text/xml' is unknown: use application/json or" in ended.err


def test_run_prints_trades_account_and_digest_and_leaves_no_process(folder: Path) -> None:
    with running("run", "app.py", "--verify", "--processes", "--trades", "3", cwd=folder) as it:
        ended = it.wait()
        left = _descendants(it.pid)
    assert ended.code == 0, ended.err
    for text in ("last 3 of", "realized P&L", "equity", "events digest"):
        assert text in ended.out
    assert "equal" in ended.err
    assert left == []


SLOW = """
import time
def on_bar(strategy, bar):
    print("bar", bar.start.date(), flush=True)
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_run_asked_to_stop_drains_prints_what_it_has_and_exits_130(
    folder: Path, how: list[str], number: signal.Signals
) -> None:
    _add(folder, SLOW)
    with running("run", "app.py", "--json", *how, cwd=folder) as it:
        it.until_line("bar 2024-01-05")
        children = _descendants(it.pid)
        it.send(number)
        ended = it.wait()
    result = json.loads(ended.out[ended.out.index("{") :])
    assert ended.code == 130
    assert result["complete"] is False
    assert 5 <= result["steps"] < 60
    assert not [pid for pid in children if _is_alive(pid)]


@pytest.mark.parametrize("text", ["", "waves"])
def test_run_processes_asked_to_stop_before_all_are_ready_exits_130_soon(
    folder: Path, text: str
) -> None:
    _add(folder, f"import sys, time\nprint({text!r}, file=sys.stderr)\ntime.sleep(0.5)")
    with running("run", "app.py", "--processes", cwd=folder) as it:
        until(lambda: len(_descendants(it.pid)) >= 4, "children")
        it.send(signal.SIGINT)
        ended = it.wait(12)
    assert ended.code == 130, ended.err


STUCK = """
import asyncio
def on_bar(strategy, bar):
    pass
class Stuck(Strategy):
    async def on_bar(self, bar):
        print("stuck", flush=True)
        await asyncio.sleep(3600)
def stuck():
    app_ = app()
    return App(name="stuck", ingestors=app_.ingestors, strategies=[Stuck()],
               portfolio=app_.portfolio, executor=app_.executor)
"""


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_run_asked_twice_to_stop_exits_at_once_and_leaves_nothing(
    folder: Path, how: list[str]
) -> None:
    _add(folder, STUCK)
    with running("run", "app.py:stuck", *how, cwd=folder) as it:
        it.until_line("stuck")
        children = _descendants(it.pid)
        it.send(signal.SIGINT)
        it.until_line("once more stops at once")
        it.send(signal.SIGINT)
        ended = it.wait(5)
    assert ended.code == 130
    until(lambda: not [pid for pid in children if _is_alive(pid)], "children ended", 20)


def test_run_parent_killed_leaves_neither_components_nor_server(folder: Path) -> None:
    _add(folder, SLOW)
    with running("run", "app.py", "--processes", cwd=folder) as it:
        it.until_line("bar 2024-01-03")
        children = _descendants(it.pid)
        assert len(children) >= 7
        it.send(signal.SIGKILL)
        it.wait()
    until(lambda: not [pid for pid in children if _is_alive(pid)], "children ended", 30)


def _child(it: Running, text: str) -> int:
    for pid in _descendants(it.pid):
        command = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if text in command:
            return pid
    raise AssertionError(f"no child with {text!r}")


def test_run_component_killed_ends_the_run_and_names_it(folder: Path) -> None:
    _add(folder, SLOW)
    with running("run", "app.py", "--processes", cwd=folder) as it:
        it.until_line("bar 2024-01-03")
        os.kill(_child(it, "--component first"), signal.SIGKILL)
        ended = it.wait()
    assert ended.code == 1
    assert "error: 'first' was killed by SIGKILL" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_run_server_killed_ends_the_run_and_says_so(folder: Path, how: list[str]) -> None:
    _add(folder, SLOW)
    with running("run", "app.py", *how, cwd=folder) as it:
        it.until_line("bar 2024-01-03")
        os.kill(_child(it, "nats-server -c"), signal.SIGKILL)
        ended = it.wait()
    assert ended.code == 1
    assert "messages may be missing: run the replay again" in ended.err
    assert "Traceback" not in ended.err


RAISES = """
def on_bar(strategy, bar):
    if bar.start.day == 20:
        raise ZeroDivisionError("price moved")
"""


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_run_strategy_that_raises_ends_the_run_and_names_bar_and_component(
    folder: Path, how: list[str]
) -> None:
    _add(folder, RAISES)
    ended = ingenium("run", "app.py", *how, cwd=folder)
    assert ended.code == 1
    assert "failed on DataEvent of A at 2024-01-21" in ended.err
    assert "ZeroDivisionError: price moved" in ended.err


RANDOM = """
import os
def on_bar(strategy, bar):
    if os.urandom(1)[0] % 2:
        strategy.send_signal(bar.symbol, Signal.FLAT)
"""


def test_run_verify_component_that_is_random_is_found(folder: Path) -> None:
    _add(folder, RANDOM)
    ended = ingenium("run", "app.py", "--verify", cwd=folder)
    assert ended.code == 1
    assert "depends on more than its events" in ended.err


def test_run_by_hand_each_component_alone_gives_equal_bytes(
    folder: Path, nats_server: EmbeddedServer
) -> None:
    expected = _result(ingenium("run", "app.py", "--json", cwd=folder))
    env = {"NATS_SERVER": nats_server.url}
    names = ["a", "b", "first", "second", "fixed-quantity", "paper"]
    started = []
    try:
        for name in names:
            context = running("run", "app.py", "--component", name, cwd=folder, env=env)
            started.append((context, context.__enter__()))
        result = _result(
            ingenium("run", "app.py", "--component", "conductor", "--json", cwd=folder, env=env)
        )
        assert [it.wait().code for _, it in started] == [0] * len(names)
    finally:
        for context, _ in started:
            context.__exit__(None, None, None)
    # What an ingestor says of its files is told where it runs.
    assert expected.pop("data_notes") == []
    assert result == expected


LIVE = """
class Ticks(Ingestor):
    async def ingest(self):
        import asyncio
        for day in range(10_000):
            bar = next(iter(Waves("A", 2).read()))
            bar.id, bar.timestamp = "", f"2024-01-01T00:00:00.{day:06}Z"
            self.send_data(bar)
            await asyncio.sleep(0.01)

    def on_stop(self):
        print("ticks stopped", flush=True)

class Seen(Strategy):
    def on_bar(self, bar):
        print("seen", bar.symbol, flush=True)
        if bar.event.timestamp.endswith("3Z"):
            raise ValueError("live and well")

    def on_stop(self):
        print("seen stopped", flush=True)

live = App(name="live", ingestors=[Ticks()], strategies=[Seen()],
           portfolio=FixedQuantity(10), executor=PaperExecutor())
"""


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_run_live_survives_handlers_that_raise_and_stops_in_order(
    folder: Path, how: list[str]
) -> None:
    _add(folder, LIVE)
    with running("run", "app.py:live", *how, cwd=folder) as it:
        until(lambda: (it.out + it.err).count("seen A") > 20, "bars seen")
        it.send(signal.SIGTERM)
        ended = it.wait()
    output = ended.out + ended.err
    assert ended.code == 0, output
    assert "ValueError: live and well" in output
    assert output.index("ticks stopped") < output.index("seen stopped")


def test_run_wrong_use_is_answered_in_one_line_with_code_2(folder: Path) -> None:
    _add(folder, "broken = App(ingestors=[Waves('A', 1)], strategies=[Turns()])")
    cases = {
        ("run", "nowhere.py"): "no such app file: nowhere.py",
        ("run", "app.py"): "app has strategies but no portfolio",
        ("run", "app.py", "--component", "x", "--processes"): "app has strategies",
    }
    for arguments, text in cases.items():
        ended = ingenium(*arguments, cwd=folder)
        assert ended.code == 2
        assert text in ended.err
        assert ended.err.count("\n") == 1, ended.err


def test_run_component_alone_without_server_is_refused_with_the_cure(folder: Path) -> None:
    ended = ingenium("run", "app.py", "--component", "first", cwd=folder)
    assert (ended.code, ended.out) == (2, "")
    assert "set NATS_SERVER" in ended.err


def test_run_server_down_ends_with_address_and_reason(folder: Path) -> None:
    url = "nats://someone:secret-word@127.0.0.1:1"
    ended = ingenium("run", "app.py", cwd=folder, env={"NATS_SERVER": url})
    assert ended.code == 1
    assert "cannot reach nats://127.0.0.1:1: connection refused" in ended.err
    assert "secret-word" not in ended.err + ended.out


def test_run_wrong_credentials_ends_with_the_true_reason(
    folder: Path, nats_server: EmbeddedServer
) -> None:
    host = nats_server.url.rpartition("@")[2]
    url = f"nats://someone:wrong@{host}"
    ended = ingenium("run", "app.py", cwd=folder, env={"NATS_SERVER": url})
    assert ended.code == 1
    assert "uthorization" in ended.err
    assert "wrong" not in ended.err.replace("wrong user", "")


@pytest.mark.parametrize("symbol", ["A*", ">", "", " A"])
def test_run_symbol_that_no_subject_can_hold_is_refused(folder: Path, symbol: str) -> None:
    _add(
        folder,
        f"""
odd = Waves("ok", 1)
odd.symbol = {symbol!r}
app = App(ingestors=[odd])
""",
    )
    ended = ingenium("run", "app.py", cwd=folder)
    assert ended.code != 0
    assert f"symbol {symbol!r}" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK B"])
def test_run_symbol_with_a_dot_or_space_reaches_its_readers(folder: Path, symbol: str) -> None:
    _add(folder, "def on_bar(strategy, bar):\n    pass")
    text = (
        (folder / "app.py")
        .read_text()
        .replace('"A"', repr(symbol))
        .replace("name=symbol.lower()", f"name=symbol.lower().replace({symbol[3]!r}, '-')")
    )
    (folder / "app.py").write_text(text)
    result = _result(ingenium("run", "app.py", "--json", "--verify", cwd=folder))
    assert result["verified"] is True
    assert isinstance(result["trades"], list)
    assert {trade["symbol"] for trade in result["trades"]} == {symbol, "B"}
