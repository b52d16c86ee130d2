"""A component of a live app is ready when its own status says so, once for each start."""

from __future__ import annotations

import asyncio

import pytest

from ingenium import App, Ingestor
from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import MemoryBus
from ingenium.deploy.local.child_process import Child
from ingenium.deploy.local.live_run import run_live
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.supervisor import Supervised
from ingenium.events import encode
from ingenium.subjects.names import status_subject


class Quiet(Ingestor):
    async def ingest(self) -> None:
        await asyncio.Event().wait()


def _ignore(_name: str, _line: str) -> None:
    return


class NoProcess(Supervised):
    """A process that never ends, and counts how often it is taken for ready."""

    def __init__(self, component: Ingestor) -> None:
        super().__init__(component, lambda: Child("feed", ["true"], {}, on_line=_ignore), _ignore)
        self.times_ready = 0

    def ready(self) -> None:
        self.times_ready += 1
        super().ready()

    async def start(self) -> None:
        return

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        return


async def test_only_an_own_status_that_says_ready_counts_once_for_each_life(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus, stop = MemoryBus(), Stop()
    app = App(ingestors=[Quiet("feed")], name="live")
    part = NoProcess(app.ingestors[0])  # type: ignore[arg-type]
    all_ready: list[str] = []

    async def say(state: str, life: str, name: str = "feed", subject: str = "feed") -> None:
        status = ComponentStatus(
            app="live", component=name, role="ingestor", state=state, life=life
        )
        await bus.publish(status_subject("live", subject), encode(status))
        await bus.flush()
        for _ in range(10):
            await asyncio.sleep(0)

    async def halt(_text: str) -> None:
        return

    run = asyncio.create_task(
        run_live(bus, app, [part], stop, halt=halt, on_ready=all_ready.append)
    )
    for _ in range(20):
        await asyncio.sleep(0)
    await say("starting", "one")
    await say("ready", "one", subject="other")
    assert "a status of 'feed' is refused" in caplog.text
    assert (part.times_ready, all_ready) == (0, [])
    await say("ready", "one")
    await say("ready", "one")
    assert part.times_ready == 1
    assert all_ready == ["all is ready: ingestor feed"]
    await say("ready", "two")
    assert part.times_ready == 2
    stop.ask()
    await asyncio.gather(run, return_exceptions=True)
    await bus.close()
