"""NatsBus keeps the contract."""

import pytest

from ingenium.testing import BusContract


class TestNatsBus(BusContract):
    @pytest.fixture
    async def bus(self, nats_bus):
        return nats_bus
