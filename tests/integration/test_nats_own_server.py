"""Servers that somebody else runs: TLS, keys, credentials, and what is refused."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from nats.errors import Error as NatsError
from support.credentials import Key, OperatorSet
from support.peering import Peer
from support.running import ingenium

import ingenium as sdk
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.credentials import options_for, read_credentials, tls_context
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, has_streams
from ingenium.config import Settings
from ingenium.errors import BusConnectError, BusPermissionError, MissingDependencyError
from ingenium.nats_server.accounts import OPERATOR, READER
from ingenium.testing import wait_until

MakeServer = Callable[[str], Any]
CANARY = "canary-5f1e2d"


async def connects(url: str, options: NatsOptions | None = None) -> None:
    bus = await NatsBus.connect(url, options=options)
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    await bus.subscribe("a", lambda message: got.set_result(message.payload))
    await bus.publish("a", b"1")
    assert await asyncio.wait_for(got, 5) == b"1"
    await bus.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def tls(authority: trustme.CA, folder: Path, host: str = "127.0.0.1", *more: str) -> str:
    issued = authority.issue_cert(host)
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    lines = [f'cert_file: "{folder / "server.pem"}"', f'key_file: "{folder / "server.pem"}"', *more]
    return "tls {\n" + "\n".join(lines) + "\n}"


async def test_tls_with_an_authority_of_ones_own(
    make_server: MakeServer, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    server = make_server(tls(authority, tmp_path))
    settings = Settings.from_environment({"INGENIUM_NATS_CA": str(ca_file)})
    options = options_for(settings, "strategy")
    await connects(server.url.replace("nats:", "tls:"), options)
    # With an authority named, nothing is said in the clear, whatever the address says.
    await connects(server.url, options)
    with pytest.raises(BusConnectError, match="certificate is not trusted"):
        await NatsBus.connect(server.url.replace("nats:", "tls:"))


async def test_tls_with_another_hosts_certificate_is_refused(
    make_server: MakeServer, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    server = make_server(tls(authority, tmp_path, "elsewhere.example"))
    url = server.url.replace("nats:", "tls:")
    with pytest.raises(BusConnectError, match="certificate is not trusted"):
        await NatsBus.connect(url, options=NatsOptions(tls=tls_context(ca_file)))


async def test_server_that_asks_for_a_certificate_gets_it(
    make_server: MakeServer, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    config = tls(authority, tmp_path, "127.0.0.1", f'ca_file: "{ca_file}"', "verify: true")
    server = make_server(config)
    own = authority.issue_cert("strategy.example")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "strategy.pem")
    files = {
        "INGENIUM_NATS_CA": str(ca_file),
        "INGENIUM_NATS_CERT": str(tmp_path / "{role}.pem"),
    }
    await connects(server.url, options_for(Settings.from_environment(files), "strategy"))
    with pytest.raises(BusConnectError):
        await NatsBus.connect(server.url, options=NatsOptions(tls=tls_context(ca_file)))


async def test_key_of_a_user_signs_in(make_server: MakeServer, tmp_path: Path) -> None:
    key, other = Key("user"), Key("user")
    server = make_server(f"authorization: {{ users: [ {{ nkey: {key.public} }} ] }}")
    path = tmp_path / "strategy.nk"
    path.write_text(key.seed + "\n")
    await connects(server.url, NatsOptions(credentials_file=path))
    path.write_text(other.seed)
    with pytest.raises(BusConnectError, match=r"with .*strategy\.nk: authorization viol") as raised:
        await NatsBus.connect(server.url, options=NatsOptions(credentials_file=path))
    assert other.seed not in str(raised.value)


async def test_credentials_file_signs_in(make_server: MakeServer, tmp_path: Path) -> None:
    operator = OperatorSet()
    server = make_server(operator.configuration)
    path = operator.write_credentials(tmp_path / "strategy.creds")
    await connects(server.url, NatsOptions(credentials_file=path))
    foreign = OperatorSet().write_credentials(tmp_path / "foreign.creds")
    with pytest.raises(BusConnectError, match=r"foreign\.creds: authorization violation"):
        await NatsBus.connect(server.url, options=NatsOptions(credentials_file=foreign))


async def test_login_of_a_role_comes_from_its_file(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(
        f'authorization: {{ users: [ {{ user: "paper-reader", password: "{CANARY}:x" }} ] }}'
    )
    (tmp_path / "reader.login").write_text(f"paper-reader:{CANARY}:x\n")
    (tmp_path / "operator.login").write_text(f"paper-operator:{CANARY}\n")
    settings = Settings.from_environment(
        {
            "NATS_SERVER": server.url,
            "INGENIUM_NATS_CREDENTIALS": str(tmp_path / "{role}.login"),
        }
    )
    await connects(server.url, options_for(settings, READER))
    began = time.monotonic()
    with pytest.raises(
        BusConnectError, match=r"as user 'paper-operator', with .*operator\.login: auth"
    ) as raised:
        await NatsBus.connect(server.url, options=options_for(settings, OPERATOR))
    assert time.monotonic() - began < 10
    assert CANARY not in str(raised.value)
    async with sdk.connect(settings=settings.for_role(READER)) as bus:
        assert bus.url == server.url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no credentials: put into it"),
        (f"{CANARY} is no login", "holds no credentials"),
        ("-----BEGIN NATS USER JWT-----", "holds no credentials"),
        (f"SUA{CANARY}", "holds no credentials"),
        ("SU" + 56 * "7", "holds a seed that is none"),
        (None, "cannot read the credentials in .*: no such file"),
    ],
)
def test_file_without_credentials_is_named_and_not_repeated(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "strategy.login"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BusConnectError, match=problem) as raised:
        read_credentials(path)
    assert str(path) in str(raised.value)
    assert CANARY not in str(raised.value)


async def test_missing_library_for_keys_is_named(
    monkeypatch: pytest.MonkeyPatch, make_server: MakeServer, tmp_path: Path
) -> None:
    key = Key("user")
    path = tmp_path / "strategy.nk"
    path.write_text(key.seed)
    server = make_server(f"authorization: {{ users: [ {{ nkey: {key.public} }} ] }}")
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ingenium\[nkeys\]'"):
        await NatsBus.connect(server.url, options=NatsOptions(credentials_file=path))


def test_files_of_certificates_that_make_no_sense_are_named(tmp_path: Path) -> None:
    with pytest.raises(BusConnectError, match=r"there is no file .*missing\.pem"):
        tls_context(tmp_path / "missing.pem")
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(BusConnectError, match=r"bad\.pem holds no certificates in PEM form"):
        tls_context(tmp_path / "bad.pem")
    with pytest.raises(BusConnectError, match=r"the certificate .*bad\.pem and the key in it"):
        tls_context(None, tmp_path / "bad.pem")


@pytest.mark.parametrize(
    "host", ["nats.example", "10.0.0.7", "127.0.0.1.evil.example", "[2001::1]"]
)
async def test_server_elsewhere_without_tls_is_refused_before_anything_is_sent(host: str) -> None:
    with pytest.raises(BusConnectError) as raised:
        await NatsBus.connect(f"nats://user:{CANARY}@{host}")
    text = str(raised.value)
    assert text.startswith(f"nats://{host}:4222 is on another machine, and nothing would be encr")
    assert f"write tls://{host}:4222" in text
    assert "INGENIUM_ALLOW_PLAINTEXT=1" in text
    assert CANARY not in text
    with pytest.raises(BusConnectError, match="is on another machine"):
        await NatsBus.connect(f"nats://127.0.0.1:1,nats://{host}")


async def test_server_elsewhere_without_tls_is_taken_when_the_user_says_so() -> None:
    settings = Settings.from_environment({"INGENIUM_ALLOW_PLAINTEXT": "1"})
    options = options_for(settings, READER)
    with pytest.raises(BusConnectError, match="unknown host"):
        await NatsBus.connect("nats://no-such-host.invalid", options=options)


async def test_server_of_a_cluster_that_is_elsewhere_is_not_spoken_to() -> None:
    # nats-py takes a server's word for where others of its cluster are.
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        client = bus.client
        peer.say(b'INFO {"connect_urls":["10.255.255.1:4222"],"max_payload":1048576}\r\n')
        await wait_until(lambda: len(client._server_pool) == 2)
        with pytest.raises(NatsError, match="only servers on this machine"):
            await client._connect_to_server(client._server_pool[1])
        await bus.close()


async def test_streams_that_are_forbidden_are_an_error_that_names_the_subject(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(
        f'''
        jetstream {{
          store_dir: "{tmp_path / "js"}"
        }}
        authorization {{
          users = [ {{ user: "a", password: "b", permissions: {{ publish: "ingenium.>" }} }} ]
        }}
        '''
    )
    bus = await NatsBus.connect(f"nats://a:b@{server.address}")
    with pytest.raises(BusPermissionError, match=r'forbids asking .*"\$JS\.API\.INFO"'):
        await has_streams(bus)
    stream = NatsStream(bus, MONEY_STREAM.name)
    with pytest.raises(BusPermissionError, match="forbids it to tell of its stream"):
        await stream.state()
    await bus.close()


def test_command_line_says_what_is_wrong_in_one_line_without_secrets(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(f'authorization: {{ users: [ {{ user: "a", password: "{CANARY}" }} ] }}')
    login = tmp_path / "login"
    login.write_text(f"someone:{CANARY}1")
    cases = {
        server.url: f"cannot reach {server.url} as user 'someone', with {login}: authorization",
        f"nats://x:{CANARY}@far.example": "nats://far.example:4222 is on another machine",
    }
    for url, text in cases.items():
        env = {"NATS_SERVER": url, "INGENIUM_NATS_CREDENTIALS": str(login)}
        began = time.monotonic()
        ended = ingenium("tap", cwd=tmp_path, env=env)
        assert time.monotonic() - began < 10
        assert ended.code == 1
        assert text in ended.err
        assert CANARY not in ended.out + ended.err


def test_default_context_trusts_the_systems_authorities() -> None:
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
