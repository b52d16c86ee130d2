"""Checks of a server: version, clock, limits, streams, and what its monitoring pages show."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingenium.bus import NatsBus
from ingenium.bus.nats.addresses import parse_address
from ingenium.bus.nats.credentials import is_loopback
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, find_stream
from ingenium.bus.stream import check_gap
from ingenium.clock import Clock
from ingenium.deploy.local.monitoring import ask_page
from ingenium.deploy.local.server_monitor import health_problem
from ingenium.errors import BusError, IngeniumError, StreamError
from ingenium.nats_server.identity import ServerIdentity, account_room, identify, stream_usage
from ingenium.operations.doctor.findings import Examination
from ingenium.operations.doctor.machine_checks import check_disk
from ingenium.runtime.durable.store import StreamPosition

__all__ = [
    "check_clock",
    "check_identity",
    "check_pages",
    "check_payload",
    "check_streams",
    "check_version",
]

OLDEST_SERVER = (2, 9)
"""The first version whose streams are read by direct gets."""
BATCHING_SERVER = (2, 12)
"""The first version that stores what a component sends together, together."""
SKEW_SECONDS = 1.0
"""Skew that is reported. Events older than 30 s lead to no order, so a tenth of that is serious."""
LARGE_SKEW_SECONDS = 3.0

_MIB = 1_048_576
_FULL = 0.9
_VERSION = re.compile(r"(\d+)\.(\d+)")


async def check_identity(
    examination: Examination, bus: NatsBus, clock: Clock
) -> ServerIdentity | None:
    """Check version and clock of a server, and return what it says about itself.

    Args:
        examination: Receives the findings.
        bus: Connection to the server.
        clock: Clock of this machine.
    """
    before = clock.now()
    identity = await identify(bus)
    after = clock.now()
    version = str(bus.client.connected_server_version) if identity is None else identity.server.ver
    examination.version = version
    check_version(examination, version)
    if identity is not None and identity.server.time is not None:
        half = (after - before) / 2
        check_clock(examination, identity.server.time - (before + half), half)
    return identity


def check_version(examination: Examination, version: str) -> None:
    """Check the version of a server, such as ``"2.12.1"``."""
    found = _VERSION.match(version)
    if found is None:
        return
    known = int(found[1]), int(found[2])
    cure = "install nats-server 2.12 or later"
    if known < OLDEST_SERVER:
        examination.error(
            "server version",
            f"nats-server {version} does not know direct gets, by which streams are read",
            cure,
        )
    elif known < BATCHING_SERVER:
        examination.warning(
            "server version",
            f"nats-server {version} stores messages one at a time, which makes orders slower",
            cure,
        )


def check_clock(examination: Examination, skew: timedelta, uncertainty: timedelta) -> None:
    """Check the server's clock.

    Args:
        examination: Receives the finding.
        skew: Time of the server's clock less that of this machine.
        uncertainty: Largest error of that, as half the time of the request.
    """
    seconds = abs(skew.total_seconds())
    if seconds - uncertainty.total_seconds() < SKEW_SECONDS:
        return
    which = "ahead of" if skew > timedelta(0) else "behind"
    problem = (
        f"the server's clock is {seconds:.1f} s {which} this machine's, and the age of events is "
        "judged by both"
    )
    cure = "synchronize both clocks, as with chrony or systemd-timesyncd"
    if seconds < LARGE_SKEW_SECONDS:
        examination.warning("clock", problem, cure)
    else:
        examination.error("clock", problem, cure)


def check_payload(examination: Examination, bus: NatsBus) -> None:
    """Check that the server accepts messages of the size that streams do."""
    if bus.max_payload < MONEY_STREAM.max_message_bytes:
        examination.error(
            "message size",
            f"the server takes messages of {bus.max_payload:,} bytes, and events may have "
            f"{MONEY_STREAM.max_message_bytes:,}",
            "set max_payload: 1MB in its configuration, or raise the limit of the account",
        )


async def check_streams(
    examination: Examination,
    bus: NatsBus,
    positions: Mapping[str, StreamPosition],
) -> None:
    """Check the streams of an app, and positions of its components in them.

    Args:
        examination: Receives the findings.
        bus: Connection with operator rights, to a server with JetStream.
        positions: Positions in the stream of orders, by component.
    """
    layouts = (MONEY_STREAM, DATA_STREAM)
    usage = await stream_usage(bus, [layout.name for layout in layouts])
    for layout in layouts:
        name = bus.space.stream(layout.name)
        if layout.name not in usage:
            if layout is MONEY_STREAM and positions:
                who = min(positions)
                examination.error(
                    "streams",
                    f"the server has no stream {name}, and {who!r} is at message "
                    f"{positions[who].sequence} of it",
                    "put the server's store back, set NATS_SERVER to the server that has it, or "
                    "compare positions with the broker and start with --adopt",
                )
            else:
                examination.note(
                    "streams", f"stream {name} does not exist yet", "the first start makes it"
                )
                await _check_room(examination, bus, layout.in_files, layout.max_bytes)
            continue
        try:
            stream = await find_stream(bus, layout)
            state = await stream.state()
        except StreamError as error:
            problem, _, cure = str(error).rpartition(": ")
            examination.error("streams", problem, cure)
            continue
        except BusError as error:
            examination.error("streams", str(error), "see the log of the server")
            continue
        if layout is not MONEY_STREAM:
            continue
        used, most = usage[layout.name]
        if 0 < most < layout.max_bytes:
            examination.warning(
                "streams",
                f"stream {name} holds {most // _MIB} MiB, and not {layout.max_bytes // _MIB}",
                "raise max_file_store of the server, then max_bytes of the stream with nats stream "
                f"edit {name}",
            )
        if 0 < most * _FULL < used:
            examination.warning(
                "streams",
                f"stream {name} is {used / most:.0%} full, and its oldest orders fall out",
                f"raise max_bytes with nats stream edit {name}, while verify can still read all",
            )
        for component, position in positions.items():
            try:
                check_gap(name, state, position.sequence, position.created)
            except StreamError as error:
                examination.error(
                    "stale state",
                    f"{component!r} cannot go on: {error}",
                    "put back the state file and the store of the same time, or compare positions "
                    "with the broker and start with --adopt",
                )


async def _check_room(examination: Examination, bus: NatsBus, in_files: bool, wanted: int) -> None:
    room = await account_room(bus)
    left = None if room is None else room.files if in_files else room.memory
    if left is not None and left < wanted:
        _too_small(examination, "the account", in_files, left, wanted)


def _too_small(
    examination: Examination, whose: str, in_files: bool, left: int, wanted: int
) -> None:
    what, setting = ("disk", "max_file_store") if in_files else ("memory", "max_memory_store")
    examination.warning(
        "jetstream limits",
        f"{whose} has {max(0, left) // _MIB} MiB of {what} left for streams, and one of "
        f"{wanted // _MIB} MiB is to be made",
        f"raise {setting} in the jetstream block of the server, or the limit of the account",
    )


async def check_pages(
    examination: Examination, url: str, server: str, *, has_money: bool, is_embedded: bool
) -> None:
    """Check what only the monitoring pages of a server show.

    Args:
        examination: Receives the findings.
        url: URL of the pages.
        server: Address of the server.
        has_money: Whether the stream of orders exists, or is not needed.
        is_embedded: Whether the server's store is in the data folder, whose disk was checked.
    """
    try:
        page = await asyncio.to_thread(ask_page, f"{url}/varz")
    except (OSError, ValueError) as error:
        examination.error(
            "monitoring",
            f"the monitoring pages do not answer: {error}",
            "correct --monitor: the http or monitor_port of the server's configuration",
        )
        return
    if (problem := await asyncio.to_thread(health_problem, url)) is not None:
        examination.error(
            "health",
            f"the server is not well: {problem}",
            "see its log; after a full disk, make room and restart the server",
        )
    connections, most = int(page.get("connections", 0)), int(page.get("max_connections", 0))
    if most and connections >= most * _FULL:
        examination.warning(
            "connections",
            f"{connections} of {most} connections of the server are in use",
            "raise max_connections in its configuration, or end programs that leave theirs open",
        )
    if slow := int(page.get("slow_consumers", 0)):
        examination.warning(
            "slow readers",
            f"the server has cut off {slow} readers that were too slow since its start",
            "find them in its log, and raise max_pending or make their handlers faster",
        )
    jetstream: dict[str, Any] = page.get("jetstream") or {}
    config: dict[str, Any] = jetstream.get("config") or {}
    if not config:
        return
    if not config.get("sync_always"):
        every = int(config.get("sync_interval") or 0) / 1e9
        examination.warning(
            "sync_interval",
            f"the server writes streams to its disk every {every:g} s, so a power failure loses "
            "orders that it has acknowledged",
            "set sync_interval: always in the jetstream block of its configuration",
        )
    if not has_money:
        stats: dict[str, Any] = jetstream.get("stats") or {}
        left = int(config.get("max_storage", 0)) - int(stats.get("reserved_storage", 0))
        if left < MONEY_STREAM.max_bytes:
            _too_small(examination, "the server", True, left, MONEY_STREAM.max_bytes)
    if not is_embedded and _is_here(server):
        _check_store(examination, Path(str(config.get("store_dir") or "")))


def _check_store(examination: Examination, store: Path) -> None:
    if store.is_absolute() and store.is_dir():
        check_disk(examination, str(store), shutil.disk_usage(store).free)


def _is_here(server: str) -> bool:
    try:
        addresses = parse_address(server).servers
    except IngeniumError:
        return False
    return all(
        is_loopback(each.split("://")[1].rpartition(":")[0].strip("[]")) for each in addresses
    )
