"""``ingenium accounts``, and live apps on a server that has what it wrote."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.running import ingenium, running, until

from ingenium.bus import Message, NatsBus, NatsOptions
from ingenium.nats_server.accounts import ROLES
from ingenium.subjects.names import ORDER
from ingenium.testing import Collector

MakeServer = Callable[[str], Any]
COMPONENTS = ("ingestor.ticks", "strategy.turns", "portfolio.fixed-quantity", "executor.paper")

APP = """
import asyncio
from datetime import UTC, datetime, timedelta
from ingenium import App, Bar, Ingestor, Signal, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

class Ticks(Ingestor):
    async def ingest(self):
        for minute in range(100_000):
            price = str(100 + minute * 3 % 7)
            self.send_data(Bar.make(
                "AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(minutes=1),
            ).event)
            await asyncio.sleep(0.02)

class Turns(Strategy):
    def on_bar(self, bar):
        self.send_signal(bar.symbol, Signal.SHORT if bar.close > 103 else Signal.LONG)

app = App(name="live", ingestors=[Ticks()], strategies=[Turns()],
          portfolio=FixedQuantity(10), executor=PaperExecutor())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--keys"], ["--prefix", "paper"]])
@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_live_app_runs_on_a_tls_server_with_the_written_accounts(
    make_server: MakeServer, folder: Path, options: list[str], how: list[str]
) -> None:
    done = ingenium("accounts", "app.py", "--directory", "secrets", *options, cwd=folder)
    assert done.code == 0, done.err
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    pem = folder / "server.pem"
    server = make_server(
        f'jetstream {{\n store_dir: "{folder / "js"}"\n}}\n'
        f'tls {{\n cert_file: "{pem}"\n key_file: "{pem}"\n}}\n'
        "accounts {\n include ../secrets/accounts.conf\n}\n"
    )
    files = done.out.split("INGENIUM_NATS_CREDENTIALS='")[1].split("'")[0]
    env = {
        "NATS_SERVER": server.url.replace("nats:", "tls:"),
        "INGENIUM_NATS_CA": str(folder / "ca.pem"),
        "INGENIUM_NATS_CREDENTIALS": str(folder / files),
    }
    kinds = ("ingenium.ingestor.data.aapl", "strategy.signal", "portfolio.order", "executor.exec")
    with running("run", "app.py", *how, cwd=folder, env=env) as it:
        with running("tap", "--json", cwd=folder, env=env) as tap:
            until(lambda: all(kind in tap.out for kind in kinds), "one event of each kind")
        it.send(signal.SIGTERM)
        ended = it.wait()
    output = ended.out + ended.err + tap.out + tap.err
    assert ended.code == 0, output
    assert "ermission" not in output
    for path in (folder / "secrets").iterdir():
        if path.suffix != ".conf":
            assert path.read_text().strip().rpartition(":")[2] not in output


async def test_two_sets_of_accounts_on_one_server_do_not_meet(
    make_server: MakeServer, folder: Path
) -> None:
    for prefix in ("live", "paper"):
        done = ingenium("accounts", "app.py", "--directory", prefix, "--prefix", prefix, cwd=folder)
        assert done.code == 0, done.err
    server = make_server(
        f'jetstream {{\n store_dir: "{folder / "js"}"\n}}\n'
        "accounts {\n include ../live/accounts.conf\n include ../paper/accounts.conf\n}\n"
    )

    async def connect(where: str, role: str) -> NatsBus:
        file = folder / where / f"{role}.login"
        return await NatsBus.connect(server.url, options=NatsOptions(credentials_file=file))

    got: Collector[Message] = Collector()
    executor = await connect("live", "executor")
    await executor.subscribe(ORDER, got)
    paper = await connect("paper", "portfolio")
    live = await connect("live", "portfolio")
    for bus, payload in ((paper, b"paper"), (live, b"live")):
        await bus.publish(ORDER, payload)
        await bus.flush()
    await got.wait(1)
    await executor.flush()
    assert [message.payload for message in got.items] == [b"live"]
    for bus in (executor, paper, live):
        await bus.close()


def test_files_are_private_and_never_overwritten(folder: Path) -> None:
    done = ingenium("accounts", "app.py", "--directory", "secrets", "--json", cwd=folder)
    answer = json.loads(done.out)
    assert answer == {
        "configuration": "secrets/accounts.conf",
        "credentials": "secrets/{role}.login",
    }
    secrets = folder / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    names = {path.name for path in secrets.iterdir()}
    assert names == {f"{login}.login" for login in (*ROLES, *COMPONENTS)} | {"accounts.conf"}
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o600}
    again = ingenium("accounts", "app.py", "--directory", "secrets", cwd=folder)
    assert again.code == 2
    assert "secrets/accounts.conf exist: remove them, or name another directory" in again.err
    assert before == {path: path.read_bytes() for path in secrets.iterdir()}


def test_printed_accounts_differ_each_time_and_name_all_users(folder: Path) -> None:
    texts = {ingenium("accounts", "app.py", cwd=folder).out for _ in range(2)}
    assert len(texts) == 2
    for text in texts:
        assert text.startswith("# The accounts of live")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        accounts = json.loads("{" + "".join(lines) + "}")
        assert {user["user"] for each in accounts.values() for user in each["users"]} == {
            *ROLES,
            *COMPONENTS,
        }


def test_keys_need_a_folder(folder: Path) -> None:
    ended = ingenium("accounts", "app.py", "--keys", cwd=folder)
    assert ended.code == 2
    assert "name a folder with --directory" in ended.err


@pytest.mark.parametrize("how", [[], ["--processes"]])
def test_app_that_the_accounts_are_not_for_ends_at_once_and_says_so(
    make_server: MakeServer, folder: Path, how: list[str]
) -> None:
    written = ingenium("accounts", "app.py", "--directory", "secrets", cwd=folder)
    assert written.code == 0, written
    (folder / "mini.py").write_text(APP.replace('name="live"', 'name="mini"'))
    server = make_server(
        f'jetstream {{\n store_dir: "{folder / "js"}"\n}}\n'
        "accounts {\n include ../secrets/accounts.conf\n}\n"
    )
    env = {
        "NATS_SERVER": server.url,
        "INGENIUM_NATS_CREDENTIALS": str(folder / "secrets" / "{role}.login"),
    }
    ended = ingenium("run", "mini.py", *how, cwd=folder, env=env)
    assert ended.code in {1, 2}, ended
    assert f"the server at {server.url} is set up for another app" in ended.err
    assert "accounts hold the app's name, here 'mini'" in ended.err
    assert "did not become ready" not in ended.err
    assert "all is ready" not in ended.err
