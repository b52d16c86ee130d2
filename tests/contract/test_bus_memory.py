"""MemoryBus keeps the contract."""

import pytest

from ingenium import ContentType
from ingenium.testing import BusContract, MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture(params=ContentType)
    async def bus(self, request):
        bus = MemoryBus("test", content_type=request.param)
        yield bus
        await bus.close()
