"""A program in another language on a server with TLS, whose users sign in with a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trustme
from support.credentials import Key, OperatorSet

import ingenium as sdk
from ingenium import DataEvent, Ohlc, SignalEvent
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.client import EventBus
from ingenium.bus.nats.credentials import tls_context

__all__ = ["KINDS", "answers_over_tls", "refuses_strangers"]

KINDS = ("creds", "seed", "password")
"""What a file of credentials may hold."""

MakeServer = Callable[[str], Any]
_LIMIT_SECONDS = 40.0


class _Site:
    """A server with TLS from an authority of its own, and the environment of a user."""

    def __init__(
        self, make_server: MakeServer, folder: Path, kind: str, host: str = "127.0.0.1"
    ) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        pem = folder / "server.pem"
        issued = authority.issue_cert(host)
        issued.private_key_and_cert_chain_pem.write_to_path(pem)
        path = folder / "strategy.user"
        if kind == "creds":
            operator = OperatorSet()
            users = operator.configuration
            operator.write_credentials(path)
        elif kind == "seed":
            key = Key("user")
            users = f"authorization: {{ users: [ {{ nkey: {key.public} }} ] }}"
            path.write_text(f"{key.seed}\n")
        else:
            users = "authorization: { user: ann, password: s3cret-word }"
            path.write_text("ann:s3cret-word\n")
        server = make_server(f'tls {{ cert_file: "{pem}", key_file: "{pem}" }}\n{users}\n')
        self.url = server.url.replace("nats:", "tls:")
        self.user = path
        self.environment = {
            "PATH": os.environ["PATH"],
            "INGENIUM_COMPONENT": "rsi",
            "NATS_SERVER": self.url,
            "INGENIUM_NATS_CA": str(self.ca),
            # A role's own file, as docs/security.md has it.
            "INGENIUM_NATS_CREDENTIALS": str(folder / "{role}.user"),
        }


async def answers_over_tls(
    make_server: MakeServer, folder: Path, command: Sequence[str], kind: str
) -> None:
    """Check that a strategy signs in with a kind of credentials, and answers bars."""
    site = await asyncio.to_thread(_Site, make_server, folder, kind)
    options = NatsOptions(tls=tls_context(site.ca), credentials_file=site.user)
    bus = EventBus(await NatsBus.connect(site.url, options=options), name="test")
    process = await asyncio.create_subprocess_exec(*command, env=site.environment)
    try:
        signals = await bus.subscribe(SignalEvent)
        waiting = asyncio.ensure_future(anext(aiter(signals)))
        close = 1
        async with asyncio.timeout(_LIMIT_SECONDS):
            # It rises with every bar: each says short once it is subscribed and warm.
            while not waiting.done():
                bar = Ohlc(close=str(close))
                await bus.publish(
                    DataEvent(symbol="AAPL", timestamp="2024-01-03T14:30:00Z", ohlc=bar)
                )
                close += 1
                await asyncio.wait([waiting], timeout=0.05)
        assert (await waiting).signal == sdk.Signal.SHORT
        process.terminate()
        assert await asyncio.wait_for(process.wait(), _LIMIT_SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await bus.close()


async def refuses_strangers(make_server: MakeServer, folder: Path, command: Sequence[str]) -> None:
    """Check that a strategy ends and says why where the certificate is not that of its server."""
    for number, host in enumerate(("127.0.0.1", "elsewhere.example")):
        own = folder / str(number)
        own.mkdir()
        site = await asyncio.to_thread(_Site, make_server, own, "password", host)
        if host == "127.0.0.1":
            trustme.CA().cert_pem.write_to_path(site.ca)
        process = await asyncio.create_subprocess_exec(
            *command, env=site.environment, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode not in (0, None)
        assert b"cert" in said.lower() or b"subject alternative name" in said, said
        assert b"s3cret-word" not in said
