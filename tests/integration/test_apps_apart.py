"""Several apps on one server: refused with the cure, or apart; never mixed."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import nats
import pytest
from nats.aio.msg import Msg
from support.plain_server import PlainServer
from support.running import Ended, Running, ingenium, running, until

from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.base import Message
from ingenium.bus.nats.credentials import options_for
from ingenium.config import Settings
from ingenium.nats_server.accounts import READER
from ingenium.subjects.space import SubjectSpace

JETSTREAM = 'jetstream {{ store_dir: "{folder}/store" }}'
LIVE = """
import asyncio
from datetime import UTC, datetime, timedelta

from ingenium import App, Bar, ExecutionEvent, Executor, Ingestor, RiskLimits, Signal, Strategy
from ingenium.portfolios import FixedQuantity

class Ticks(Ingestor):
    async def ingest(self):
        for minute in range(100_000):
            price = str(100 + minute % 7)
            bar = Bar.make(
                "AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(minutes=1),
            )
            self.send_data(bar.event)
            await asyncio.sleep(0.05)

class Turns(Strategy):
    def on_bar(self, bar):
        self.send_signal(bar.symbol, Signal.SHORT if bar.close > 103 else Signal.LONG)

class FillAll(Executor):
    def on_order(self, event):
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="100", update="filled",
        ))

app = App(
    name=NAME, prefix=PREFIX, ingestors=[Ticks()], strategies=[Turns()],
    portfolio=FixedQuantity(QUANTITY), executor=FillAll(),
    risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None, price_collar=None),
)
"""
HISTORY = """
from ingenium import App, External
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

app = App(
    name="history", ingestors=[CsvIngestor("X.csv")], strategies=[STRATEGY],
    portfolio=FixedQuantity(1000), executor=PaperExecutor(),
)
"""
CLOSES = (10, 11, 12, 11, 10, 9, 8, 9, 10, 11, 12, 13, 12, 11, 10, 9, 8, 9, 10, 11, 12, 13)


class Watcher:
    """Counts what passes on a server, by its subject there."""

    def __init__(self) -> None:
        self.quantities: dict[str, Counter[str]] = {}
        self.fills: Counter[tuple[str, str]] = Counter()

    def see(self, message: Message) -> None:
        kind = message.subject.rpartition(".")[2]
        if kind not in {"order", "execution"}:
            return
        event = json.loads(message.payload)
        self.quantities.setdefault(message.subject, Counter())[event["Quantity"]] += 1
        if kind == "execution":
            # Equal apps give equal ids, so an id alone does not name an order.
            self.fills[message.subject, event["OrderId"]] += 1


class Site:
    """A server with a watcher on all its subjects, and the apps that a test starts there."""

    def __init__(self, server: PlainServer, folder: Path, stack: ExitStack) -> None:
        self.url = server.url
        self._folder = folder
        self._stack = stack

    def folder(self, name: str) -> Path:
        """Make a folder with an app in it, so that no file stands between two of them."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def live(
        self, name: str, quantity: int, prefix: str = "", **environment: str
    ) -> Callable[[], Running]:
        folder = self.folder(name)
        head = f"NAME, PREFIX, QUANTITY = {name!r}, {prefix!r}, {quantity}\n"
        (folder / "app.py").write_text(head + LIVE)
        environment.setdefault("NATS_SERVER", self.url)
        return lambda: self._stack.enter_context(
            running("run", "app.py", cwd=folder, env=environment)
        )

    def history(self, strategy: str = "SmaCross(fast=2, slow=4)", **environment: str) -> Ended:
        folder = self.folder("history")
        (folder / "app.py").write_text(HISTORY.replace("STRATEGY", strategy))
        rows = [f"2024-01-{day:02},{c},{c},{c},{c},1000000" for day, c in enumerate(CLOSES, 1)]
        text = "\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""])
        (folder / "X.csv").write_text(text)
        return ingenium("run", "app.py", "--json", cwd=folder, env=environment)


@pytest.fixture
def site(make_server, tmp_path, request) -> Iterator[Site]:
    config = JETSTREAM.format(folder=tmp_path) if request.param == "jetstream" else ""
    with ExitStack() as stack:
        yield Site(make_server(config), tmp_path, stack)


both = pytest.mark.parametrize("site", ["plain", "jetstream"], indirect=True)
only_jetstream = pytest.mark.parametrize("site", ["jetstream"], indirect=True)


