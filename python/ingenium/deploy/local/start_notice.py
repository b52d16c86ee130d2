"""Notice at the start of an app whose trading is restricted already."""

from __future__ import annotations

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, has_streams
from ingenium.clock import format_time
from ingenium.components import App
from ingenium.config import Settings
from ingenium.events import TradingState
from ingenium.risk.trading_switch import Standing
from ingenium.runtime.durable.control_records import switch_of
from ingenium.runtime.durable.kill_file import KillFile

__all__ = ["start_notice"]


async def start_notice(bus: NatsBus, app: App, settings: Settings) -> str:
    """Return a notice if trading of a starting live app is restricted; otherwise empty.

    Args:
        bus: Connection that may read the stream of orders.
        app: App that starts.
        settings: Settings with the folder of its kill file.

    Raises:
        BusError: The server does not answer.
        StreamError: The stream cannot be read.
    """
    found: list[Standing] = []
    file = KillFile.of(settings.data_directory / app.name)
    if (kept := file.observe()) is not None:
        found.append(Standing(kept.state, kept.reason or str(file.path), kept.sender, kept.time))
    if await has_streams(bus):
        standing = (await switch_of(NatsStream(bus, MONEY_STREAM.name))).standing
        found += [] if standing is None else [standing]
    if not found:
        return ""
    halts = [each for each in found if each.state is TradingState.HALTED]
    strictest = (halts or found)[0]
    since = "" if strictest.time is None else f", since {format_time(strictest.time)}"
    return (
        f"STARTED WHILE {strictest.state.value.upper()} by {strictest}{since}: "
        f"ingenium resume {app.name} releases it"
    )
