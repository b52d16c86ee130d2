"""Follow the streams of an app and write their messages to a database.

The recorder requests the messages after its own position, so it cannot affect the streams, and a
slow database delays only the recorder. Messages on the subjects only wake it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.direct_reader import DirectReader, KeptMessage
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.errors import BusTimeoutError, IngeniumError, NoListenerError
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.core_feed import CoreFeed
from ingenium.recorder.database import Database
from ingenium.recorder.open_trading import open_trading
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.retention import RetentionPolicy, delete_old
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.recorder.writer import BatchWriter
from ingenium.runtime.pause import Pause
from ingenium.subjects.names import ALL_EVENTS
from ingenium.telemetry.metrics import ProcessMetrics

__all__ = ["Recorder", "RecorderCounts"]

_log = logging.getLogger("ingenium.recorder")
_POLL_SECONDS = 1.0
# Messages that arrive one by one are written together: a transaction for each costs ten times more.
_GATHER_SECONDS = 0.05
_DELETION_SECONDS = 3600.0
_BATCH = 1000
_STREAMS = (MONEY_STREAM.name, DATA_STREAM.name)
_CORE = "core"
_AT_MOST_ONCE = (
    "AT MOST ONCE: the server keeps no streams (JetStream is off), so what is published while "
    "the recorder is down, or is too slow, is not recorded"
)


@dataclass(slots=True)
class RecorderCounts:
    """Counters of a recorder since its start.

    Attributes:
        events: Recorded events.
        gaps: Gaps that it found and recorded.
        deleted: Old events that it deleted.
    """

    events: int = 0
    gaps: int = 0
    deleted: int = 0


class Recorder:
    """Records the streams of an app.

    Args:
        bus: A connection with the permissions of a recorder; no others are needed.
        database: Database to write to; its tables are up to date.
        scope: Name of the app.
        on_notice: Called with messages for the operator, such as a gap.
        own_subjects: Subjects of custom events, which no stream stores: they are recorded as they
            arrive, at most once.
        policy: What to keep of the recording; everything when left out.
        metrics: Receives the numbers of events and gaps, and the lag.

    Attributes:
        counts: Counters since its start.
        pause: Pause of the recorder, by an operator: the streams keep what it has to record.
    """

    def __init__(
        self,
        bus: NatsBus,
        database: Database,
        scope: str,
        on_notice: Callable[[str], None] = lambda _text: None,
        own_subjects: Sequence[str] = (),
        policy: RetentionPolicy | None = None,
        metrics: ProcessMetrics | None = None,
    ) -> None:
        self._policy = policy
        self._own_subjects = own_subjects
        self._metrics = metrics or ProcessMetrics()
        self.counts = RecorderCounts()
        self.pause = Pause(self._ring)
        self._bus = bus
        self._database = database
        self._scope = scope
        self._on_notice = on_notice
        # A single thread owns the connection and the account.
        self._thread = ThreadPoolExecutor(1, "ingenium recorder")
        self._writer: BatchWriter | None = None
        self._rows: TypedRows | None = None
        self._trading: TradingRows | None = None
        self._bells: list[asyncio.Event] = []

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> None:
        """Record until ``stop`` is set.

        Args:
            stop: Set to stop; messages already read are written first.
            once: Whether to stop after recording all messages that the streams hold.

        Raises:
            RecorderError: The database cannot be written, or another recorder holds it. The
                recording up to then is complete.
            BusError: The server denies reading.
        """
        loop = asyncio.get_running_loop()
        try:
            names = _STREAMS if self._bus.client.has_jetstream else ()
            heard = [*self._own_subjects, *(() if names else (ALL_EVENTS,))]
            if not names:
                self._on_notice(_AT_MOST_ONCE)
            streams = await loop.run_in_executor(
                self._thread, self._open, [*names, _CORE] if heard else names
            )
            sid = self._bus.client.listen(
                self._bus.space.to_server(ALL_EVENTS), "", lambda *_: self._ring()
            )
            try:
                async with asyncio.TaskGroup() as tasks:
                    for name, stream in streams.items():
                        if name == _CORE:
                            if not once:
                                tasks.create_task(self._listen(stream, heard, stop))
                        else:
                            tasks.create_task(self._follow(name, stream, stop, once=once))
                    if self._policy is not None and not once:
                        tasks.create_task(self._delete_daily(self._policy, stop))
                if self._policy is not None and once:
                    await self._delete(self._policy, stop)
            except* Exception as errors:  # noqa: BLE001 - raised again, without its group
                raise errors.exceptions[0] from None
            finally:
                self._bus.client.forget(sid)
        finally:
            await loop.run_in_executor(self._thread, self._close)
            self._thread.shutdown()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    def _open(self, names: Sequence[str]) -> dict[str, RecordedStream]:
        writer = self._writer = open_writer(self._database, self._scope)
        self._trading = open_trading(writer, self._scope)
        self._rows = TypedRows(self._trading)
        known = {stream.name: stream for stream in writer.positions()}
        found = {}
        for name in names:
            server_name = self._bus.space.stream(name)
            stream = known.get(server_name) or RecordedStream(self._scope, server_name)
            writer.claim(stream)
            found[name] = stream
        return found

    async def _delete_daily(self, policy: RetentionPolicy, stop: asyncio.Event) -> None:
        """Delete old events now, and look again every hour: a day ends in one of them."""
        while not stop.is_set():
            try:
                await self._delete(policy, stop)
            except IngeniumError as error:
                self._on_notice(f"OLD EVENTS ARE NOT DELETED, recording goes on: {error}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DELETION_SECONDS):
                    await stop.wait()

    async def _delete(self, policy: RetentionPolicy, stop: asyncio.Event) -> None:
        assert self._writer is not None  # noqa: S101
        loop = asyncio.get_running_loop()
        # Batches are written between the steps of a deletion.
        async for count in delete_old(
            self._database,
            self._writer,
            self._scope,
            policy,
            lambda work: loop.run_in_executor(self._thread, work),
        ):
            self.counts.deleted += count
            if stop.is_set():
                return

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def _listen(
        self, stream: RecordedStream, subjects: Sequence[str], stop: asyncio.Event
    ) -> None:
        """Record messages that no stream stores."""
        bell = asyncio.Event()
        feed = CoreFeed(self._bus, stream, subjects, bell.set)
        feed.open()
        try:
            while True:
                bell.clear()
                if self.pause.is_on and not stop.is_set():
                    await _first_of(bell, stop)
                    continue
                kept, gaps = feed.take(_BATCH), feed.take_gaps()
                if gaps:
                    self.counts.gaps += len(gaps)
                    self._metrics.recorder_gaps.add(_CORE, count=len(gaps))
                    for _, first, last, _, why in gaps:
                        self._on_notice(f"GAP in {stream.label} at {first} to {last}: {why}")
                if kept or gaps:
                    after = kept[-1] if kept else None
                    batch = WriteBatch(
                        stream.label,
                        stream.sequence,
                        stream.sequence if after is None else after.sequence,
                        stream.mark if after is None else after.received,
                    )
                    if gaps:
                        batch.rows["gaps"] = list(gaps)
                    stream.sequence, stream.mark = batch.after, batch.mark
                    await self._start(_CORE, batch, kept)
                    if len(kept) < _BATCH:
                        await _gather(stop)
                elif stop.is_set():
                    return
                else:
                    await _first_of(bell, stop)
        finally:
            feed.close()

    async def _follow(
        self, name: str, stream: RecordedStream, stop: asyncio.Event, *, once: bool
    ) -> None:
        reader = DirectReader(self._bus, name)
        bell = asyncio.Event()
        self._bells.append(bell)
        reader.open()
        writing: asyncio.Future[None] | None = None
        # Whether the last recorded event is still at its position in the stream.
        is_checked = False
        try:
            while True:
                bell.clear()
                if self.pause.is_on and not stop.is_set():
                    await _first_of(bell, stop)
                    continue
                try:
                    if not is_checked:
                        if writing is not None:
                            await writing
                            writing = None
                        is_checked = await self._check(reader, stream)
                    kept = await reader.read(stream.sequence + 1, _BATCH) if is_checked else []
                except (BusTimeoutError, NoListenerError) as error:
                    # A restarted server may have another stream.
                    is_checked = False
                    _log.info("%s", error)
                    kept = []
                    if once and isinstance(error, NoListenerError):
                        return
                if kept:
                    batch = self._batch(name, stream, kept)
                    age = time.time_ns() - kept[0].received
                    self._metrics.recorder_lag.set(max(0.0, age / 1e9), name)
                    # The next messages are requested while these are written.
                    if writing is not None:
                        await writing
                    writing = self._start(name, batch, kept)
                    if len(kept) < _BATCH and not once:
                        await _gather(stop)
                    continue
                if writing is not None:
                    await writing
                    writing = None
                if is_checked:
                    self._metrics.recorder_lag.set(0.0, name)
                if stop.is_set() or (once and is_checked):
                    return
                await _first_of(bell, stop)
                await _gather(stop)
        finally:
            reader.close()
            if writing is not None:
                # The write is in progress, and a thread cannot be stopped.
                with contextlib.suppress(Exception):
                    await writing

    def _batch(self, name: str, stream: RecordedStream, kept: Sequence[KeptMessage]) -> WriteBatch:
        """Advance the position over ``kept``, and record gaps before and within it."""
        batch = WriteBatch(stream.label, stream.sequence, kept[-1].sequence, kept[-1].received)
        expected = stream.sequence + 1
        for each in kept:
            if each.sequence != expected:
                reason = "missing" if stream.sequence else "start"
                batch.rows.setdefault("gaps", []).append(
                    (stream.label, expected, each.sequence - 1, each.received, reason)
                )
                self.counts.gaps += 1
                self._metrics.recorder_gaps.add(name)
                self._on_notice(
                    f"GAP: messages {expected} to {each.sequence - 1} of {stream.label} are gone "
                    "from the stream, and were not recorded"
                )
            expected = each.sequence + 1
            stream.sequence = each.sequence
        stream.mark = kept[-1].received
        return batch

    def _start(
        self, name: str, batch: WriteBatch, kept: Sequence[KeptMessage]
    ) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._write, name, batch, kept)

    def _write(self, name: str, batch: WriteBatch, kept: Sequence[KeptMessage]) -> None:
        assert self._rows is not None  # noqa: S101 - opened by the same thread
        assert self._trading is not None  # noqa: S101
        assert self._writer is not None  # noqa: S101
        for each in kept:
            self._rows.add(batch.rows, batch.stream, each)
        batch.books = self._trading.take_changes()
        self._writer.write(batch)
        self.counts.events += len(kept)
        self._metrics.recorded.add(name, count=len(kept))

    async def _check(self, reader: DirectReader, stream: RecordedStream) -> bool:
        """Check that the position belongs to this stream; start a new epoch if it does not.

        A stream in memory starts empty when its server restarts, and one in files may lose its end.
        """
        if not stream.sequence:
            await reader.read(1, 1)
            return True
        kept = await reader.read(stream.sequence, 1)
        if kept and kept[0].sequence == stream.sequence:
            if kept[0].received == stream.mark:
                return True
        elif kept:
            # The message at the position was removed by the stream's limits.
            return True
        elif not await reader.read(1, 1):
            return False  # The stream is empty, so its identity is not known yet.
        await self._begin_again(stream)
        return True

    async def _begin_again(self, stream: RecordedStream) -> None:
        before = stream.label
        stream.epoch += 1
        stream.sequence = stream.mark = 0
        self._on_notice(
            f"stream {stream.name} was recreated, or has lost its end: it is recorded from its "
            f"start as {stream.label}, after {before}"
        )
        writer = self._writer
        assert writer is not None  # noqa: S101
        await asyncio.get_running_loop().run_in_executor(self._thread, writer.claim, stream)


async def _gather(stop: asyncio.Event) -> None:
    """Let some messages arrive, unless the recorder is to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _GATHER_SECONDS)


async def _first_of(bell: asyncio.Event, stop: asyncio.Event) -> None:
    """Wait until one of the events is set, or one second has passed."""
    waits = [asyncio.create_task(each.wait()) for each in (bell, stop)]
    try:
        await asyncio.wait(waits, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
