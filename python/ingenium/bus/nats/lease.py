"""Leases in a key-value bucket of a NATS server with JetStream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig
from nats.js.errors import (
    APIError,
    BadRequestError,
    BucketNotFoundError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
)
from nats.js.kv import KeyValue

from ingenium.bus.lease import NOBODY, ONE_ONLY, TTL_SECONDS, Holder, Lease, TimedLease, key_of
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.requests import CALL_SECONDS, unanswered
from ingenium.bus.nats.stream_layout import has_streams
from ingenium.errors import BusTimeoutError, StreamError
from ingenium.subjects.server_names import LEASE_BUCKET

__all__ = ["NatsLease", "find_holder", "open_lease"]


_NAME_IN_USE = 10058
_DESCRIPTION = "Ingenium: who leads, one key for each lease"
_T = TypeVar("_T")


class NatsLease(TimedLease):
    """Lease in a key-value bucket; created by `open_lease`."""

    def __init__(
        self,
        bus: NatsBus,
        bucket: KeyValue,
        key: str,
        ttl_seconds: float,
        *,
        holder: Holder | None,
        may_lapse: bool,
        cure: str,
    ) -> None:
        super().__init__(key, ttl_seconds, holder=holder, may_lapse=may_lapse, cure=cure)
        self._bus = bus
        self._bucket = bucket
        self._name = key_of(key)

    async def _read(self) -> tuple[Holder, int]:
        try:
            found = await _call(
                self._bus, f"tell of lease {self.key}", lambda: self._bucket.get(self._name)
            )
        except KeyNotFoundError as error:
            # The key may have been deleted by hand; the next value replaces the delete marker.
            return NOBODY, (error.entry.revision or 0) if error.entry else 0
        return msgspec.json.decode(found.value or b"", type=Holder), found.revision or 0

    async def _write(self, holder: Holder, revision: int) -> int:
        value = msgspec.json.encode(holder)
        try:
            return await _call(
                self._bus,
                f"keep lease {self.key}",
                lambda: self._bucket.update(self._name, value, last=revision),
            )
        except KeyWrongLastSequenceError:
            return 0


async def open_lease(
    bus: NatsBus,
    key: str,
    *,
    ttl_seconds: float = TTL_SECONDS,
    holder: Holder | None = None,
    may_lapse: bool = False,
    cure: str = ONE_ONLY,
) -> Lease | None:
    """Return the lease of a key, not yet acquired.

    Args:
        bus: Connection to the server.
        key: Key, such as ``"executor.U12345"``.
        ttl_seconds: Duration; equal for all leases on a server.
        holder: Requester of the lease; this process by default.
        may_lapse: See `TimedLease`.
        cure: Advice for the error when another process holds the lease.

    Returns:
        The lease; ``None`` on a server without JetStream.

    Raises:
        StreamError: The server does not create the bucket.
        BusTimeoutError: The server does not answer.
        BusPermissionError: The user may not do this.
    """
    if not await has_streams(bus):
        return None
    js = bus.client.jetstream(timeout=CALL_SECONDS)
    config = KeyValueConfig(
        bucket=LEASE_BUCKET,
        description=_DESCRIPTION,
        ttl=ttl_seconds,
        history=1,
        replicas=bus.stream_replicas,
    )
    try:
        bucket = await _call(bus, "make a bucket of leases", lambda: js.create_key_value(config))
    except BadRequestError as error:
        if error.err_code != _NAME_IN_USE:
            raise
        bucket = await _call(bus, "open the bucket of leases", lambda: js.key_value(LEASE_BUCKET))
        status = await _call(bus, "tell of the bucket of leases", bucket.status)
        if status.ttl != ttl_seconds:
            raise StreamError(
                f"the server at {bus.url} has a bucket {LEASE_BUCKET} that forgets after "
                f"{status.ttl} s, not {ttl_seconds:g} s: delete it while nothing runs"
            ) from error
    return NatsLease(bus, bucket, key, ttl_seconds, holder=holder, may_lapse=may_lapse, cure=cure)


async def find_holder(bus: NatsBus, key: str) -> Holder:
    """Return the holder of a lease in JetStream; `NOBODY` without a holder.

    Args:
        bus: Connection to the server.
        key: Key of the lease.

    Raises:
        StreamError: The server reports an error.
        BusTimeoutError: The server does not answer.
        BusPermissionError: The server denies this request to the user.
    """
    js = bus.client.jetstream(timeout=CALL_SECONDS)

    async def find() -> Holder:
        try:
            bucket = await js.key_value(LEASE_BUCKET)
            found = await bucket.get(key_of(key))
        except (BucketNotFoundError, KeyNotFoundError):
            return NOBODY
        return msgspec.json.decode(found.value or b"", type=Holder)

    return await _call(bus, f"tell of lease {key}", find)


async def _call(bus: NatsBus, what: str, call: Callable[[], Awaitable[_T]]) -> _T:
    if not bus.client.is_up:
        raise BusTimeoutError(f"no connection to {bus.url} now: it cannot {what}")
    try:
        return await call()
    except (KeyNotFoundError, KeyWrongLastSequenceError, BadRequestError):
        raise
    except APIError as error:
        raise StreamError(
            f"the server at {bus.url} does not {what}: {error.description}"
        ) from error
    except (TimeoutError, NatsError, OSError) as error:
        raise unanswered(bus, what, error, "$KV.", "$JS.") from error
