"""Runs one component of a live app over streams: no acknowledged event is lost or handled twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from ingenium.bus.base import Bus, Incident, IncidentKind, Message, Subscription
from ingenium.bus.lease import Lease
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.bus.stream import Record, Stream
from ingenium.clock import Clock, SystemClock
from ingenium.components import Component, Executor, Middleware, Portfolio, RunnerKind
from ingenium.components.component import role_of
from ingenium.components.external_work import ExternalWorker
from ingenium.components.failpoints import Pass, Point, pass_by
from ingenium.components.handle_of import handle_of
from ingenium.events import DataEvent
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.durable.backlog import OldData, report_left
from ingenium.runtime.durable.book_check import positions_off
from ingenium.runtime.durable.data_reader import OpenStream, read_data
from ingenium.runtime.durable.failure import failure_of
from ingenium.runtime.durable.gaps import Gaps, note_stopped, take_stopped
from ingenium.runtime.durable.halt_listener import listen_for_halts
from ingenium.runtime.durable.inbox import Data, ExternalChange, Inbox
from ingenium.runtime.durable.lease_keeper import LeaseKeeper
from ingenium.runtime.durable.observation import lag_of, observe
from ingenium.runtime.durable.orphan_orders import end_orphans
from ingenium.runtime.durable.outbox import Outbox
from ingenium.runtime.durable.rebuild import rebuild
from ingenium.runtime.durable.record_handler import RecordHandler
from ingenium.runtime.durable.restore import restore
from ingenium.runtime.durable.resume import check_history, mark_of, remembers, resume_position
from ingenium.runtime.durable.salvage import position_before_damage
from ingenium.runtime.durable.store import Store, StreamPosition
from ingenium.runtime.durable.stream_clock import StreamClock
from ingenium.runtime.durable.transaction import Transaction
from ingenium.runtime.durable.warm_start import warm_start
from ingenium.runtime.handler_limit import BLOCKED_LIMIT, HandlerLimit
from ingenium.runtime.incidents import report_alarms
from ingenium.runtime.progress import Observation, Progress
from ingenium.runtime.subscriptions import subscriptions_of
from ingenium.runtime.warm_up import WarmUp
from ingenium.subjects.names import TRADING

__all__ = ["DurableRunner"]

_BATCH = 256
_BATCH_SECONDS = 0.02
# Event loop turns yielded after a batch that took longer: an answer of the server takes several
# turns to get through.
_TURNS_OF_OTHERS = 8
_DATA_COMMIT_SECONDS = 1.0
_FLUSH_SECONDS = 4.0
_BEGIN_SECONDS = 5.0
_DRAIN_SECONDS = 0.5
_BUSY_SECONDS = 5.0


class DurableRunner:
    """Runs one component live, from the state it had stored when it last ended, even by a crash.

    Events of the stream are handled in its order. Changed state, stream position and sent events
    are written in one transaction; only then are the events published.

    Args:
        bus: Carries market data where no stream does, and receives incidents.
        stream: Signals, orders, executions and control, in one order.
        component: The component to run; a fresh object.
        store: Its store; closed at the end.
        open_data: Opens the stream of market data; from the plain bus when left out.
        clock: Used until the server reports its time; the machine's when left out.
        at: Called between effects, for tests that crash there.
        adopt: Whether a stream that was recreated or has lost messages is accepted as it is.
        lease: Makes this the only process that runs the component; without one the caller must.
        limit: Time after which a handler that blocks the process is reported.
        checked: Maximum messages of a stream against which a portfolio's positions are checked
            at the start.
        secret: Secret of the component for its ids; none where all on the server are trusted.
        warm_up: Feeds it history before its first live data; none when left out.
        middleware: Called around each handler.
    """

    def __init__(
        self,
        bus: Bus,
        stream: Stream,
        component: Component,
        store: Store,
        *,
        open_data: OpenStream | None = None,
        clock: Clock | None = None,
        at: Pass = pass_by,
        adopt: bool = False,
        lease: Lease | None = None,
        limit: HandlerLimit = BLOCKED_LIMIT,
        checked: int = 0,
        secret: str = "",
        warm_up: WarmUp | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self._checked = checked
        self.component = component
        handle_of(component).id_secret = secret
        self._warm_up = warm_up
        # Asked once: a check against a protocol is slow, and each commit would make it.
        self._outgoer = component if isinstance(component, ExternalWorker) else None
        self._lease = LeaseKeeper(lease)
        self._bus, self._stream, self._store = bus, stream, store
        self._open_data = open_data
        self._at = at
        self._adopt = adopt
        self._clock = StreamClock(clock or SystemClock(), asyncio.get_running_loop().time)
        self._arrivals = Inbox()
        self.pause = self._arrivals.pause
        """Pause of the component, by an operator."""
        self._old_data = OldData(component, self._arrivals, self._clock)
        self._outbox = Outbox(bus, store, stream, at)
        self._dispatcher = Dispatcher(component, middleware, RunnerKind.DURABLE)
        self._transaction = Transaction(
            component,
            store,
            min(bus.max_payload, MONEY_STREAM.max_message_bytes),
            bus.content_type,
            secret,
            self._dispatcher.add_headers,
        )
        self._taker = RecordHandler(
            bus, self._dispatcher, self._transaction, self._clock, stream.name, limit, warm_up
        )
        wanted = subscriptions_of(component)
        self._data_subjects = [subject for subject, kind in wanted if kind is DataEvent]
        # A strategy has no access to the stream of orders; it only adds to it.
        self._subjects = [subject for subject, kind in wanted if kind is not DataEvent]
        self._created, self._life = "", ""
        self._after, self._mark = 0, ""
        self._sending: asyncio.Task[None] | None = None
        self._turning: asyncio.Task[None] | None = None
        self._sources: list[asyncio.Task[None]] = []
        self._subscriptions: list[Subscription] = []
        self._uncommitted_since: float | None = None
        self._drains_until: float | None = None
        # Whether the component's state may differ from the stored state.
        self._broken = False
        self._was_stopped = False

    # The life of the component.

    async def start(self) -> None:
        """Restore the component, resolve where it resumes, and begin to handle events.

        Raises:
            LeaseHeldError: Another process plays the component.
            StreamError: The stream has lost messages that the component has not handled.
            ComponentError: ``on_start`` raised, or the state does not fit the component.
            DataFileError: The history of the warm-up cannot be read.
            ConfigError: The history has nothing that the component wants.
            StoreError: The state cannot be written.
        """
        component = self.component
        await self._lease.begin()
        handle_of(component).clock = self._clock
        handle_of(component).notify = self._arrivals.wake
        report_alarms(self._bus, component)
        if isinstance(component, Executor):
            handle_of(component).remember_orders()
        restore(component, self._store, self._warm_up)
        self._was_stopped = take_stopped(self._store)
        self._life = str(self._store.begin_life())
        # For readers of the file.
        self._store.set_meta("role", role_of(component))
        if self._subjects:
            await self._find_position()
        self._transaction.send(
            await self._dispatcher.start(self._clock.now(), self._life), self._clock.present()
        )
        if self._warm_up is not None:
            position = await warm_start(
                self._warm_up, component, self._store, self._open_data, self._data_subjects
            )
            if position is not None:
                self._transaction.move(position)
        self._commit()
        self._sending = asyncio.create_task(self._outbox.run())
        self._turning = asyncio.create_task(self._turn())
        if self._outgoer is not None:
            await self._outgoer.prepare(self)
        if self._subjects:
            self._begin(self._read())
            hear = listen_for_halts(self._dispatcher, self._arrivals)
            self._subscriptions.append(await self._bus.subscribe(TRADING, hear))
            self._subscriptions[-1].is_spare = True  # the stream brings it too
        await self._follow_data()

    async def run(self) -> None:
        """Handle events until canceled.

        Raises:
            IngeniumError: The runner cannot continue; the stored state is complete.
        """
        if self._outgoer is not None:
            self._begin(self._outgoer.work(self))
        parts = (self._sending, self._turning, self._lease.task, *self._sources)
        tasks = {task for task in parts if task is not None}
        for task in tasks:
            # One error is raised; errors that follow from it, or come with it, are dropped.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if (error := task.exception()) is not None:
                failure = failure_of(self.component, error)
                raise failure from error.__cause__ if failure is error else error

    async def stop(self) -> None:
        """Handle the events that have arrived, stop the component, and flush the outbox.

        Messages that cannot be sent stay in the outbox, for the next start.
        """
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.stop()
        for source in self._sources:
            source.cancel()
        await asyncio.gather(*self._sources, return_exceptions=True)
        self._drains_until = asyncio.get_running_loop().time() + _DRAIN_SECONDS
        self._arrivals.wake()
        try:
            await self._finish()
        finally:
            for task in (self._turning, self._sending):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            await self._lease.end()
            self._store.close()

    async def _finish(self) -> None:
        component = self.component
        if self._turning is None:
            return
        await asyncio.wait({self._turning}, timeout=_BUSY_SECONDS)
        if not self._turning.done():
            detail = f"stopped with a handler of {component} still busy after {_BUSY_SECONDS:g} s"
            self._bus.report(Incident(IncidentKind.GAP, detail))
            return
        if self._broken:
            return
        report_left(self._bus, component, self._arrivals)
        self._transaction.send(
            await self._dispatcher.stop(self._clock.now(), self._life), self._clock.present()
        )
        self._commit()
        if not self._arrivals.data:
            note_stopped(self._store)
        if self._sending is not None and not self._sending.done():
            await self._outbox.flush(_FLUSH_SECONDS)

    # Observation.

    @property
    def progress(self) -> Progress:
        """Events handled and sent so far."""
        return self._taker.progress

    def lag(self) -> float:
        """Return the lag in seconds; see `lag_of`."""
        return lag_of(self._arrivals, self.progress, self._clock.present())

    def observe(self) -> Observation:
        """Return the status of the component; see `observe`."""
        return observe(self._store, self._arrivals, self.progress, self._clock.present())

    # The `UnitOfWork` of a component that acts outside of the bus.

    @property
    def now(self) -> datetime:
        """The present time by the server's clock, UTC."""
        return self._clock.present()

    async def record(self, cause: str, act: Callable[[], None]) -> None:
        """Apply a change of the component and commit it; see `UnitOfWork.record`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The caller may have been canceled; its error is retrieved here.
        done.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._arrivals.put_act(ExternalChange(cause, act, done))
        if self._turning is not None:
            await asyncio.wait({done, self._turning}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                self._turning.result()  # The writer has ended; its error has the reason.
        await done

    def at(self, point: Point) -> None:
        """Pass a failpoint, at which tests crash."""
        self._at(point)

    # Sources of events.

    async def _find_position(self) -> None:
        """Resolve the sequence in the stream from which to resume.

        Raises:
            StreamError: Messages that were not handled are gone.
        """
        component = self.component
        asked = asyncio.get_running_loop().time()
        state = await self._stream.state()
        self._clock.hear(state.time, asked)
        self._created = state.created
        known = self._store.position(self._stream.name)
        place = known or position_before_damage(self._store)
        if place is not None:
            self._after = await resume_position(
                self._bus, component, place, self._stream, state, adopt=self._adopt
            )
        else:
            self._after = state.last
        mark = place.mark if place is not None and place.sequence == self._after else ""
        # Before any state is rebuilt: changes from here on are tracked.
        self._mark = mark or await mark_of(self._stream, self._after)
        if known is None:
            if state.last:
                check_history(self._bus, component, self._stream.name, state, adopt=self._adopt)
                booked = await rebuild(
                    component,
                    self._stream,
                    state.last,
                    executions_until=self._after,
                    # A file that was damaged has left an outbox and prices.
                    store=self._store,
                )
                for identifier in booked:
                    self._transaction.see(identifier)
                if isinstance(component, Executor):
                    await end_orphans(
                        component, self._stream, state.last, self._transaction, self._clock
                    )
            # Control events from before its first start apply to it too.
            if (said := await self._stream.last(TRADING)) is not None:
                await self._hear_all(said.sequence)
        elif isinstance(component, Portfolio) and 0 < state.last <= self._checked:
            off = await positions_off(
                component, self._stream, state, self._after, self._store, adopt=self._adopt
            )
            if off:
                self._bus.report(Incident(IncidentKind.GAP, off))
                handle = handle_of(component)
                handle.begin(f"{component.name}/books/{self._life}", self._clock.present())
                handle.risk.halt(off)
                self._transaction.send(handle.take(), self._clock.present())
        self._move(self._after, self._mark)

    async def _hear_all(self, last: int) -> None:
        # All of them: a component's event only ever tightens an operator's.
        async with aclosing(self._stream.read([TRADING], 0)) as records:
            async for record in records:
                await self._handle_record(record)
                if record.sequence >= last:
                    return

    async def _read(self) -> None:
        subjects = list(dict.fromkeys([*self._subjects, TRADING]))
        reading = self._stream.read(subjects, self._after, mark=self._mark)
        async with aclosing(reading) as records:
            async for record in records:
                await self._arrivals.put_record(record)

    async def _follow_data(self) -> None:
        if self._open_data is not None and self._data_subjects:
            began = asyncio.Event()
            self._begin(self._read_data(self._open_data, began.set))
            # The next component may send at once; an unavailable stream delays it only briefly.
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEGIN_SECONDS):
                    await began.wait()
            return
        for subject in self._data_subjects:
            self._subscriptions.append(await self._bus.subscribe(subject, self._on_data))
        await self._bus.flush()

    async def _read_data(self, open_data: OpenStream, on_begin: Callable[[], None]) -> None:
        # A component with state resumes; one without has no use for old data.
        goes_on = self._warm_up is not None or remembers(self.component)
        known = self._store.position(DATA_STREAM.name) if goes_on else None
        wanted = self._data_subjects
        gaps = Gaps(self._bus, self.component, was_stopped=self._was_stopped)
        reading = read_data(gaps, open_data, wanted, known, self._clock, on_begin)
        async with aclosing(reading) as arriving:
            async for data in arriving:
                await self._arrivals.put_data(data)

    async def _on_data(self, message: Message) -> None:
        await self._arrivals.put_data(Data(message))

    # Handling.

    async def _turn(self) -> None:
        try:
            while self._goes_on():
                await self._arrivals.wait(self._seconds_to_commit())
                for _ in range(await self._turn_once()):
                    await asyncio.sleep(0)
                self._old_data.say()
        except BaseException:
            # The component may have changed halfway: none of its state is written any more.
            self._broken = True
            raise

    def _goes_on(self) -> bool:
        until = self._drains_until
        if until is None or self._arrivals.acts:
            return True
        return bool(self._arrivals) and asyncio.get_running_loop().time() < until

    async def _turn_once(self) -> int:
        """Handle a batch of arrived events, and commit the result.

        Returns:
            How many turns of the event loop to yield afterwards.
        """
        now = asyncio.get_running_loop().time
        began = now()
        self._old_data.skip()
        acts: list[ExternalChange] = []
        urgent = False
        for _ in range(_BATCH):
            item = self._arrivals.next()
            if item is None:
                break
            if isinstance(item, Data):
                await self._handle_data(item)
                if now() - began > _BATCH_SECONDS:
                    break
                continue
            if not urgent:
                self._at(Point.RECEIVED)
            urgent = True
            if isinstance(item, ExternalChange):
                self._act(item)
                acts.append(item)
            else:
                await self._handle_record(item)
            if now() - began > _BATCH_SECONDS:
                break
        # Events sent outside of a handler, by a timer of the component's own.
        self._transaction.send(handle_of(self.component).take(), self._clock.present())
        if urgent or self._transaction.sends or self._seconds_to_commit() == 0:
            self._at(Point.HANDLED)
            self._commit()
            self._at(Point.COMMITTED)
        for done in acts:
            if not done.done.done():
                done.done.set_result(None)
        return 1 if now() - began < _BATCH_SECONDS else _TURNS_OF_OTHERS

    def _commit(self) -> None:
        sends = self._transaction.sends
        self._transaction.commit()
        self._uncommitted_since = None
        if sends:
            self._outbox.wake()
        if self._outgoer is not None:
            self._outgoer.committed()

    def _seconds_to_commit(self) -> float | None:
        """Return the seconds until changes by market data are committed; ``None`` without any."""
        if self._uncommitted_since is None:
            return None
        waited = asyncio.get_running_loop().time() - self._uncommitted_since
        return max(0.0, _DATA_COMMIT_SECONDS - waited)

    def _act(self, item: ExternalChange) -> None:
        try:
            sent = self._dispatcher.apply(item.cause, item.act, self._clock.present())
        except Exception as error:  # noqa: BLE001 - told to whoever asked for it
            if not item.done.done():
                item.done.set_exception(error)
            return
        self._transaction.send(sent, self._clock.present())

    async def _handle_record(self, record: Record) -> None:
        await self._taker.take_record(record, self._created)
        self._move(record.sequence, record.mark)

    async def _handle_data(self, data: Data) -> None:
        if self._uncommitted_since is None:
            self._uncommitted_since = asyncio.get_running_loop().time()
        await self._taker.take_data(data.message, data.kept_at)
        if data.position is not None:
            self._transaction.move(data.position)

    def _move(self, sequence: int, mark: str) -> None:
        self._transaction.move(StreamPosition(self._stream.name, self._created, sequence, mark))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        self._sources.append(asyncio.create_task(work))
