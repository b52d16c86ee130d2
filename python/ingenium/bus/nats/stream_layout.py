"""Layout of the two streams of an app; creates and checks them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.labels import NO_LABELS, Labels
from ingenium.bus.nats.memory_size import data_bytes, machine_memory
from ingenium.bus.nats.stream import NatsStream
from ingenium.errors import BusPermissionError, BusTimeoutError, StreamError
from ingenium.subjects.names import (
    CONTROL,
    DATA,
    DEAD_LETTER,
    DENIAL,
    EXECUTION,
    PORTFOLIO_TREE,
    SIGNAL,
)
from ingenium.subjects.server_names import DATA_STREAM_NAME, MONEY_STREAM_NAME
from ingenium.subjects.space import SubjectSpace

__all__ = [
    "DATA_STREAM",
    "MONEY_STREAM",
    "StreamLayout",
    "find_stream",
    "has_streams",
    "open_stream",
    "streams_on",
]

_log = logging.getLogger("ingenium.bus")
_MIB = 1_048_576
_CALL_SECONDS = 5.0
_CALLS = "$JS."
_NO_JETSTREAM = (10039, 10076)  # JetStream is not enabled, for the account or the server
_NAME_IN_USE = 10058
_NO_ROOM = (10028, 10047)  # in memory, in files
_SMALLEST_PART = 16
_BATCHES_SINCE = (2, 12)


@dataclass(frozen=True, slots=True)
class StreamLayout:
    """Required configuration of a stream.

    Attributes:
        name: Name of the stream.
        subjects: Subjects that it stores.
        in_files: Whether it is stored in files, and survives a restart of the server; in memory
            otherwise.
        max_bytes: Size limit; the oldest messages are removed. The server reserves the space when
            the stream is created; with less space available, the limit is halved up to four times.
        max_age_seconds: Maximum age of a message; 0 for no limit.
        max_message_bytes: Maximum size of a message.
        duplicate_window_seconds: Time during which a message with a known id is a duplicate.
        is_final: Whether deleting and purging messages is denied.
        answers: Whether it acknowledges stored messages.
        description: Purpose, shown by NATS tools.
    """

    name: str
    subjects: tuple[str, ...]
    in_files: bool
    max_bytes: int
    max_age_seconds: int
    max_message_bytes: int
    duplicate_window_seconds: int
    is_final: bool
    answers: bool = True
    description: str = ""

    def within(self, space: SubjectSpace) -> StreamLayout:
        """Return the layout within a subject space."""
        subjects = tuple(map(space.to_server, self.subjects))
        return replace(self, name=space.stream(self.name), subjects=subjects)


MONEY_STREAM = StreamLayout(
    name=MONEY_STREAM_NAME,
    # One stream, so that signals, orders and executions have a total order, which a replay repeats.
    subjects=(
        SIGNAL,
        PORTFOLIO_TREE,
        EXECUTION,
        DENIAL,
        f"{DEAD_LETTER}.>",
        f"{CONTROL}.>",
    ),
    in_files=True,
    max_bytes=1024 * _MIB,
    max_age_seconds=0,
    max_message_bytes=131_072,
    duplicate_window_seconds=3600,
    is_final=True,
    description="Ingenium: signals, orders, executions, denials, dead letters, control",
)
"""Signals, orders, executions, denials, dead letters and control events."""

DATA_STREAM = StreamLayout(
    name=DATA_STREAM_NAME,
    subjects=(f"{DATA}.>",),
    in_files=False,
    # The server needs about twice that memory, and with accounts has two such streams: for
    # portfolio and executor, and for strategies.
    max_bytes=data_bytes(machine_memory()),
    max_age_seconds=86_400,
    max_message_bytes=65_536,
    # An id takes as much memory as a bar, and market data is never resent, since it is not
    # acknowledged.
    duplicate_window_seconds=2,
    is_final=False,
    # The sender of data chooses the reply subject. The acknowledgement would be published within
    # the account of the stream, so a data source could publish on the subject of orders.
    answers=False,
    description="Ingenium: market data of the last day",
)
"""Market data of the last day, within the size limit: plain publishes, not acknowledged."""


async def has_streams(bus: NatsBus) -> bool:
    """Return whether JetStream is enabled for the account.

    Raises:
        BusTimeoutError: The server does not answer.
        BusPermissionError: The server denies this request to the user.
    """
    try:
        await bus.client.jetstream(timeout=_CALL_SECONDS).account_info()
    except (NoRespondersError, ServiceUnavailableError):
        return False
    except APIError as error:
        if error.err_code in _NO_JETSTREAM:
            return False
        raise StreamError(f"the server at {bus.url} tells nothing of JetStream: {error}") from error
    except (TimeoutError, NatsError) as error:
        if refused := bus.refused(_CALLS):
            raise BusPermissionError(
                f"the server at {bus.url} forbids asking for JetStream: {refused}", _CALLS
            ) from error
        raise BusTimeoutError(f"the server at {bus.url} tells nothing of JetStream") from error
    return True


async def streams_on(bus: NatsBus, subject: str) -> list[str]:
    """Return the names of the streams that store a subject or part of a pattern.

    Args:
        bus: Connection to the server.
        subject: Subject without prefix, such as ``"ingenium.>"``.

    Returns:
        Names of the streams; empty on a server without JetStream.

    Raises:
        BusError: The server does not answer.
    """
    if not await has_streams(bus):
        return []
    request = json.dumps({"subject": bus.space.to_server(subject)}).encode()
    try:
        answer = await bus.client.request("$JS.API.STREAM.NAMES", request, timeout=_CALL_SECONDS)
    except (TimeoutError, NatsError) as error:
        raise BusTimeoutError(f"the server at {bus.url} does not list its streams") from error
    return sorted(json.loads(answer.data).get("streams") or ())


async def open_stream(
    bus: NatsBus, layout: StreamLayout, labels: Labels = NO_LABELS, *, is_labeled: bool = False
) -> NatsStream:
    """Create a stream, or check the configuration of the existing one.

    Args:
        bus: Connection to the server.
        layout: Required configuration.
        labels: Reader of the stream, for NATS tools.
        is_labeled: Whether an existing stream gets the description and metadata of a new one,
            without other changes. The user needs the right to update streams.

    Raises:
        StreamError: The existing stream differs; the text lists the differences.
        BusTimeoutError: The server does not answer.
        BusPermissionError: The user may not create or read the stream.
    """
    stream = await _open(bus, layout, labels, is_made=True)
    if is_labeled:
        await _label(bus, layout, labels)
    return stream


async def find_stream(bus: NatsBus, layout: StreamLayout) -> NatsStream:
    """Return an existing stream, checked like `open_stream`; never creates one.

    Raises:
        StreamError: The stream does not exist or differs.
        BusTimeoutError: The server does not answer.
        BusPermissionError: The user may not read the stream.
    """
    return await _open(bus, layout, NO_LABELS, is_made=False)


async def _open(bus: NatsBus, layout: StreamLayout, labels: Labels, *, is_made: bool) -> NatsStream:
    js = bus.client.jetstream(timeout=_CALL_SECONDS)
    name, layout = layout.name, layout.within(bus.space)
    try:
        try:
            info = await js.stream_info(layout.name)
        except NotFoundError as error:
            if not is_made:
                raise StreamError(
                    f"the server at {bus.url} has no stream {layout.name}, so no app has run there "
                    f"on {bus.space}: start it, or set INGENIUM_PREFIX to its prefix"
                ) from error
            info = await _make(bus, js, layout, labels)
    except APIError as error:
        cure = f": {_no_room(layout)}" if error.err_code in _NO_ROOM else ""
        raise StreamError(
            f"the server at {bus.url} does not make stream {layout.name}: {error.description}{cure}"
        ) from error
    except (TimeoutError, NatsError) as error:
        if refused := bus.refused(_CALLS):
            raise BusPermissionError(
                f"the server at {bus.url} forbids making stream {layout.name}: {refused}", _CALLS
            ) from error
        raise BusTimeoutError(
            f"the server at {bus.url} did not make stream {layout.name} within {_CALL_SECONDS:g} s"
        ) from error
    _check(bus, layout, info)
    return NatsStream(bus, name, labels)


async def _label(bus: NatsBus, layout: StreamLayout, labels: Labels) -> None:
    """Update description and metadata of a stream if they differ."""
    name = layout.within(bus.space).name
    info = await _ask(bus, f"$JS.API.STREAM.INFO.{name}", {})
    # The raw configuration: the client's class would drop unknown fields.
    config: dict[str, Any] = info.get("config") or {}
    known = config.get("metadata") or {}
    wanted = {"description": layout.description, "metadata": known | _metadata(labels)}
    if not config or all(config.get(name) == value for name, value in wanted.items()):
        return
    # A server without metadata ignores them, so the update is repeated at each start.
    answer = await _ask(bus, f"$JS.API.STREAM.UPDATE.{name}", config | wanted)
    if "error" in answer:
        _log.info("stream %s keeps its description: %s", name, answer["error"].get("description"))


def _metadata(labels: Labels) -> dict[str, str]:
    # Only the app: a stream belongs to all its components.
    return Labels(labels.app).metadata("events")


async def _ask(bus: NatsBus, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = await bus.client.request(
            subject, json.dumps(request).encode(), timeout=_CALL_SECONDS
        )
    except (TimeoutError, NatsError) as error:
        raise BusTimeoutError(f"the server at {bus.url} does not answer {subject}") from error
    found: dict[str, Any] = json.loads(answer.data)
    return found


def _knows_batches(bus: NatsBus) -> bool:
    version = bus.client.connected_server_version
    return (version.major, version.minor) >= _BATCHES_SINCE


async def _make(bus: NatsBus, js: Any, layout: StreamLayout, labels: Labels) -> StreamInfo:
    config = StreamConfig(
        name=layout.name,
        description=layout.description,
        metadata=_metadata(labels),
        subjects=list(layout.subjects),
        storage=StorageType.FILE if layout.in_files else StorageType.MEMORY,
        retention=RetentionPolicy.LIMITS,
        # Discard old rather than refuse new messages: a Go component publishes without waiting for
        # an answer.
        discard=DiscardPolicy.OLD,
        max_bytes=layout.max_bytes,
        max_age=layout.max_age_seconds,
        max_msg_size=layout.max_message_bytes,
        duplicate_window=layout.duplicate_window_seconds,
        num_replicas=bus.stream_replicas,
        deny_delete=layout.is_final,
        deny_purge=layout.is_final,
        allow_direct=True,
        no_ack=not layout.answers,
        # A batch of a component is written to disk together.
        allow_atomic=True if layout.answers and _knows_batches(bus) else None,
    )
    while True:
        try:
            made: StreamInfo = await js.add_stream(config)
        except APIError as error:
            size = config.max_bytes or 0
            if error.err_code in _NO_ROOM and size // 2 * _SMALLEST_PART >= layout.max_bytes:
                config.max_bytes = size // 2
                continue
            if error.err_code != _NAME_IN_USE:
                raise
            # Another component has just created it.
            made = await js.stream_info(layout.name)
            break
        if config.max_bytes != layout.max_bytes:
            _log.warning(
                "stream %s keeps %d MiB and not %d, the oldest messages fall out sooner: %s",
                layout.name,
                (config.max_bytes or 0) // _MIB,
                layout.max_bytes // _MIB,
                _no_room(layout),
            )
        break
    return made


def _no_room(layout: StreamLayout) -> str:
    """Return advice for a server without enough space for a stream."""
    what, setting = (
        ("disk", "max_file_store") if layout.in_files else ("memory", "max_memory_store")
    )
    return (
        f"its server has no more {what} for streams: free some, or raise {setting} in the "
        "jetstream block of its configuration, or the limit of the account"
    )


def _check(bus: NatsBus, layout: StreamLayout, info: StreamInfo) -> None:
    """Refuse a stream whose configuration would lose messages.

    Larger limits, more replicas, or files instead of memory are allowed.
    """
    config = info.config
    wrong: list[str] = []

    def expect(what: str, found: object, wanted: object, *, good: bool) -> None:
        if not good:
            wrong.append(f"{what} is {found}, not {wanted}")

    subjects = set(config.subjects or ())
    expect(
        "subjects",
        ", ".join(sorted(subjects)),
        ", ".join(sorted(layout.subjects)),
        good=subjects == set(layout.subjects),
    )
    retention = config.retention or RetentionPolicy.LIMITS
    expect("retention", retention, "limits", good=retention == RetentionPolicy.LIMITS)
    discard = config.discard or DiscardPolicy.OLD
    expect("discard", discard, "old", good=discard == DiscardPolicy.OLD)
    in_files = config.storage == StorageType.FILE
    expect("storage", config.storage, "file", good=in_files or not layout.in_files)
    silent = bool(config.no_ack)
    expect("no_ack", silent, not layout.answers, good=silent is not layout.answers)
    window = config.duplicate_window or 0
    expect(
        "duplicate_window",
        f"{window:g} s",
        f"{layout.duplicate_window_seconds} s",
        good=window >= layout.duplicate_window_seconds,
    )
    size = config.max_msg_size or -1
    expect(
        "max_msg_size",
        size,
        layout.max_message_bytes,
        good=not 0 <= size < layout.max_message_bytes,
    )
    for what in ("max_msgs", "max_msgs_per_subject"):
        most = getattr(config, what) or -1
        expect(what, most, "without a limit", good=most < 0)
    age = config.max_age or 0
    expect(
        "max_age",
        f"{age:g} s",
        f"{layout.max_age_seconds} s",
        good=not age or (bool(layout.max_age_seconds) and age >= layout.max_age_seconds),
    )
    if wrong:
        raise StreamError(
            f"stream {layout.name} on the server at {bus.url} is not as it should be: "
            f"{'; '.join(wrong)}: change it with the nats command line, or use another server"
        )
