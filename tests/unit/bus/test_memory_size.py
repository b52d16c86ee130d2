"""How much memory of a machine market data may take on a server."""

from __future__ import annotations

import pytest

from ingenium.bus.nats.memory_size import data_bytes, machine_memory, server_environment
from ingenium.bus.nats.stream_layout import DATA_STREAM

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("machine_mib", "data_mib"), [(64, 8), (512, 16), (1024, 32), (24_000, 32)]
)
def test_market_data_takes_a_part_of_a_small_machine_and_never_more_than_32_mib(
    machine_mib: int, data_mib: int
) -> None:
    assert data_bytes(machine_mib * MIB) == data_mib * MIB


def test_stream_of_market_data_is_made_for_this_machine() -> None:
    assert 8 * MIB <= DATA_STREAM.max_bytes <= 32 * MIB
    assert machine_memory() > 0


def test_settings_of_the_server_s_memory_are_the_user_s_where_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.setenv("GOMEMLIMIT", "1GiB")
    environment = server_environment()
    assert (environment["GOGC"], environment["GOMEMLIMIT"]) == ("50", "1GiB")
