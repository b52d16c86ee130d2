"""The running components of an app, in every language, and commands to one of them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec

from ingenium.bus import NatsBus
from ingenium.bus.nats.service_requests import ask_services, request_answer
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.bus.stream import MESSAGE_ID
from ingenium.clock import SystemClock
from ingenium.errors import BusError, ConfigError
from ingenium.ids import random_id
from ingenium.operations.apps import LocalApp, as_operator
from ingenium.subjects.names import COMPONENT_COMMANDS, command_subject

__all__ = ["CommandResult", "RunningComponent", "command", "read_services", "services_of"]

# Those that change what a component does with events.
_NOTED = frozenset({"pause", "resume", "stop"})
_log = logging.getLogger("ingenium.operations")
_ROLES = ("ingestor", "strategy", "portfolio", "executor", "recorder")


class _ServiceEndpoint(msgspec.Struct):
    name: str
    subject: str
    num_requests: int = 0
    num_errors: int = 0
    last_error: str = ""
    processing_time: int = 0
    data: dict[str, Any] | None = None


class _ServiceAnswer(msgspec.Struct):
    name: str
    id: str
    version: str
    metadata: dict[str, str] | None = None
    started: str = ""
    endpoints: list[_ServiceEndpoint] | None = None


class RunningComponent(msgspec.Struct):
    """A component as it describes itself.

    Attributes:
        app: Name of its app.
        name: Its name.
        role: Its role.
        language: Language that it is written in.
        instance: Tells this start of it from all others.
        version: Version of the app; empty if not stated.
        sdk_version: Version of its SDK.
        revision: Source revision; empty if not stated.
        state: Where it is in its life: ``"ready"``.
        trading: State of trading; empty for a component that no order passes.
        paused: Whether an operator has paused it.
        handled: Events handled since its start.
        failed: Of these, those that failed.
        sent: Events sent since its start.
        waiting: Events that have reached it and are not handled.
        lag_seconds: Age of the oldest of these; ``None`` if unknown.
        handler_seconds: Duration of all calls of its handlers.
        last_error: Text of its last failure; empty without any.
        last_event: Type and symbol of the event that it handled last, or sent last as an ingestor.
        last_time: When that was; ``None`` before the first.
        started: When it was started; ``None`` if not stated.
        host: Name of its machine.
        process: Number of its process there.
        subjects: Subjects that it reads.
        problem: What a person should look at; empty without any.
    """

    app: str
    name: str
    role: str
    language: str
    instance: str
    version: str = ""
    sdk_version: str = ""
    revision: str = ""
    state: str = ""
    trading: str = ""
    paused: bool = False
    handled: int = 0
    failed: int = 0
    sent: int = 0
    waiting: int = 0
    lag_seconds: float | None = None
    handler_seconds: float = 0.0
    last_error: str = ""
    last_event: str = ""
    last_time: datetime | None = None
    started: datetime | None = None
    host: str = ""
    process: int = 0
    subjects: list[str] = []
    problem: str = ""


class CommandResult(msgspec.Struct):
    """Answer of a component to a command.

    Attributes:
        component: Name of the component.
        instance: Which start of it has answered.
        paused: Whether it is paused now.
        stopping: Whether it stops.
        level: Level of its process's log, after a change; empty otherwise.
        was: The level before.
    """

    component: str
    instance: str
    paused: bool = False
    stopping: bool = False
    level: str = ""
    was: str = ""


async def services_of(place: LocalApp) -> list[RunningComponent]:
    """Return the running components of an app that are listed as services.

    Raises:
        BusError: The server cannot be reached, or does not answer.
    """
    async with as_operator(place) as bus:
        return await read_services(bus, place.app)


async def read_services(bus: NatsBus, app: str, name: str = "") -> list[RunningComponent]:
    """Return the running components of an app, by role and name.

    Args:
        bus: Connection with the rights of an operator.
        app: Name of the app.
        name: Name of one component; all when left out.

    Raises:
        BusError: The server does not answer.
    """
    found: list[RunningComponent] = []
    for payload in await ask_services(bus, "STATS", name):
        try:
            answer = msgspec.json.decode(payload, type=_ServiceAnswer)
            row = _row_of(answer)
        except msgspec.MsgspecError:
            continue  # Another service on the same server.
        metadata = answer.metadata or {}
        if row.app == app and metadata.get("prefix", "") == bus.space.prefix:
            found.append(row)
    return sorted(found, key=_order)


async def command(
    place: LocalApp, name: str, what: str, sender: str, *, instance: str = "", level: str = ""
) -> CommandResult:
    """Send a command to one start of a component, and return its answer.

    Args:
        place: The app.
        name: Name of the component.
        what: ``"pause"``, ``"resume"``, ``"stop"`` or ``"log-level"``.
        sender: Sender, ``"ann@trader-1"``.
        instance: Which start of it; needed only where several run.
        level: Level of the log, for ``"log-level"``.

    Raises:
        ConfigError: No such component runs, several do, or it refuses the command.
        NoListenerError: The component has ended, or takes no commands.
        BusTimeoutError: It does not answer.
        BusError: The server cannot be reached.
    """
    async with as_operator(place) as bus:
        if not instance:
            instance = await _only_instance(bus, place.app, name)
        subject = bus.space.to_server(command_subject(place.app, name, instance, what))
        payload = msgspec.json.encode({"Sender": sender, **({"Level": level} if level else {})})
        answer = await request_answer(bus, subject, payload, f"{name!r}")
        if what in _NOTED:
            await _note(bus, name, instance, what, sender)
        return msgspec.json.decode(answer, type=CommandResult)


async def _note(bus: NatsBus, name: str, instance: str, what: str, sender: str) -> None:
    """Publish a command that was obeyed, so that the recorder has it.

    A failure is logged: the component has obeyed.
    """
    payload = msgspec.json.encode(
        {
            "Id": (identifier := random_id("command")),
            "Timestamp": SystemClock().now(),
            "Component": name,
            "Instance": instance,
            "Command": what,
            "Sender": sender,
        }
    )
    try:
        if bus.client.has_jetstream:
            stream = NatsStream(bus, MONEY_STREAM.name)
            await stream.append(COMPONENT_COMMANDS, payload, {MESSAGE_ID: identifier})
        else:
            await bus.publish(COMPONENT_COMMANDS, payload)
            await bus.flush()
    except BusError as error:
        _log.warning("the command %s to %s is not recorded: %s", what, name, error)


async def _only_instance(bus: NatsBus, app: str, name: str) -> str:
    found = await read_services(bus, app, name)
    if not found:
        running = [row.name for row in await read_services(bus, app)]
        raise ConfigError(
            f"no component {name!r} of app {app!r} runs: name one of {', '.join(running)}"
            if running
            else f"no component of app {app!r} runs on the server at {bus.url}"
        )
    if len(found) > 1:
        raise ConfigError(
            f"{name!r} runs {len(found)} times: add --instance and one of "
            f"{', '.join(row.instance for row in found)}"
        )
    return found[0].instance


def _row_of(answer: _ServiceAnswer) -> RunningComponent:
    """Return the row of an answer.

    Raises:
        ValidationError: It is that of another kind of service.
    """
    metadata, endpoints = answer.metadata or {}, answer.endpoints or []
    numbers: dict[str, Any] = {}
    for each in endpoints:
        numbers = numbers or each.data or {}
    lag = numbers.get("lag_milliseconds")
    last = filter(None, (numbers.get("last_event"), numbers.get("last_symbol")))
    row: dict[str, Any] = {
        **{key: metadata[key] for key in ("app", "role", "language") if key in metadata},
        "name": answer.name,
        "instance": answer.id,
        "version": metadata.get("app_version", ""),
        "sdk_version": metadata.get("sdk_version", ""),
        "revision": metadata.get("revision", ""),
        "trading": metadata.get("trading", ""),
        "started": answer.started or None,
        "subjects": list(filter(None, metadata.get("subjects", "").split(","))),
        "lag_seconds": None if lag is None else lag / 1000,
        "handler_seconds": numbers.get("processing_time", 0) / 1e9,
        "last_event": " ".join(map(str, last)),
        "last_time": numbers.get("last_time") or None,
        **{
            key: numbers[key]
            for key in (
                "state",
                "paused",
                "handled",
                "failed",
                "sent",
                "waiting",
                "last_error",
                "host",
                "process",
                "problem",
            )
            if key in numbers
        },
    }
    return msgspec.convert(row, RunningComponent)


def _order(row: RunningComponent) -> tuple[int, str, str]:
    place = _ROLES.index(row.role) if row.role in _ROLES else len(_ROLES)
    return place, row.name, row.instance
