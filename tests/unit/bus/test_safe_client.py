"""Requests to a server that end in odd ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.client import Client

from ingenium.bus.nats.nats_client import SafeClient


def client_that_asks(patch: pytest.MonkeyPatch, ask: Callable[[], Awaitable[str]]) -> Any:
    async def request(_: Client, __: str) -> str:
        return await ask()

    patch.setattr(Client, "request", request)
    return SafeClient()


async def test_cancel_that_meets_the_answer_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader that was canceled and went on would keep its component from stopping."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask() -> str:
        return await asyncio.wait_for(answer, 10)  # as nats-py does

    task = asyncio.create_task(client_that_asks(monkeypatch, ask).request("subject"))
    await asyncio.sleep(0)
    answer.set_result("here")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_asks_while_it_cleans_up_behind_a_cancel_gets_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask() -> str:
        await asyncio.sleep(0)
        return "here"

    client = client_that_asks(monkeypatch, ask)

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return str(await client.request("subject"))
        return ""

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "here"
