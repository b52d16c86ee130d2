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
    │   ├── BusClosedError       the connection was closed for good
    │   ├── BusPermissionError   the server forbids the subject
    │   ├── EventTooLargeError   payload and headers exceed the server's limit
    │   ├── StreamError          a stream is missing, is another one, or has lost messages
    │   ├── LeaseHeldError       another process holds the lease
    │   └── LeaseLostError       the lease is lost; this process must end
    ├── InvalidOrderError (ValueError)
    ├── StoreError               a component's own database is in use, full or cannot be read
    │   └── StoreDamagedError    the content differs from what was written
    ├── BrokerError              a broker cannot be reached; nothing was done
    │   ├── BrokerRefusedError       a definite refusal of a request
    │   ├── DuplicateOrderError      an order of that id exists already
    │   └── BrokerTimeoutError (TimeoutError)  no answer: the outcome is unknown
    ├── ComponentError           a component raised, or is used wrongly
    │   ├── EventRefusedError    a middleware kept an event from being handled
    │   ├── FeedError            an ingestor raised, and is not restarted
    │   └── StateError           a saved state that does not fit its component
    ├── LockstepError            a replay over the bus lost lockstep
    ├── DataFileError (ValueError)  a file of market data that cannot be read
    ├── BacktestError
    ├── RecorderError
    ├── DeployError
    ├── ConfigError (ValueError)   an invalid setting or app definition
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
    """The bus cannot be reached; the text has the address and the reason."""


class BusAwayError(BusError):
    """There is no connection, and the reconnect buffer is full; nothing was sent."""


class BusTimeoutError(BusError, TimeoutError):
    """The bus did not answer in time; the outcome of the request is unknown."""


class NoListenerError(BusTimeoutError):
    """A message has no receiver: neither a stream nor a subscriber."""


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
    """Payload and headers together exceed the server's limit; nothing was sent.

    Attributes:
        size: Bytes of payload and headers.
        limit: Maximum size in bytes.
    """

    def __init__(self, message: str, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(message)

    def __reduce__(self) -> tuple[type[EventTooLargeError], tuple[str, int, int]]:
        return type(self), (str(self), self.size, self.limit)


class StreamError(BusError):
    """A stream is missing, has another configuration, or has lost unhandled messages."""


class LeaseHeldError(BusError):
    """Another process holds the lease; the text names it."""


class LeaseLostError(BusError):
    """The lease is lost, and another process may hold it: this process must end."""


class InvalidOrderError(IngeniumError, ValueError):
    """An invalid order; the text names field, value and cure."""


class StoreError(IngeniumError):
    """A component's database is damaged, in use, full, or belongs to another component."""


class StoreDamagedError(StoreError):
    """The content of a component's database differs from what was written."""


class BrokerError(IngeniumError):
    """A broker cannot be reached or is busy; nothing was done, and a retry is safe."""


class BrokerRefusedError(BrokerError):
    """A broker definitely refuses a request, such as an order without sufficient cash."""


class DuplicateOrderError(BrokerError):
    """A broker has an order with that client order id already, and accepted no second one."""


class BrokerTimeoutError(BrokerError, TimeoutError):
    """A broker did not answer; the request may have been executed or not."""


class ComponentError(IngeniumError):
    """A component raised in a handler, or is used wrongly."""


class EventRefusedError(ComponentError):
    """A middleware does not let a component handle an event."""


class FeedError(ComponentError):
    """An ingestor's `ingest` raised, and is not restarted."""


class StateError(ComponentError):
    """A saved state that does not fit its component, for example after a change of parameters."""


class LockstepError(IngeniumError):
    """A replay lost lockstep; its result would not be valid."""


class DataFileError(IngeniumError, ValueError):
    """A file of market data that cannot be read; the text names file, line and reason."""


class BacktestError(IngeniumError):
    """A backtest that cannot start or continue.

    Attributes:
        partial: Result up to the failure, a ``BacktestResult``; ``None`` if the backtest did
            not start.
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
    """An invalid setting or app definition."""


class MissingDependencyError(IngeniumError, ImportError):
    """A required extra is not installed; the text has the install command."""
