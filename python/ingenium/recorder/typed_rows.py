"""Make rows of the typed tables from events."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.headers import RawHeaders
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.errors import DecodeError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    decode,
)
from ingenium.recorder.header_facts import HeaderReader
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.schema import Rows
from ingenium.recorder.trading_rows import TradingRows
from ingenium.subjects.names import event_type_of
from ingenium.trading.timestamp import parse_time

__all__ = ["TypedRows"]

_log = logging.getLogger("ingenium.recorder")
_LATEST = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
_REMEMBERED = 4096
_Subject = tuple[str, type[Any] | None, str]


def _instant_or(time: datetime | None, otherwise: int) -> int:
    """Return a time as nanoseconds since 1970, if a column can hold it.

    Args:
        time: Aware time; ``None`` when not stated.
        otherwise: Returned when the time is not stated, or outside of the years 1678 to 2261.
    """
    if time is None:
        return otherwise
    found = nanoseconds(time)
    return found if -_LATEST <= found <= _LATEST else otherwise


def _cause_time(text: str) -> int:
    """Return the time of a header as nanoseconds since 1970; 0 if it is not one."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return 0 if time.tzinfo is None else _instant_or(time, 0)


def _money(text: str | None) -> str | None:
    """Return the text of a decimal unchanged; ``None`` if it is not one."""
    if not text:
        return None
    if len(text) < 40 and text.isascii() and text.replace(".", "", 1).isdigit():
        if text[0] != "." and text[-1] != ".":
            return text
        return None
    return text if _NUMBER.fullmatch(text) else None


def _text(text: str | None) -> str:
    """Return a text that every database accepts."""
    if not text:
        return ""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _unpack(kind: type[Any], kept: KeptMessage) -> Any:
    return unpack(kind, Message(kept.subject, kept.payload, RawHeaders(kept.headers)))


