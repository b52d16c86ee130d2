"""Takes the commands of an operator to one start of a component: pause, resume, stop, log level."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import msgspec

from ingenium.bus.base import Message, Subscription
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.micro_service import EndpointReport
from ingenium.bus.nats.service_requests import SERVICE_ERROR
from ingenium.errors import BusError, BusPermissionError
from ingenium.runtime.pause import Pause
from ingenium.subjects.names import command_subject
from ingenium.telemetry.logs import LEVELS, set_log_level

__all__ = ["COMMANDS", "CommandListener", "CommandRequest", "asks_to_stop"]

COMMANDS = ("pause", "resume", "stop", "log-level")
"""Last tokens of the subjects of commands."""
_ERROR_CODE = "Nats-Service-Error-Code"

_log = logging.getLogger("ingenium.deploy")
# A server puts no such reply subject on anything that it publishes by itself.
_REPLIES = ("_R_.", "_INBOX.")


class CommandRequest(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """Payload of a command.

    Attributes:
        sender: Who sends it: ``"ann@trader-1"``.
        level: Level of a ``log-level`` command: ``"debug"``.
    """

    sender: str
    level: str = ""


class CommandListener:
    """Takes commands to one start of a component, and answers each.

    A server with accounts lets only operators send one. In the account of strategies, however, one
    strategy could have the server publish an answer, or a stored message, on the subject of
    another's commands. What is not exactly a command of an operator is therefore refused.

    Args:
        bus: Connection of the component.
        app: Name of the app.
        component: Name of the component.
        life: Tells this start from all others.
        pause: Pause of the component.
        stop_asked: Set by a command to stop; a new event when left out.

    Attributes:
        stop_asked: Set when an operator has stopped the component.
    """

    def __init__(
        self,
        bus: NatsBus,
        app: str,
        component: str,
        life: str,
        pause: Pause,
        stop_asked: asyncio.Event | None = None,
    ) -> None:
        self.stop_asked = stop_asked or asyncio.Event()
        self._bus = bus
        self._component = component
        self._life = life
        self._pause = pause
        self._subject = command_subject(app, component, life)
        self._subscription: Subscription | None = None
        self._taken = dict.fromkeys(COMMANDS, 0)

    async def open(self) -> None:
        """Take commands from now on; a failure is logged."""
        try:
            self._subscription = await self._bus.subscribe(self._subject, self._answer)
            self._subscription.is_spare = True  # the sender sees that no answer comes
        except BusPermissionError as error:
            _log.warning(
                "%s takes no commands: %s: print the accounts of the app again",
                self._component,
                error,
            )
        except BusError as error:
            _log.warning("%s takes no commands: %s", self._component, error)

    async def close(self) -> None:
        """Take no more commands."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with suppress(BusError):
                await subscription.stop()

    def endpoints(self) -> list[EndpointReport]:
        """Return an endpoint for each command."""
        subject = self._bus.space.to_server(self._subject).removesuffix("*")
        return [
            EndpointReport(name, f"{subject}{name}", num_requests=count)
            for name, count in self._taken.items()
        ]

    async def _answer(self, message: Message) -> None:
        if not message.reply.startswith(_REPLIES) or "Nats-Stream" in message.headers:
            _log.warning("%s refuses a command that no operator has sent", self._component)
            return
        command = message.subject.rpartition(".")[2]
        try:
            request = msgspec.json.decode(message.payload, type=CommandRequest)
            answer = self._obey(command, request)
        except (msgspec.MsgspecError, ValueError) as error:
            headers = {SERVICE_ERROR: f"{error}"[:200], _ERROR_CODE: "400"}
            await self._bus.publish(message.reply, b"", headers)
            return
        self._taken[command] += 1
        _log.warning("%s: %s by %s", self._component, command, request.sender or "an operator")
        await self._bus.publish(message.reply, msgspec.json.encode(answer))

    def _obey(self, command: str, request: CommandRequest) -> dict[str, Any]:
        """Act upon a command, and return the answer.

        Raises:
            ValueError: There is no such command or level.
        """
        answer: dict[str, Any] = {"component": self._component, "instance": self._life}
        if command == "pause":
            self._pause.begin()
        elif command == "resume":
            self._pause.end()
        elif command == "stop":
            self.stop_asked.set()
        elif command == "log-level":
            if request.level not in LEVELS:
                raise ValueError(f"no level {request.level!r}: use one of {', '.join(LEVELS)}")
            answer["was"] = set_log_level(request.level)
            answer["level"] = request.level
        else:
            raise ValueError(f"no command {command!r}: use one of {', '.join(COMMANDS)}")
        return answer | {"paused": self._pause.is_on, "stopping": self.stop_asked.is_set()}


def asks_to_stop(message: Message) -> tuple[str, str] | None:
    """Return the component that a command stops, and which start of it; ``None`` for others."""
    try:
        msgspec.json.decode(message.payload, type=CommandRequest)
    except msgspec.MsgspecError:
        return None
    _, _, _, component, life, command = message.subject.split(".")
    return (component, life) if command == "stop" else None
