"""Runs all checks of an app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, has_streams
from ingenium.bus.roles import OPERATOR
from ingenium.clock import Clock, SystemClock
from ingenium.components import App, Executor
from ingenium.components.component import role_of
from ingenium.components.handle_of import handle_of
from ingenium.config import Settings
from ingenium.deploy.local.app_space import settings_of
from ingenium.deploy.local.server_connections import ServerConnections
from ingenium.errors import ConfigError, IngeniumError, MissingDependencyError
from ingenium.nats_server.files import monitor_of
from ingenium.nats_server.identity import stream_usage
from ingenium.operations.apps import LocalApp, as_operator, find_app, find_apps
from ingenium.operations.doctor.account_checks import (
    check_readers,
    check_rights,
    check_versions,
)
from ingenium.operations.doctor.definition_checks import check_history_files, load_checked
from ingenium.operations.doctor.extra_checks import check_credentials, check_extras
from ingenium.operations.doctor.findings import Examination
from ingenium.operations.doctor.machine_checks import Machine, check_machine, read_machine
from ingenium.operations.doctor.server_checks import (
    check_identity,
    check_pages,
    check_payload,
    check_streams,
)
from ingenium.operations.doctor.state_checks import check_files
from ingenium.runtime.durable.store import StreamPosition
from ingenium.subjects.names import ORDER

__all__ = ["examine"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


async def examine(
    target: str | None,
    settings: Settings,
    *,
    monitor_url: str = "",
    clock: Clock | None = None,
    machine: Machine | None = None,
) -> Examination:
    """Examine an app, its files, its server and this machine; changes nothing.

    Args:
        target: Name of the app, or file or module that defines it; ``None`` for the only one that
            has run with the data folder, or for no app.
        settings: Settings of the environment.
        monitor_url: URL of the server's monitoring pages; by default those of the embedded server.
        clock: Clock of this machine.
        machine: Facts of this machine; by default they are read.

    Raises:
        ConfigError: Several apps have run with the data folder, and none is named.
    """
    examination = Examination()
    check_machine(
        examination, machine or read_machine(settings.data_directory, settings.environment)
    )
    app: App | None = None
    name = target
    if target is not None and _NAME.fullmatch(target) is None:
        app = load_checked(examination, target)
        name = None if app is None else app.name
        if app is None:
            check_extras(examination, settings)
            return examination
        check_history_files(examination, app)
        try:
            settings = settings_of(app, settings)
        except ConfigError as error:
            problem, _, cure = str(error).partition(": ")
            examination.error("app", problem, cure)
    place = _place_of(settings, name)
    examination.app = place.app
    check_extras(examination, place.settings)
    if place.settings.credentials is not None:
        check_credentials(examination, _credentials(app, place.settings))
    positions = check_files(examination, place, app) if place.app else {}
    await _check_server(examination, place, app, positions, monitor_url, clock or SystemClock())
    return examination


def _place_of(settings: Settings, name: str | None) -> LocalApp:
    if name is not None:
        return find_app(settings, name)
    try:
        found = find_apps(settings)
    except ConfigError:
        return LocalApp("", settings.data_directory, settings, bool(settings.nats_server))
    return found[0] if len(found) == 1 else find_app(settings)


def _credentials(app: App | None, settings: Settings) -> list[Path]:
    roles = [(OPERATOR, "")]
    if app is not None:
        roles += [(role_of(each), each.name) for each in app.components]
    found = [settings.for_role(*each).credentials for each in roles]
    return [path for path in found if path is not None]


async def _check_server(
    examination: Examination,
    place: LocalApp,
    app: App | None,
    positions: Mapping[str, StreamPosition],
    monitor_url: str,
    clock: Clock,
) -> None:
    """Check the server of an app, if it has one."""
    settings = place.settings
    if not settings.nats_server:
        if place.run is not None:
            examination.error(
                "server",
                f"process {place.run} runs {place.app!r}, and its embedded server does not answer",
                "wait some seconds and try again; then see nats/server.log in the app's folder",
            )
        elif app is None or not app.historical:
            examination.note(
                "server",
                "no server runs here, so server, streams, rights and components were not examined",
                "start the app with ingenium run, or set NATS_SERVER",
            )
        return
    async with AsyncExitStack() as stack:
        try:
            bus = await stack.enter_async_context(as_operator(place))
        except IngeniumError as error:
            examination.error("server", str(error), _cure_of(error))
            return
        examination.server = bus.url
        try:
            await _check_connected(examination, bus, place, app, positions, monitor_url, clock)
        except IngeniumError as error:
            examination.error("server", str(error), "see the log of the server, and try again")


async def _check_connected(
    examination: Examination,
    bus: NatsBus,
    place: LocalApp,
    app: App | None,
    positions: Mapping[str, StreamPosition],
    monitor_url: str,
    clock: Clock,
) -> None:
    is_live = bool(place.app) and (app is None or not app.historical)
    own_monitor = "" if place.is_told else monitor_of(place.directory / "nats")
    identity = await check_identity(examination, bus, clock)
    check_payload(examination, bus)
    has_money = False
    if not await has_streams(bus):
        problem = f"the server at {bus.url} keeps no streams: a crash or a lost connection loses "
        cure = "add a jetstream block to its configuration, or -js to its command"
        executor = None if app is None else app.executor
        if isinstance(executor, Executor) and handle_of(executor).works_at_broker:
            examination.error("jetstream", f"{problem}orders at a broker", cure)
        elif is_live:
            examination.warning("jetstream", f"{problem}signals and orders", cure)
    elif is_live:
        has_money = MONEY_STREAM.name in await stream_usage(bus, [MONEY_STREAM.name])
        await check_streams(examination, bus, positions)
    if url := monitor_url.rstrip("/") or own_monitor:
        await check_pages(
            examination,
            url,
            bus.url,
            has_money=has_money or not is_live,
            is_embedded=not monitor_url,
        )
    else:
        examination.note(
            "monitoring",
            "sync_interval, health and limits of the server were not examined",
            "pass --monitor http://HOST:8222, the http port of its configuration",
        )
    if not is_live:
        return
    await check_versions(examination, bus, place.app)
    if app is None:
        examination.note(
            "app",
            "rights and subscribers were not examined, since the app's definition is unknown",
            "name its file: ingenium doctor app.py",
        )
        return
    connections = await ServerConnections(bus, url or None).ask()
    check_readers(examination, app, connections or (), bus.space.to_server(ORDER))
    if own_monitor or identity is None:
        return  # The run of the embedded server has made the accounts from the app itself.
    if identity.has_accounts:
        await check_rights(examination, app, place.settings)
    else:
        examination.note(
            "accounts",
            "the server has no accounts, so any program that reaches it can send orders",
            f"ingenium accounts for {app.name!r}; docs/security.md has the steps",
        )


def _cure_of(error: IngeniumError) -> str:
    text = str(error)
    if isinstance(error, MissingDependencyError):
        return text.rpartition(": ")[2]
    if "authorization" in text:
        return (
            "set INGENIUM_NATS_CREDENTIALS to the files that ingenium accounts has written, or the "
            "password in NATS_SERVER to the server's"
        )
    if "certificate" in text or "TLS" in text:
        return "set INGENIUM_NATS_CA to the authority of the server's certificate"
    if "another machine" in text:
        return "write its address with tls://"
    return "start that server, or correct NATS_SERVER or --server"
