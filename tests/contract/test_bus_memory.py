"""MemoryBus keeps the contract."""

import asyncio

import pytest

from ingenium import ContentType
from ingenium.errors import BusClosedError
from ingenium.testing import BusContract, MemoryBus


class TestMemoryBus(BusContract, guarantees=MemoryBus.guarantees):
    @pytest.fixture(params=ContentType)
    async def bus(self, request):
        bus = MemoryBus("test", content_type=request.param)
        yield bus
        await bus.close()

    @pytest.mark.parametrize("handles", [True, False])
    async def test_publish_that_waits_while_the_bus_closes_is_handled_or_raises(self, bus, handles):
        """A publisher waits now and then, so that others have a turn."""
        handled = []
        hangs = asyncio.Event()

        async def handler(message):
            handled.append(message.payload)
            if not handles:
                await hangs.wait()

        await bus.subscribe("a.b", handler)
        for number in range(1000):
            publish = bus.hand_over("a.b", b"%d" % number)
            if publish is not None:
                break
        waiting = asyncio.create_task(publish)
        await asyncio.sleep(0)
        await bus.close()
        if handles:
            await waiting
            assert handled[-1] == b"%d" % number
        else:
            with pytest.raises(BusClosedError, match="closed before this was handled"):
                await waiting
            assert handled == [b"0"]