async def watch(url: str, run: Callable[[Watcher], None]) -> Watcher:
    """Watch a server while a function runs in a thread."""
    watcher = Watcher()
    bus = await NatsBus.connect(url, name="watcher")
    try:
        # Not all subjects: a stream's deliveries would come as well.
        for pattern in ("ingenium.>", "*.ingenium.>"):
            await bus.subscribe(pattern, watcher.see)
        await asyncio.to_thread(run, watcher)
    finally:
        await bus.close()
    return watcher


def _has_traded(watcher: Watcher, prefix: str) -> bool:
    return watcher.quantities.get(f"{prefix}ingenium.executor.execution", Counter()).total() >= 6


def _hold_apart(watcher: Watcher, wanted: dict[str, set[str]]) -> None:
    """Check that each order was filled once, and that nobody worked a quantity of another."""
    assert set(watcher.fills.values()) == {1}
    found = {
        subject.removesuffix("ingenium.portfolio.order"): set(quantities)
        for subject, quantities in watcher.quantities.items()
        if subject.endswith("order")
    }
    assert found == wanted
    for prefix, quantities in wanted.items():
        executions = watcher.quantities[f"{prefix}ingenium.executor.execution"]
        assert set(executions) == quantities


@both
@pytest.mark.parametrize("second", ["other", "first"], ids=["another app", "the same app"])
def test_second_app_on_the_same_subjects_is_refused_with_the_cure(
    site: Site, second: str, tmp_path: Path
) -> None:
    site.live("first", 10)().until_line("all is ready")
    ended = site.live(second, 7, INGENIUM_DATA_DIR=str(tmp_path / "elsewhere"))().wait()
    assert ended.code in {1, 2}
    assert "of ingenium.> is led by app 'first' at " in ended.err.replace(
        "executor is led", "executor of ingenium.> is led"
    )
    assert "App(prefix='...') or INGENIUM_PREFIX" in ended.err
    assert "Traceback" not in ended.err


@both
async def test_two_apps_with_prefixes_stay_apart(site: Site) -> None:
    def run(watcher: Watcher) -> None:
        site.live("one", 10, "alpha")()
        site.live("two", 7, "beta")()
        site.live("three", 3)()
        for prefix in ("alpha.", "beta.", ""):
            until(lambda: _has_traded(watcher, prefix), f"six fills of {prefix!r}")  # noqa: B023

    watcher = await watch(site.url, run)
    # The first order opens the position, each later one turns it round.
    _hold_apart(watcher, {"alpha.": {"10", "20"}, "beta.": {"7", "14"}, "": {"3", "6"}})


@both
async def test_environment_moves_an_app_to_subjects_of_its_own(site: Site) -> None:
    def run(watcher: Watcher) -> None:
        site.live("one", 10)()
        site.live("two", 7, "beta", INGENIUM_PREFIX="gamma")()
        for prefix in ("", "gamma."):
            until(lambda: _has_traded(watcher, prefix), f"six fills of {prefix!r}")  # noqa: B023

    watcher = await watch(site.url, run)
    _hold_apart(watcher, {"": {"10", "20"}, "gamma.": {"7", "14"}})


@both
async def test_replay_beside_a_live_app_gives_the_result_of_its_own_server(site: Site) -> None:
    alone = site.history()
    assert alone.code == 0, alone.err
    beside: list[Ended] = []

    def run(watcher: Watcher) -> None:
        site.live("live", 10)()
        until(lambda: _has_traded(watcher, ""), "six fills")
        beside.append(site.history(NATS_SERVER=site.url))

    watcher = await watch(site.url, run)
    assert beside[0].code == 0, beside[0].err
    assert json.loads(beside[0].out)["events_digest"] == json.loads(alone.out)["events_digest"]
    traded = json.loads(alone.out)["trades"]
    assert traded
    assert set(watcher.quantities["ingenium.portfolio.order"]) == {"10", "20"}
    assert set(watcher.quantities["replay-history.ingenium.portfolio.order"]) == {"1000", "2000"}
    reports = watcher.quantities["ingenium.executor.execution"]
    assert set(reports) == {"10", "20"}


@only_jetstream
def test_replay_of_a_program_that_follows_no_prefix_is_refused_beside_a_stream(
    site: Site, tmp_path: Path
) -> None:
    site.live("live", 10)().until_line("all is ready")
    ended = site.history("External('strategy', ['sleep', '60'])", NATS_SERVER=site.url)
    assert ended.code in {1, 2}
    assert "stream INGENIUM, INGENIUM_DATA on the server at" in ended.err
    assert "leave NATS_SERVER out" in ended.err


