"""What a member says when several of its parts fail."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from ingenium import Portfolio
from ingenium.bus import MemoryBus
from ingenium.bus.lease import Holder, LeaseTable, MemoryLease
from ingenium.bus.stream import MemoryStream
from ingenium.errors import StoreError
from ingenium.runtime.durable import DurableRunner, Store


async def _lose_lease_after_disk_was_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, others = asyncio.get_running_loop(), asyncio.all_tasks()
    table = LeaseTable(loop.time)
    lease = MemoryLease(table, "portfolio.app", ttl_seconds=1.0)
    store = Store.open(path, owner="test")
    stream = MemoryStream("INGENIUM")
    member = DurableRunner(MemoryBus(), stream, Portfolio(name="p"), store, lease=lease)
    await member.start()
    running = asyncio.create_task(member.run())

    def fail(_change: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "commit", fail)
    await stream.append("ingenium.strategy.signal", b"{}")
    await asyncio.wait({running})
    assert isinstance(running.exception(), StoreError)
    table._rows["portfolio.app"] = Holder("other:1", "other"), 99, loop.time() + 60
    assert member._lease.task is not None
    await asyncio.wait({member._lease.task})
    monkeypatch.undo()
    left = asyncio.all_tasks() - others
    for task in left:
        task.cancel()
    await asyncio.wait(left)
    store.close()


async def test_lease_lost_after_another_error_is_not_told_by_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    await asyncio.create_task(_lose_lease_after_disk_was_full(tmp_path / "p.db", monkeypatch))
    gc.collect()
    assert [context["message"] for context in told if "exception" in context] == []
