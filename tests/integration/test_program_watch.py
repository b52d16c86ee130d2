"""Programs of a live app that are missing, listen elsewhere or send nothing are named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import nats
import pytest
from nats.aio.client import Client
from support.running import running

from ingenium import App, Ingestor
from ingenium.brokers import PaperExecutor
from ingenium.bus import NatsBus
from ingenium.components import External
from ingenium.config import Settings
from ingenium.deploy.local.access import accounts_of
from ingenium.deploy.local.program_watch import ProgramWatch
from ingenium.deploy.local.server_connections import ServerConnections
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy
from ingenium.testing import wait_until

LISTEN_SECONDS = 0.4
SEND_SECONDS = 0.6


class Feed(Ingestor):
    async def ingest(self) -> None:
        """Send nothing."""


def app_with(*externals: External) -> App:
    by_role = {each.role: each for each in externals}
    return App(
        name="watched",
        ingestors=[by_role.get("ingestor", Feed())],
        strategies=[by_role.get("strategy", RsiStrategy(["AAPL"], name="rsi"))],
        portfolio=by_role.get("portfolio", FixedQuantity(1)),
        executor=by_role.get("executor", PaperExecutor()),
    )


class Watch:
    """A watch over an app on a server, and the connections of its programs."""

    def __init__(self, app: App, url: str, monitor_url: str | None, program_url: str = "") -> None:
        self.app, self.url, self.monitor_url = app, url, monitor_url
        self.program_url = program_url or url
        self.problems: list[str] = []
        self.ready: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.bus = await NatsBus.connect(self.url, name="ingenium watched")
        self._stack.push_async_callback(self.bus.close)
        server = ServerConnections(self.bus, self.monitor_url)
        self.watch = ProgramWatch(
            self.bus,
            self.app,
            server,
            self.problems.append,
            self.ready.append,
            listen_seconds=LISTEN_SECONDS,
            send_seconds=SEND_SECONDS,
        )
        await self.watch.start()
        self._stack.push_async_callback(self.watch.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def connect(self, *subjects: str, url: str = "") -> Client:
        """Connect as a program on the original library does: without a name."""
        client = await nats.connect(url or self.program_url)
        self._stack.push_async_callback(client.close)
        for subject in subjects:
            await client.subscribe(subject)
        await client.flush()
        return client

    async def problem(self) -> str:
        await wait_until(lambda: bool(self.problems), timeout_seconds=15)
        assert len(self.problems) == 1
        return self.problems[0]


@asynccontextmanager
async def served(kind: str, app: App, tmp_path: Path, make_server: Any) -> AsyncIterator[Watch]:
    """Watch on a foreign server that only answers on the bus, or on one with accounts."""
    if kind == "foreign":
        async with Watch(app, make_server().url, None) as watch:
            yield watch
        return
    accounts = accounts_of(app, Settings())
    async with EmbeddedServer(tmp_path / "own", accounts=accounts) as server:
        # The last one, as a run gives it to the program of that component.
        program = [c for c in app.components if isinstance(c, External)][-1]
        login = server.url_for(program.role, program.name)
        urls = server.url_for(OPERATOR), server.monitor_url, login
        async with Watch(app, *urls) as watch:
            yield watch


SERVERS = pytest.mark.parametrize("kind", ["foreign", "accounts"])
DATA = "ingenium.ingestor.data"
NEEDED = {
    "strategy": [f"{DATA}.aapl", f"{DATA}.brk.b"],
    "portfolio": ["ingenium.strategy.signal", "ingenium.executor.execution"],
    "executor": ["ingenium.portfolio.order"],
}


def external(role: str, command: list[str] | None = None) -> External:
    symbols = ["AAPL", "BRK.B"] if role in ("strategy", "ingestor") else None
    return External(role, command, name="peer", symbols=symbols)


@SERVERS
@pytest.mark.parametrize("role", NEEDED)
async def test_program_is_ready_when_it_listens(
    tmp_path: Path, make_server: Any, kind: str, role: str
) -> None:
    async with served(kind, app_with(external(role)), tmp_path, make_server) as it:
        assert it.watch.missing() == [
            f"{role} 'peer', which should listen to {', '.join(NEEDED[role])}"
        ]
        await it.connect(*NEEDED[role])
        await wait_until(lambda: bool(it.ready), timeout_seconds=15)
        assert it.ready == [f"{role} 'peer' is ready now: another program, listening"]
        # It is quiet, which may be as it should.
        said = await it.problem()
        assert said.startswith(f"{role} 'peer' has sent nothing on ingenium.")
        assert "for 0.6 s, and has been sent 0 messages: it may " in said


@SERVERS
async def test_program_that_listens_elsewhere_is_named_with_both_subjects(
    tmp_path: Path, make_server: Any, kind: str
) -> None:
    async with served(kind, app_with(external("strategy")), tmp_path, make_server) as it:
        await it.connect(f"{DATA}.AAPL", f"{DATA}.brk.b")
        assert await it.problem() == (
            "strategy 'peer' is connected and has listened for 0.4 s to "
            f"{DATA}.AAPL, {DATA}.brk.b, but should listen to {DATA}.aapl, {DATA}.brk.b: have it "
            "subscribe to just that, in lower case"
        )


@SERVERS
async def test_program_that_nobody_started_is_named_and_noticed_when_it_comes(
    tmp_path: Path, make_server: Any, kind: str
) -> None:
    async with served(kind, app_with(external("executor")), tmp_path, make_server) as it:
        it.watch.missing()
        said = await it.problem()
        assert said.startswith("executor 'peer' is not seen on nats://127.0.0.1:")
        assert said.endswith("it should listen to ingenium.portfolio.order")
        client = await it.connect("ingenium.portfolio.order")
        await wait_until(lambda: bool(it.ready), timeout_seconds=15)
        await client.publish("ingenium.executor.execution", b"{}")
        await client.close()
        await wait_until(lambda: len(it.problems) == 2, timeout_seconds=15)
        assert it.problems[1] == (
            "executor 'peer' has not been connected for 0.4 s; it should listen to "
            "ingenium.portfolio.order"
        )
        await it.connect("ingenium.portfolio.order")
        await wait_until(lambda: len(it.ready) == 2, timeout_seconds=15)
        assert it.ready[1] == "executor 'peer' is connected and listens again"


@SERVERS
async def test_program_that_connects_to_another_server_is_named(
    tmp_path: Path, make_server: Any, kind: str
) -> None:
    app = app_with(external("strategy", ["started"]))
    async with served(kind, app, tmp_path, make_server) as it:
        await it.watch.starts("peer")
        await it.connect(*NEEDED["strategy"], url=make_server().url)
        said = await it.problem()
        assert said.startswith("strategy 'peer' runs, but has not connected to nats://127.0.0.1:")
        assert "have it connect to the URL in NATS_SERVER" in said


@SERVERS
async def test_ingestor_is_ready_when_it_is_connected_or_was_heard(
    tmp_path: Path, make_server: Any, kind: str
) -> None:
    app = app_with(external("ingestor", ["started"]))
    async with served(kind, app, tmp_path, make_server) as it:
        await it.watch.starts("peer")
        client = await it.connect()
        await wait_until(it.watch.ready("peer").is_set, timeout_seconds=15)
        said = await it.problem()
        assert said == (
            f"ingestor 'peer' has sent nothing on {DATA}.> for 0.6 s: a quiet market looks the same"
        )
        await client.publish(f"{DATA}.aapl", json.dumps({"Symbol": "AAPL"}).encode())
        await client.flush()


@SERVERS
@pytest.mark.parametrize("role", NEEDED)
async def test_program_is_not_taken_for_the_ingestor_that_is_missing(
    tmp_path: Path, make_server: Any, kind: str, role: str
) -> None:
    feed = External("ingestor", name="feed", symbols=["AAPL"])
    async with served(kind, app_with(feed, external(role)), tmp_path, make_server) as it:
        await it.connect(*NEEDED[role])
        await wait_until(it.watch.ready("peer").is_set, timeout_seconds=15)
        await wait_until(
            lambda: any(each.startswith("ingestor 'feed' is not seen on") for each in it.problems),
            timeout_seconds=15,
        )
        assert it.watch.missing() == [f"ingestor 'feed', which should connect and send to {DATA}.>"]


async def test_own_components_and_tools_are_not_taken_for_a_program(make_server: Any) -> None:
    url = make_server().url
    async with Watch(app_with(external("strategy")), url, None) as it:
        for name in ("fixed-quantity", "paper", "ingenium tap"):
            other = await nats.connect(url, name=name)
            it._stack.push_async_callback(other.close)
            await other.subscribe("ingenium.>")
            await other.flush()
        assert (await it.problem()).startswith("strategy 'peer' is not seen on nats://")


LIMITED = """
authorization { users = [
  { user: "limited", password: "pw", permissions: {
      publish: { allow: ["ingenium.>", "_ingenium.>"] }, subscribe: { allow: [">"] } } }
] }
"""


async def test_server_that_tells_nothing_lets_a_program_count_as_ready(make_server: Any) -> None:
    url = make_server(LIMITED).url.replace("//", "//limited:pw@")
    async with Watch(app_with(external("strategy", ["started"])), url, None) as it:
        await it.bus.flush()  # nothing is left of the question that was refused
        await it.watch.starts("peer")
        await wait_until(it.watch.ready("peer").is_set, timeout_seconds=15)
        component = it.app.component("peer")
        assert isinstance(component, External)
        said = it.watch.state_of(component)
        assert said == "another program, which cannot be seen on this server"
        assert (await it.problem()).startswith(
            "strategy 'peer' has sent nothing on ingenium.strategy.signal for 0.6 s: "
        )


APP = """
import asyncio, sys
from ingenium import App, External, Ingestor
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

