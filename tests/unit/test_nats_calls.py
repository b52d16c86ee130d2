"""Requests to a server that end in odd ways."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ingenium.bus.nats_calls import call_server


async def test_cancel_that_meets_the_answer_is_not_forgotten() -> None:
    """A reader that was canceled and went on would keep its component from stopping."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask() -> str:
        return await asyncio.wait_for(answer, 10)  # as nats-py does

    task = asyncio.create_task(call_server(cast("Any", None), "INGENIUM", "answer", ask))
    await asyncio.sleep(0)
    answer.set_result("here")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_asks_while_it_cleans_up_behind_a_cancel_gets_an_answer() -> None:
    async def ask() -> str:
        await asyncio.sleep(0)
        return "here"

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await call_server(cast("Any", None), "INGENIUM", "answer", ask)
        return ""

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "here"