@pytest.mark.parametrize("site", ["plain"], indirect=True)
def test_replay_of_a_program_that_follows_no_prefix_is_refused_beside_a_live_app(
    site: Site, tmp_path: Path
) -> None:
    site.live("live", 10)().until_line("all is ready")
    ended = site.history("External('strategy', ['sleep', '60'])", NATS_SERVER=site.url)
    assert ended.code in {1, 2}
    assert "portfolio is led by app 'live' at" in ended.err


def test_program_that_follows_no_prefix_is_refused_in_an_app_with_one(tmp_path: Path) -> None:
    text = HISTORY.replace("STRATEGY", "External('strategy', ['true'], name='go')")
    (tmp_path / "app.py").write_text(text)
    ended = ingenium("run", "app.py", cwd=tmp_path, env={"INGENIUM_PREFIX": "paper"})
    assert ended.code in {1, 2}
    assert "follows_prefix=True" in ended.err


@only_jetstream
def test_halt_by_name_finds_the_prefix_of_the_app(site: Site, tmp_path: Path) -> None:
    site.live("live", 10, "alpha")().until_line("all is ready")
    folder = tmp_path / "live"
    done = ingenium("halt", "live", "--json", cwd=folder, env={"NATS_SERVER": site.url})
    assert [it["reached"] for it in json.loads(done.out)["apps"]] == ["stream"], done
    status = ingenium("status", "live", "--json", cwd=folder, env={"NATS_SERVER": site.url})
    assert [it["said"]["state"] for it in json.loads(status.out)["apps"]] == ["halted"]


@both
def test_halt_by_the_name_of_another_app_reaches_nobody_and_says_so(
    site: Site, tmp_path: Path
) -> None:
    site.live("first", 10)().until_line("all is ready")
    elsewhere = site.folder("elsewhere")
    env = {"NATS_SERVER": site.url}

    def switched(command: str, *rest: str, **more: str) -> tuple[int, dict[str, object]]:
        ended = ingenium(command, *rest, "--json", cwd=elsewhere, env=env | more)
        [done] = json.loads(ended.out)["apps"]
        return ended.code, done

    # It has a prefix that nobody here knows of.
    code, done = switched("halt", "second")
    assert (code, done["reached"], done["file_changed"]) == (1, "nobody", True)
    assert "ingenium.> on the server at" in str(done["server_error"])
    assert "is led by app 'first', and nothing was said to it" in str(done["server_error"])
    code, done = switched("resume", "second", "--yes", "second")
    assert (code, done["reached"]) == (1, "nobody")

    code, done = switched("halt", "second", INGENIUM_PREFIX="wrong")
    assert (code, done["reached"]) == (1, "nobody")
    assert "no component is subscribed to wrong.ingenium.> on" in str(done["server_error"])

    code, done = switched("halt", "first")
    assert (code, done["server_error"]) == (0, "")


@only_jetstream
def test_commands_with_a_wrong_prefix_make_no_stream_and_say_so(site: Site, tmp_path: Path) -> None:
    site.live("live", 10, "alpha")().until_line("all is ready")
    env = {"NATS_SERVER": site.url, "INGENIUM_PREFIX": "wrong"}
    said = "has no stream INGENIUM-wrong, so no app has run there on wrong.ingenium.>"
    for command in ("verify", "deadletters"):
        ended = ingenium(command, "app.py", cwd=tmp_path / "live", env=env)
        assert ended.code == 1
        assert said in ended.err
    ended = ingenium("status", "live", "--json", cwd=tmp_path / "live", env=env)
    [status] = json.loads(ended.out)["apps"]
    assert said in status["server_error"]
    assert status["stream_end"] is None
    assert not list(tmp_path.glob("store/**/INGENIUM-wrong"))
    del env["INGENIUM_PREFIX"]
    shown = ingenium("status", "live", cwd=tmp_path / "live", env=env)
    assert "stream INGENIUM-alpha ends at" in shown.out


def _with_accounts(
    folder: Path, site: Site, name: str, quantity: int, prefix: str, account: str
) -> dict[str, str]:
    """Write the accounts of an app, and return the environment in which it uses them."""
    site.live(name, quantity, prefix)
    secrets = folder / f"secrets-{name}"
    done = ingenium(
        "accounts", "app.py", "--prefix", account, "--directory", str(secrets),
        cwd=folder / name,
    )  # fmt: skip
    assert done.code == 0, done.err
    return {"INGENIUM_NATS_CREDENTIALS": str(secrets / "{role}.login")}


