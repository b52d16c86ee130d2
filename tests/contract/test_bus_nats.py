"""NatsBus keeps the contract."""

import pytest

from ingenium import ContentType
from ingenium.bus import NatsBus, NatsOptions
from ingenium.testing import BusContract


class TestNatsBus(BusContract, guarantees=NatsBus.guarantees):
    @pytest.fixture(params=ContentType)
    async def bus(self, request, nats_server):
        options = NatsOptions(content_type=request.param)
        bus = await NatsBus.connect(nats_server.url, name="test", options=options)
        yield bus
        await bus.close()
