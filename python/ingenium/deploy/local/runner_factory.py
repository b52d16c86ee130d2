"""Creates the runner of a live component: durable with JetStream, otherwise at most once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ingenium.brokers import BrokerExecutor
from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.bus.lease import Lease, LeaseGroup
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.labels import Labels
from ingenium.bus.nats.lease import open_lease
from ingenium.bus.nats.status_stream import keep_statuses
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, has_streams, open_stream
from ingenium.bus.stream import Stream
from ingenium.components import (
    App,
    Component,
    Executor,
    External,
    Ingestor,
    Portfolio,
    Strategy,
    arm,
)
from ingenium.components.component import role_of
from ingenium.components.data_age import DataAge
from ingenium.components.failpoints import Pass, kill_at, pass_by
from ingenium.components.handle_of import handle_of, risk_of
from ingenium.components.risk_control import KillSwitch
from ingenium.config import Settings
from ingenium.deploy.local.app_history import warm_up_of
from ingenium.deploy.local.app_space import space_lease
from ingenium.deploy.local.live_metrics import live_gauges
from ingenium.deploy.local.status_reporter import ReportingRunner, StatusReporter
from ingenium.errors import ConfigError
from ingenium.events import TradingState
from ingenium.runtime.durable import DurableRunner
from ingenium.runtime.durable.book_check import CHEAP_MESSAGES
from ingenium.runtime.durable.kill_file import KillFile
from ingenium.runtime.durable.lease_keeper import LeaseKeeper
from ingenium.runtime.durable.salvage import open_store
from ingenium.runtime.durable.secret import id_secret
from ingenium.runtime.handler_limit import BLOCKED_LIMIT, HandlerLimit
from ingenium.runtime.live import LiveRunner
from ingenium.runtime.progress import Observation

__all__ = ["AT_MOST_ONCE", "keeps_streams", "make_live_runner", "state_path"]

AT_MOST_ONCE = (
    "AT MOST ONCE: the server keeps no streams (JetStream is off), so signals, orders and "
    "executions can be lost in silence, and nothing is remembered over a restart"
)
"""Banner shown when JetStream is off."""


def state_path(settings: Settings, app: App, component: Component) -> Path:
    """Return the store file of a component."""
    return settings.data_directory / app.name / "state" / f"{component.name}.db"


async def keeps_streams(bus: NatsBus, app: App, *, is_labeled: bool = False) -> bool:
    """Return whether the server has JetStream; create or check the stream of orders.

    Args:
        bus: The connection.
        app: App of the streams.
        is_labeled: See `open_stream`.

    Raises:
        StreamError: The stream has another configuration.
        BusTimeoutError: The server does not answer.
    """
    if not await has_streams(bus):
        return False
    await open_stream(bus, MONEY_STREAM, Labels(app.name), is_labeled=is_labeled)
    await keep_statuses(bus)
    return True


async def make_live_runner(
    bus: Bus, app: App, component: Component, settings: Settings, *, adopt: bool = False
) -> LiveRunner | LeasedRunner | DurableRunner | ReportingRunner:
    """Return the runner of a live component, which also publishes its status.

    Args:
        bus: Connection of the component.
        app: What it is one of.
        component: Which.
        settings: Name the folder of its state.
        adopt: Whether to accept a stream that lost messages, and the positions of the broker.

    Raises:
        ConfigError: An executor at a broker needs JetStream, which the server lacks.
        StreamError: A stream has another configuration.
        StoreError: The component's state cannot be used.
    """
    member = await _make_member(bus, app, component, settings, adopt=adopt)
    if not isinstance(bus, NatsBus):
        return member
    gauges = live_gauges(app.middleware, bus, member)
    return ReportingRunner(member, StatusReporter(bus, app.name, member, on_tick=gauges))


async def _make_member(
    bus: Bus, app: App, component: Component, settings: Settings, *, adopt: bool
) -> LiveRunner | LeasedRunner | DurableRunner:
    arm(component, app.risk)
    if isinstance(component, Portfolio) and isinstance(app.executor, External):
        handle_of(component).risk.data_age = DataAge()
    if isinstance(app.executor, Executor) and isinstance(component, Strategy | Portfolio):
        handle_of(component).follows_data = handle_of(app.executor).is_on_data_time
    if (risk := risk_of(component)) is not None:
        risk.kill_switch = _kill_switch(settings, app)
    limit = HandlerLimit(settings.blocked_seconds, BLOCKED_LIMIT.setting)
    warm_up = warm_up_of(app, component, lambda text: bus.report(Incident(IncidentKind.GAP, text)))
    if isinstance(component, Ingestor) or not isinstance(bus, NatsBus):
        return LiveRunner(
            bus,
            component,
            limit=limit,
            warm_up=warm_up,
            on_end=app.on_end,
            middleware=app.middleware,
        )
    exclusive = isinstance(component, Portfolio | Executor)
    if not await has_streams(bus):
        if isinstance(component, Executor) and handle_of(component).works_at_broker:
            raise ConfigError(
                f"executor {component.name!r} works at a broker, and the server at {bus.url} keeps "
                "no streams, so that orders could be lost: turn on JetStream there"
            )
        member = LiveRunner(bus, component, limit=limit, warm_up=warm_up, middleware=app.middleware)
        if not exclusive:
            return member
        return LeasedRunner(member, await space_lease(bus, app, role_of(component)))
    stream: Stream
    labels = Labels(app.name, component.name, role_of(component))
    if isinstance(component, Strategy):
        # The stream is in an account that a strategy can publish to but not read.
        stream = NatsStream(bus, MONEY_STREAM.name, labels)
    else:
        stream = await open_stream(bus, MONEY_STREAM, labels)
        await keep_statuses(bus)

    async def open_data() -> Stream:
        return await open_stream(bus, DATA_STREAM, labels)

    owner = f"component {component.name} of {app.name}"
    store = open_store(bus, state_path(settings, app, component), owner, component)
    return DurableRunner(
        bus,
        stream,
        component,
        store,
        open_data=open_data,
        at=_crash(settings, component),
        limit=limit,
        adopt=adopt,
        checked=CHEAP_MESSAGES,
        lease=await _lease(bus, app, component, settings, adopt=adopt),
        secret=await id_secret(bus, store),
        warm_up=warm_up,
        middleware=app.middleware,
    )


class LeasedRunner:
    """Runs a component while its lease is held.

    Args:
        member: Runner of the component.
        lease: Lease of the component.
    """

    def __init__(self, member: LiveRunner, lease: Lease) -> None:
        self.component = member.component
        self.progress = member.progress
        self._member = member
        self._hold = LeaseKeeper(lease)

    def lag(self) -> float | None:
        """Return the lag; see `LiveRunner.lag`."""
        return self._member.lag()

    def observe(self) -> Observation:
        """Return how it stands."""
        return self._member.observe()

    async def start(self) -> None:
        """Acquire the lease, then start; see `LiveRunner.start`.

        Raises:
            LeaseHeldError: Another app holds the lease.
        """
        await self._hold.begin()
        await self._member.start()

    async def run(self) -> None:
        """Run until canceled.

        Raises:
            LeaseLostError: The lease is lost.
            ComponentError: See `LiveRunner.run`.
        """
        tasks = [asyncio.create_task(self._member.run())]
        if self._hold.task is not None:
            tasks.append(self._hold.task)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            tasks[0].cancel()
            await asyncio.gather(tasks[0], return_exceptions=True)

    async def stop(self) -> None:
        """Handle the events that have arrived, stop, and release the lease."""
        await self._member.stop()
        await self._hold.end()


def _kill_switch(settings: Settings, app: App) -> KillSwitch:
    """Return the check of the kill file of an app on this machine."""
    file = KillFile.of(settings.data_directory / app.name)

    def ask() -> tuple[TradingState, str] | None:
        found = file.observe()
        if found is None:
            return None
        return found.state, f"{found.reason or file.path} by {found.sender or 'an unknown sender'}"

    return ask


async def _lease(
    bus: NatsBus, app: App, component: Component, settings: Settings, *, adopt: bool
) -> Lease | None:
    """Return the lease that makes a component unique; ``None`` where several may run."""
    if isinstance(component, BrokerExecutor):
        component.adopt = component.adopt or adopt
        component.kill_state = KillFile.of(settings.data_directory / app.name).state
        account = component.lease = await open_lease(bus, component.lease_key)
        if account is None:
            return None
        return LeaseGroup(account, await space_lease(bus, app, role_of(component)))
    if isinstance(component, Portfolio | Executor):
        return await space_lease(bus, app, role_of(component))
    return None


def _crash(settings: Settings, component: Component) -> Pass:
    """Return the failpoint of this component from the environment, for crash tests."""
    name, _, where = settings.crash_at.partition("/")
    return kill_at(where) if name == component.name else pass_by