class Feed(Ingestor):
    async def ingest(self):
        await asyncio.Event().wait()

def make(*arguments):
    strategy = External("strategy", [sys.executable, "program.py", *arguments], name="peer",
                        symbols=["AAPL"])
    return App(name="watched", ingestors=[Feed()], strategies=[strategy],
               portfolio=FixedQuantity(1), executor=PaperExecutor())

def app(): return make()
def dies(): return make("dies")
"""
PROGRAM = """
import asyncio, os, sys
import nats
from nats.aio.client import Client

async def main():
    for number in range(100):
        print("span", number, flush=True)
    if "dies" in sys.argv:
        sys.exit("no licence")
    client = await nats.connect(os.environ["NATS_SERVER"])
    await client.subscribe("ingenium.ingestor.data.aapl")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize("how", [[], ["--processes"], ["--all-output"]])
def test_run_live_says_in_one_line_when_all_is_ready(folder: Path, how: list[str]) -> None:
    with running("run", "app.py:app", *how, cwd=folder) as it:
        it.until_line("is ready: ")
        [line] = [line for line in it.err.splitlines() if "ready" in line]
        assert line == (
            "all is ready: ingestor feed, strategy peer (another program, listening), portfolio "
            "fixed-quantity, executor paper"
        )
        shown = 100 if "--all-output" in how else 30
        assert it.err.count("peer | span ") == shown


def test_run_program_that_exits_at_once_is_named_with_its_last_words(folder: Path) -> None:
    with running("run", "app.py:dies", cwd=folder) as it:
        ended = it.wait()
    assert ended.code == 1
    assert "peer | ... " in ended.err
    assert "peer | no licence" in ended.err
    assert (
        "error: 'peer' ended with 1 before the run did: its output is above; it should listen to "
        "ingenium.ingestor.data.aapl"
    ) in ended.err
