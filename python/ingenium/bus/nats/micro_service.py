"""A NATS micro service (ADR-32): answers who it is and what it has done.

Not that of nats-py, which puts every subscription into a queue group, knows no metadata that
changes, and cannot answer requests for its numbers after a reset.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ingenium.bus.base import Bus, Message, Subscription
from ingenium.clock import SystemClock, format_time
from ingenium.errors import BusError, BusPermissionError, IngeniumError
from ingenium.subjects.server_names import service_subject

__all__ = ["EndpointReport", "MicroService", "ServiceReport"]

_log = logging.getLogger("ingenium.bus")
_TYPES = {verb: f"io.nats.micro.v1.{verb.lower()}_response" for verb in ("PING", "INFO", "STATS")}
_ENCODER = msgspec.json.Encoder()


class EndpointReport(msgspec.Struct):
    """One subject on which a service receives messages, and its numbers.

    Attributes:
        name: Name of the endpoint.
        subject: Subject on the server.
        queue_group: Of the subscriptions with one name, one gets each message; empty for none.
        num_requests: Messages handled.
        num_errors: Of these, those that failed.
        last_error: Text of the last failure; empty without any.
        processing_time: Duration of all, in nanoseconds.
        average_processing_time: Duration of one, in nanoseconds.
        data: Further numbers.
    """

    name: str
    subject: str
    queue_group: str = ""
    num_requests: int = 0
    num_errors: int = 0
    last_error: str = ""
    processing_time: int = 0
    average_processing_time: int = 0
    data: Mapping[str, Any] | None = None


class ServiceReport(msgspec.Struct):
    """Status of a service at one moment.

    Attributes:
        metadata: Facts by name.
        endpoints: Its endpoints.
    """

    metadata: Mapping[str, str]
    endpoints: Sequence[EndpointReport]


class MicroService:
    """Answers requests on ``$SRV``, until it is closed.

    Args:
        bus: Connection of the service.
        name: Its name, of letters, digits, ``-`` and ``_``; instances of one service share it.
        instance: Its id, unlike that of all other instances.
        version: A semantic version.
        description: One line about it.
        report: Returns the present report.
    """

    def __init__(
        self,
        bus: Bus,
        name: str,
        instance: str,
        version: str,
        description: str,
        report: Callable[[], ServiceReport],
    ) -> None:
        self._bus = bus
        self._who = {"name": name, "id": instance, "version": version}
        self._description = description
        self._report = report
        self._started = format_time(SystemClock().now())
        self._subscriptions: list[Subscription] = []

    async def open(self) -> None:
        """Answer from now on; failures are logged, since nothing else depends on it."""
        name, instance = self._who["name"], self._who["id"]
        try:
            for of_name in (("",), (name,), (name, instance)):
                subscription = await self._bus.subscribe(
                    service_subject("*", *of_name), self._answer
                )
                subscription.is_spare = True  # a lost request is repeated
                self._subscriptions.append(subscription)
        except BusPermissionError as error:
            _log.warning(
                "%s is not listed as a service: %s: print the accounts of the app again",
                name,
                error,
            )
        except BusError as error:
            _log.warning("%s is not listed as a service: %s", name, error)

    async def close(self) -> None:
        """Answer no more."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            with suppress(BusError):
                await subscription.stop()

    async def _answer(self, message: Message) -> None:
        verb = message.subject.split(".")[1]
        if verb not in _TYPES or not message.reply:
            return
        try:
            answer = self._answer_to(verb)
            await self._bus.publish(message.reply, _ENCODER.encode(answer))
        except IngeniumError as error:
            _log.debug("%s does not answer %s: %s", self._who["name"], message.subject, error)

    def _answer_to(self, verb: str) -> dict[str, Any]:
        report = self._report()
        answer: dict[str, Any] = {"type": _TYPES[verb], **self._who, "metadata": report.metadata}
        if verb == "INFO":
            answer["description"] = self._description
            answer["endpoints"] = [
                {
                    "name": each.name,
                    "subject": each.subject,
                    "queue_group": each.queue_group,
                    "metadata": {},
                }
                for each in report.endpoints
            ]
        elif verb == "STATS":
            answer["started"] = self._started
            answer["endpoints"] = report.endpoints
        return answer
