"""Every exception that Ingenium raises on purpose.

::

    IngeniumError
    ├── WireError (ValueError)
    │   ├── DecodeError          a payload or an event that cannot be read
    │   └── EncodeError          an event that cannot be written
    ├── SubjectError (ValueError)  a symbol or name that cannot be part of a subject
    ├── BusError
    │   ├── BusConnectError      no server, wrong credentials, no nats-server binary
    │   ├── BusAwayError         no connection now, and no room to wait for one
    │   ├── BusTimeoutError (TimeoutError)
    │   ├── BusClosedError       the connection is gone for good
    │   ├── BusPermissionError   the server forbids the subject
    │   ├── EventTooLargeError   payload and headers exceed what the server takes
    │   ├── StreamError          a stream is missing, is another one, or has lost messages
    │   ├── LeaseHeldError       another process does what only one may do
    │   └── LeaseLostError       it may by now; this process must end
    ├── InvalidOrderError (ValueError)
    ├── StoreError               a component's own database is in use, full or cannot be read
    │   └── StoreDamagedError    it holds something else than what was written
    ├── BrokerError              a broker cannot be reached, so that nothing was done
    │   ├── BrokerRefusedError       it refuses what was asked, for good
    │   ├── DuplicateOrderError      it has an order of that id already
    │   └── BrokerTimeoutError (TimeoutError)  no answer: the outcome is unknown
    ├── ComponentError           a component raised, or is used wrongly
    │   ├── EventRefusedError    a middleware kept an event from being handled
    │   ├── FeedError            an ingestor raised, and is not started again
    │   └── StateError           a saved state that does not fit what is to take it
    ├── LockstepError            a replay over the bus could not keep its components in step
    ├── DataFileError (ValueError)  a file of market data that cannot be read
    ├── BacktestError
    ├── RecorderError
    ├── DeployError
    ├── ConfigError (ValueError)   a setting or an app definition that makes no sense
    └── MissingDependencyError (ImportError)  an extra is not installed

Facts are attributes; texts are lower case, without a full stop, and name the value and the cure.
"""

from __future__ import annotations


class IngeniumError(Exception):
    """Base of all errors of this package."""


class WireError(IngeniumError, ValueError):
    """An event that does not fit the wire format.

    Attributes:
        event_type: Name of the event's type, ``"OrderEvent"``.
        path: Field within it, in wire names, ``"StopLoss.LimitPrice"``; empty for the whole event.
        problem: What is wrong, ``"expected a string, found 12.5"``.
    """

    _verb = "read or write"

    def __init__(self, event_type: str, path: str, problem: str) -> None:
        self.event_type = event_type
        self.path = path
        self.problem = problem
        place = f"{event_type}.{path}" if path else event_type
        super().__init__(f"cannot {self._verb} {place}: {problem}")

    def __reduce__(self) -> tuple[type[WireError], tuple[str, str, str]]:
        return type(self), (self.event_type, self.path, self.problem)


class DecodeError(WireError):
    """A payload or event that cannot be read."""

    _verb = "decode"


class EncodeError(WireError):
    """An event that cannot be written."""

    _verb = "encode"


class SubjectError(IngeniumError, ValueError):
    """A symbol or name that cannot be part of a subject."""


class BusError(IngeniumError):
    """Base of the errors of the bus."""


class BusConnectError(BusError):
    """The bus cannot be reached; the text holds the address and the true reason."""


class BusAwayError(BusError):
    """There is no connection now, and the buffer for that time is full; nothing was sent."""


class BusTimeoutError(BusError, TimeoutError):
    """The bus did not answer in time; the outcome of what was asked is unknown."""


class NoListenerError(BusTimeoutError):
    """Nobody takes what was sent: there is no stream for it, and no subscriber."""


class BusClosedError(BusError):
    """The connection was closed, by the program or for good by the server."""


class BusPermissionError(BusError):
    """The server forbids this user the subject.

    Attributes:
        subject: The subject that was refused.
    """

    def __init__(self, message: str, subject: str) -> None:
        self.subject = subject
        super().__init__(message)

    def __reduce__(self) -> tuple[type[BusPermissionError], tuple[str, str]]:
        return type(self), (str(self), self.subject)


class EventTooLargeError(BusError, ValueError):
    """Payload and headers together exceed what the server takes; nothing was sent.

    Attributes:
        size: Bytes of payload and headers.
        limit: Bytes that the server takes.
    """

    def __init__(self, message: str, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(message)

    def __reduce__(self) -> tuple[type[EventTooLargeError], tuple[str, int, int]]:
        return type(self), (str(self), self.size, self.limit)


class StreamError(BusError):
    """A stream is missing, is not as it should be, or has lost messages that nobody handled."""


class LeaseHeldError(BusError):
    """Another process does what only one may do at a time; the text names it."""


class LeaseLostError(BusError):
    """What only one process may do, another one may be doing by now: this one must end."""


class InvalidOrderError(IngeniumError, ValueError):
    """An order that cannot be worked; the text names field, value and cure."""


class StoreError(IngeniumError):
    """A component's own database is damaged, in use, full, or somebody else's."""


class StoreDamagedError(StoreError):
    """A component's own database holds something else than what was written into it."""


class BrokerError(IngeniumError):
    """A broker cannot be reached, or is busy: nothing was done, and it may be asked again."""


class BrokerRefusedError(BrokerError):
    """A broker refuses what was asked for good, such as an order without the cash for it."""


class DuplicateOrderError(BrokerError):
    """A broker has an order of that client id already, and took no second one."""


class BrokerTimeoutError(BrokerError, TimeoutError):
    """A broker did not answer; what was asked may have been done or not."""


class ComponentError(IngeniumError):
    """A component raised in a handler, or is used wrongly."""


class EventRefusedError(ComponentError):
    """A middleware does not let a component handle an event."""


class FeedError(ComponentError):
    """An ingestor's `ingest` raised, and is not started again."""


class StateError(ComponentError):
    """A saved state that does not fit what is to take it, as with other parameters."""


class LockstepError(IngeniumError):
    """A replay could not keep its components in step; its result would not be valid."""


class DataFileError(IngeniumError, ValueError):
    """A file of market data that cannot be read; the text names file, line and reason."""


class BacktestError(IngeniumError):
    """A backtest that cannot start or go on.

    Attributes:
        partial: What came out until then, a ``BacktestResult``; ``None`` when it did not start.
    """

    def __init__(self, message: str, partial: object = None) -> None:
        self.partial = partial
        super().__init__(message)

    def __reduce__(self) -> tuple[type[BacktestError], tuple[str, object]]:
        return type(self), (str(self), self.partial)


class RecorderError(IngeniumError):
    """Events that cannot be written to or read from the database."""


class DeployError(IngeniumError):
    """An app that cannot be deployed."""


class ConfigError(IngeniumError, ValueError):
    """A setting or an app definition that makes no sense."""


class MissingDependencyError(IngeniumError, ImportError):
    """A part that needs an extra which is not installed; the text holds the install command."""
