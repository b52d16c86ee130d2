"""Work queue on JetStream: jobs for many workers, and a stream of results.

A job belongs to a worker for `TAKEN_SECONDS`, which `Job.still_at_it` restarts. After that time
without a sign, as when the worker was killed, another worker gets the job; so a result may arrive
twice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import (
    BadRequestError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)

from ingenium.bus.nats.addresses import parse_address
from ingenium.bus.nats.first_connection import first_connect
from ingenium.bus.nats.labels import NO_LABELS
from ingenium.bus.nats.nats_client import SafeClient
from ingenium.bus.nats.options import NatsOptions
from ingenium.errors import BusError
from ingenium.ids import random_id
from ingenium.subjects.server_names import (
    SWEEP_JOB,
    SWEEP_JOBS_NAME,
    SWEEP_RESULT,
    SWEEP_RESULTS_NAME,
)

__all__ = ["TAKEN_SECONDS", "Job", "WorkQueue"]

TAKEN_SECONDS = 10.0
"""Seconds that a silent worker keeps a job."""

_WORKERS = "workers"
_WEEK_SECONDS = 7 * 86_400
_CALL_SECONDS = 5.0
_NAME = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_T = TypeVar("_T")


class Job:
    """Job taken by this worker.

    Attributes:
        work: Name of the work that the job belongs to.
        payload: What it is.
        attempts: Number of workers that have taken the job, this one included.
    """

    def __init__(self, queue: WorkQueue, message: Msg) -> None:
        self._queue = queue
        self._message = message
        self.work = message.subject.rpartition(".")[2]
        self.payload = message.data
        self.attempts = message.metadata.num_delivered

    async def still_at_it(self) -> None:
        """Keep the job for another `TAKEN_SECONDS`."""
        await _call("keep a job", self._message.in_progress)

    async def give_back(self, seconds: float = 0.0) -> None:
        """Return the job to the queue, after some seconds."""
        await _call("give a job back", lambda: self._message.nak(seconds or None))

    async def drop(self) -> None:
        """Remove an invalid job from the queue."""
        await _call("end a job", self._message.term)

    async def finish(self, result: bytes) -> None:
        """Send the result, and then remove the job from the queue.

        Raises:
            BusError: The server did not accept the result; another worker gets the job later.
        """
        await self._queue.send_result(self.work, result)
        await _call("end a job", lambda: self._message.ack_sync(timeout=_CALL_SECONDS))


class WorkQueue:
    """Jobs and results on JetStream; created by `connect`."""

    def __init__(self, client: SafeClient, url: str, replicas: int = 1) -> None:
        self._client = client
        self._replicas = replicas
        self._stream: JetStreamContext = client.jetstream(timeout=_CALL_SECONDS)
        self.url = url
        """Address of the server, without credentials."""
        # Withdrawn jobs may be queued again at once, so only a repeated send is a duplicate.
        self._id = random_id("queue")

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, name: str, options: NatsOptions | None = None
    ) -> AsyncIterator[WorkQueue]:
        """Connect to a server, and create missing streams.

        Args:
            url: As ``NATS_SERVER`` holds it.
            name: Of the connection.
            options: Settings; the defaults if omitted.

        Raises:
            BusConnectError: There is no connection.
            BusError: The server has no JetStream.
        """
        address = parse_address(url)
        client = SafeClient()
        options = options or NatsOptions()

        async def nothing() -> None:
            """Required by nats-py, which reconnects by itself."""

        await first_connect(
            client,
            address,
            name,
            options,
            on_disconnected=nothing,
            on_reconnected=nothing,
            on_closed=nothing,
        )
        queue = cls(client, address.text, options.stream_replicas)
        try:
            await queue._make_streams()
            yield queue
        finally:
            await client.shut(_CALL_SECONDS)

    @property
    def is_connected(self) -> bool:
        """Whether the server is connected; if not, the client keeps reconnecting."""
        return self._client.is_connected

    async def _make_streams(self) -> None:
        jobs = StreamConfig(
            name=SWEEP_JOBS_NAME,
            description="Ingenium: jobs of sweeps",
            metadata=NO_LABELS.metadata("jobs"),
            subjects=[f"{SWEEP_JOB}.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            duplicate_window=120,
        )
        results = StreamConfig(
            name=SWEEP_RESULTS_NAME,
            description="Ingenium: results of sweeps",
            metadata=NO_LABELS.metadata("results"),
            subjects=[f"{SWEEP_RESULT}.*"],
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            max_age=_WEEK_SECONDS,
        )
        consumer = ConsumerConfig(
            durable_name=_WORKERS,
            description="Ingenium: workers that take jobs of sweeps",
            metadata=NO_LABELS.metadata("work"),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=TAKEN_SECONDS,
            max_ack_pending=100_000,
        )
        for stream in (jobs, results):
            await _call("make a stream", partial(self._make_stream, stream))
        await _call("make a consumer", lambda: self._stream.add_consumer(SWEEP_JOBS_NAME, consumer))

    async def _make_stream(self, config: StreamConfig) -> None:
        try:
            await self._stream.add_stream(config)
        except BadRequestError:
            # The stream exists with the configuration of another version.
            await self._stream.update_stream(config)

    # Submitting side.

    async def put(self, work: str, key: str, payload: bytes) -> None:
        """Add a job to the queue.

        Args:
            work: Name of the work that it is part of, letters and digits.
            key: Unique key of the job; a repeated put on this connection has no effect.
            payload: What it is.

        Raises:
            BusError: The server did not take it.
        """
        await _call(
            "take a job",
            lambda: self._stream.publish(
                f"{SWEEP_JOB}.{_checked(work)}",
                payload,
                headers={"Nats-Msg-Id": f"{self._id}.{key}"},
            ),
        )

    async def take_back(self, work: str) -> None:
        """Remove the jobs of a work that no worker has taken yet."""
        subject = f"{SWEEP_JOB}.{_checked(work)}"
        await self._purge("forget jobs", SWEEP_JOBS_NAME, subject)

    async def forget_results(self, work: str) -> None:
        """Delete the results of a work."""
        subject = f"{SWEEP_RESULT}.{_checked(work)}"
        await self._purge("forget results", SWEEP_RESULTS_NAME, subject)

    async def _purge(self, what: str, stream: str, subject: str) -> None:
        await _call(what, lambda: self._stream.purge_stream(stream, subject=subject))

    async def results(self, work: str) -> AsyncIterator[bytes | None]:
        """Yield the results of a work from the first, without end.

        Yields:
            A result, or ``None`` about once a second without a new one.

        Raises:
            BusError: The server does not answer.
        """
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=60.0,
        )
        subscription = await _call(
            "give results",
            lambda: self._stream.pull_subscribe(
                f"{SWEEP_RESULT}.{_checked(work)}", stream=SWEEP_RESULTS_NAME, config=config
            ),
        )
        try:
            while True:
                for message in await _fetch(subscription, 256):
                    yield message.data
                yield None
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    # Worker side.

    async def take(self) -> Job | None:
        """Take a job; ``None`` after about a second without a job.

        Raises:
            BusError: The server does not answer.
        """
        subscription = await _call(
            "give jobs", lambda: self._stream.pull_subscribe_bind(_WORKERS, SWEEP_JOBS_NAME)
        )
        try:
            for message in await _fetch(subscription, 1):
                return Job(self, message)
            return None
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    async def send_result(self, work: str, result: bytes) -> None:
        """Send the result of a job; readers skip duplicates.

        Raises:
            BusError: The server did not take it.
        """
        await _call(
            "take a result",
            lambda: self._stream.publish(f"{SWEEP_RESULT}.{_checked(work)}", result),
        )


async def _fetch(subscription: JetStreamContext.PullSubscription, most: int) -> list[Msg]:
    try:
        return await subscription.fetch(most, timeout=1.0)
    except (TimeoutError, NatsTimeoutError):
        return []
    except NatsError as error:
        raise BusError(f"the server does not give work: {error}") from error


async def _call(what: str, call: Callable[[], Awaitable[_T]]) -> _T:
    try:
        return await call()
    except (NoStreamResponseError, ServiceUnavailableError) as error:
        raise BusError(
            "the server has no JetStream, which keeps the work: start it with nats-server -js"
        ) from error
    except NotFoundError as error:
        raise BusError(f"the server cannot {what}: its stream is gone") from error
    except (TimeoutError, NatsError) as error:
        reason = str(error) or type(error).__name__
        raise BusError(f"the server does not {what}: {reason}") from error


def _checked(work: str) -> str:
    if _NAME.fullmatch(work) is None:
        raise ValueError(f"work {work!r} has no name: use up to 64 letters and digits")
    return work