async def test_apps_in_accounts_of_their_own_stay_apart_with_and_without_a_prefix(
    make_server: Callable[[str], PlainServer], tmp_path: Path
) -> None:
    """Two on the documented subjects, and a third one with a prefix within its accounts."""
    apps = {"one": (10, "", "one"), "two": (7, "", "two"), "three": (3, "gamma", "three")}
    with ExitStack() as stack:
        unstarted = PlainServer(tmp_path)
        environments = {
            name: _with_accounts(tmp_path, Site(unstarted, tmp_path, stack), name, *how)
            for name, how in apps.items()
        }
        included = "\n".join(f"include ../secrets-{name}/accounts.conf" for name in apps)
        server = make_server(f"{JETSTREAM.format(folder=tmp_path)}\naccounts {{\n{included}\n}}\n")
        site = Site(server, tmp_path, stack)
        watchers = {name: Watcher() for name in apps}
        buses = []
        for name, environment in environments.items():
            settings = Settings.from_environment({**environment, "INGENIUM_PREFIX": apps[name][1]})
            options = options_for(settings, READER)
            buses.append(await NatsBus.connect(server.url, name=name, options=options))
            await buses[-1].subscribe("ingenium.>", watchers[name].see)

        def run() -> None:
            for name, (quantity, prefix, _) in apps.items():
                site.live(name, quantity, prefix, **environments[name])()
            for watcher in watchers.values():
                until(lambda: _has_traded(watcher, ""), "six fills")  # noqa: B023

        await asyncio.to_thread(run)
        for bus in buses:
            await bus.close()
    for name, (quantity, _, _) in apps.items():
        _hold_apart(watchers[name], {"": {str(quantity), str(2 * quantity)}})


WITHOUT_STRATEGY = LIVE.replace("from ingenium import App,", "from ingenium import App, External,")
WITHOUT_STRATEGY = WITHOUT_STRATEGY.replace(
    "strategies=[Turns()]", "strategies=[External('strategy', name='go', follows_prefix=True)]"
)


async def test_original_strategy_in_an_account_that_the_server_maps_trades_for_the_app(
    make_server: Callable[[str], PlainServer], tmp_path: Path
) -> None:
    """The configuration is that of the page; the peer sends what a Go struct gives, no header."""
    page = (Path(__file__).parents[2] / "docs/several-apps.md").read_text("utf-8")
    [config] = re.findall(r"^```conf\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    server = make_server(config.replace("jetstream: enabled", JETSTREAM.format(folder=tmp_path), 1))
    (tmp_path / "app.py").write_text(
        f"NAME, PREFIX, QUANTITY = 'mapped', 'paper', 10\n{WITHOUT_STRATEGY}"
    )
    login = server.url.replace("nats://", "nats://original:original-secret@")
    original = await nats.connect(login)
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    filled = loop.create_future()

    async def on_bar(message: Msg) -> None:
        heard.append(message.subject)
        await original.publish(
            "ingenium.strategy.signal",
            b'{"Symbol":"AAPL","Signal":"ingenium.signal.long"}',
        )

    url = server.url.replace("nats://", "nats://app:app-secret@")
    watching = await NatsBus.connect(
        url, name="watcher", options=NatsOptions(space=SubjectSpace("paper"))
    )

    def on_execution(message: Message) -> None:
        if not filled.done():
            filled.set_result(json.loads(message.payload)["Quantity"])

    await watching.subscribe("ingenium.executor.execution", on_execution)
    await original.subscribe("ingenium.ingestor.data.aapl", cb=on_bar)
    await original.flush()
    with running("run", "app.py", cwd=tmp_path, env={"NATS_SERVER": url}) as it:
        async with asyncio.timeout(40):
            assert await filled == "10", it.err
    assert set(heard) == {"ingenium.ingestor.data.aapl"}
    await original.close()
    await watching.close()


@pytest.mark.parametrize("prefix", ["Paper", "a.b", "a b", "ingenium", ">", "a" * 61, "-a"])
def test_prefix_that_does_not_fit_is_refused(prefix: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"NAME, PREFIX, QUANTITY = 'x', {prefix!r}, 1\n{LIVE}")
    ended = ingenium("run", "app.py", cwd=tmp_path)
    assert ended.code in {1, 2}
    assert f"prefix {prefix!r} does not fit" in ended.err
