"""MemoryBus keeps the contract."""

import pytest

from ingenium.testing import BusContract, MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture
    async def bus(self):
        bus = MemoryBus("test")
        yield bus
        await bus.close()