class TypedRows:
    """Makes the rows of one scope, in the order of its events.

    Args:
        trading: Keeps the account of the scope.
    """

    def __init__(self, trading: TradingRows) -> None:
        self._trading = trading
        self._times: dict[str, int] = {}
        self._headers = HeaderReader()
        self._subjects: dict[str, _Subject] = {}
        self._makers: dict[type[Any], Callable[..., str]] = {
            DataEvent: self._bar,
            SignalEvent: self._signal,
            OrderEvent: self._order,
            CancelEvent: self._cancel,
            ReplaceEvent: self._replace,
            ExecutionEvent: self._execution,
            DenialEvent: self._denial,
            ControlEvent: self._control,
        }

    def add(self, rows: Rows, stream: str, kept: KeptMessage, *, with_event: bool = True) -> None:
        """Add the rows of an event.

        An event that cannot be decoded is added to the raw events only.

        Args:
            rows: Rows to add to.
            stream: Name of the stream in the database.
            kept: The message.
            with_event: Whether to add the raw event too.
        """
        source, message_id, cause, cause_time, is_json = self._headers.read(kept.headers)
        subject, kind, name = self._subjects.get(kept.subject) or self._add_subject(kept.subject)
        source, cause = _text(source), _text(cause)
        since = _cause_time(cause_time) if cause_time else 0
        time = kept.received
        event: Any = None
        if kind is not None:
            try:
                event = decode(kind, kept.payload) if is_json else _unpack(kind, kept)
            except DecodeError as error:
                _log.warning("event %d of %s is recorded raw: %s", kept.sequence, stream, error)
        identifier = ""
        if event is not None:
            time = self._time_of(event, kept.received)
            identifier = event.id
            maker = self._makers.get(kind)  # type: ignore[arg-type]
            if maker is not None:
                about = maker(rows, stream, kept, event, time, cause, source, since)
                cause = cause or about
        if with_event:
            rows.setdefault("events", []).append(
                (
                    stream,
                    kept.sequence,
                    subject,
                    name,
                    _text(identifier or message_id),
                    _text(cause),
                    time,
                    kept.received,
                    kept.headers,
                    kept.payload,
                    source,
                )
            )

    def _add_subject(self, subject: str) -> _Subject:
        kind = event_type_of(subject)
        found = _text(subject), kind, "" if kind is None else kind.__name__
        if len(self._subjects) >= _REMEMBERED:
            self._subjects.clear()
        self._subjects[subject] = found
        return found

    def _time_of(self, event: Any, received: int) -> int:
        # Not isinstance: the base class of messages makes it slow.
        kind = type(event)
        if kind is not DataEvent:
            if kind is ExecutionEvent and event.execution_timestamp is not None:
                return _instant_or(event.execution_timestamp, received)
            return _instant_or(event.timestamp, received)
        text = event.timestamp
        found = self._times.get(text)
        if found is None:
            try:
                found = _instant_or(parse_time(text), -_LATEST - 1)
            except DecodeError:
                found = -_LATEST - 1
            if len(self._times) >= _REMEMBERED:
                self._times.clear()
            self._times[text] = found
        return received if found < -_LATEST else found

    def _bar(
        self, rows: Rows, stream: str, kept: KeptMessage, event: DataEvent, time: int, *_: Any
    ) -> str:
        bar = event.ohlc
        if bar is not None:
            rows.setdefault("bars", []).append(
                (
                    stream,
                    kept.sequence,
                    _text(event.symbol),
                    time,
                    kept.received,
                    _money(bar.open),
                    _money(bar.high),
                    _money(bar.low),
                    _money(bar.close),
                    _money(bar.volume),
                    _text(bar.period),
                )
            )
        return ""

    def _signal(
        self,
        rows: Rows,
        stream: str,
        kept: KeptMessage,
        event: SignalEvent,
        time: int,
        cause: str,
        source: str,
        since: int,
    ) -> str:
        rows.setdefault("signals", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                _text(event.symbol),
                time,
                _text(event.signal),
                _money(event.strength),
                cause,
                source,
                since,
            )
        )
        return ""

    def _order(
        self,
        rows: Rows,
        stream: str,
        kept: KeptMessage,
        event: OrderEvent,
        time: int,
        cause: str,
        source: str,
        since: int,
    ) -> str:
        stop_loss = event.stop_loss
        self._trading.add_order(event)
        rows.setdefault("orders", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                "new",
                _text(event.id),
                _text(event.symbol),
                time,
                _text(event.side),
                _money(event.quantity),
                _text(event.type),
                _text(event.time_in_force),
                _money(event.limit_price),
                _money(event.stop_price),
                _money(event.take_profit),
                _money(event.trail_price),
                _money(event.trail_percent),
                None if stop_loss is None else _money(stop_loss.limit_price),
                None if stop_loss is None else _money(stop_loss.stop_price),
                cause,
                source,
                since,
            )
        )
        return ""

    def _cancel(
        self,
        rows: Rows,
        stream: str,
        kept: KeptMessage,
        event: CancelEvent,
        time: int,
        cause: str,
        source: str,
        since: int,
    ) -> str:
        place = (stream, kept.sequence, _text(event.id), "cancel", _text(event.order_id))
        nothing = (None,) * 7
        rows.setdefault("orders", []).append(
            (*place, _text(event.symbol), time, "", None, "", "", *nothing, cause, source, since)
        )
        return event.order_id

    def _replace(
        self,
        rows: Rows,
        stream: str,
        kept: KeptMessage,
        event: ReplaceEvent,
        time: int,
        cause: str,
        source: str,
        since: int,
    ) -> str:
        rows.setdefault("orders", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                "replace",
                _text(event.order_id),
                _text(event.symbol),
                time,
                "",
                _money(event.quantity),
                "",
                _text(event.time_in_force),
                _money(event.limit_price),
                _money(event.stop_price),
                None,
                _money(event.trail_price),
                _money(event.trail_percent),
                None,
                None,
                cause,
                source,
                since,
            )
        )
        return event.order_id

    def _execution(
        self,
        rows: Rows,
        stream: str,
        kept: KeptMessage,
        event: ExecutionEvent,
        time: int,
        _cause: str,
        source: str,
        _since: int,
    ) -> str:
        is_booked = self._trading.book(rows, stream, kept.sequence, event, time)
        rows.setdefault("executions", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                _text(event.order_id),
                _text(event.symbol),
                time,
                _text(event.update),
                _text(event.side),
                _money(event.quantity),
                _money(event.price),
                _money(event.commission),
                _money(event.leaves_quantity),
                _text(event.reason),
                int(is_booked),
                source,
            )
        )
        return event.order_id

    def _denial(
        self, rows: Rows, stream: str, kept: KeptMessage, event: DenialEvent, time: int, *_: Any
    ) -> str:
        order_id = "" if event.order is None else event.order.id
        rows.setdefault("denials", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                _text(order_id),
                _text(event.symbol),
                time,
                _text(event.component),
                _text(event.reason),
                _text(event.detail),
            )
        )
        return order_id

    def _control(
        self, rows: Rows, stream: str, kept: KeptMessage, event: ControlEvent, time: int, *_: Any
    ) -> str:
        rows.setdefault("control", []).append(
            (
                stream,
                kept.sequence,
                _text(event.id),
                time,
                _text(event.state),
                _text(event.reason),
                _text(event.sender),
            )
        )
        return ""
