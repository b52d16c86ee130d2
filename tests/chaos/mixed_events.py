"""Mixed events of an app, made by a seed: bars on one stream, all else on the other.

They are written as text, so that no code of the recorder's is needed to know what they state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ingenium.bus.base import Message
from ingenium.bus.stream import MESSAGE_ID
from ingenium.subjects.names import (
    CANCEL,
    DENIAL,
    EXECUTION,
    ORDER,
    SIGNAL,
    TRADING,
    data_subject,
)

__all__ = ["MixedEvents"]

_SYMBOLS = [f"SYM{number}" for number in range(50)]
_HEADERS = {"Ingenium-Source": "chaos", "Content-Type": "application/json"}
_T0 = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


class MixedEvents:
    """Makes messages: half of them bars, a fifth fills, and a few that are odd.

    One execution in a hundred comes again with another message id, as from an executor that was
    restarted, and one message in a hundred is no event.

    Args:
        seed: Decides what the events state.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0

    def bars(self, count: int) -> Iterator[Message]:
        """Make bars."""
        for _ in range(count):
            symbol, number, price = self._symbol(), self._next(), self._price()
            body = (
                f'{{"Type":"ohlc","Symbol":"{symbol}","Timestamp":"{self._time()}","Ohlc":{{'
                f'"Open":"{price}","High":"{price}","Low":"{price}","Close":"{self._price()}",'
                f'"Volume":"{self._random.randrange(10_000)}"}},"Id":"data_{number}"}}'
            )
            yield _message(data_subject(symbol), body, f"data_{number}")

    def rest(self, count: int) -> list[Message]:
        """Make so many messages of all other kinds."""
        made: list[Message] = []
        while len(made) < count:
            made += self._group()
        return made[:count]

    def _group(self) -> Iterator[Message]:
        number, symbol, time = self._next(), self._symbol(), self._time()
        side = self._random.choice(("buy", "sell"))
        about = f'"Symbol":"{symbol}","Timestamp":"{time}"'
        order = f"order_{number}"
        yield _message(
            SIGNAL, f'{{"Id":"signal_{number}",{about},"Signal":"long"}}', f"signal_{number}"
        )
        yield _message(
            ORDER,
            f'{{"Id":"{order}",{about},"Side":"{side}","Quantity":"{self._quantity()}",'
            '"Type":"market","TimeInForce":"day"}',
            order,
        )
        for part, update in enumerate(("partial_fill", "filled")):
            fill = f"fill_{number}_{part}"
            body = (
                f'{{"Id":"{fill}","OrderId":"{order}",{about},"Side":"{side}",'
                f'"Quantity":"{self._quantity()}","Price":"{self._price()}","Commission":"0.35",'
                f'"Update":"{update}"}}'
            )
            yield _message(EXECUTION, body, fill)
            if self._random.random() < 0.01:
                yield _message(EXECUTION, body, f"{fill}-again")
        if self._random.random() < 0.05:
            yield _message(EXECUTION, '{"Id": 7', f"odd_{number}")
        kind = self._random.randrange(20)
        if kind == 0:
            body = f'{{"Id":"control_{number}","Timestamp":"{time}","State":"running"}}'
            yield _message(TRADING, body, f"control_{number}")
        elif kind < 10:
            body = f'{{"Id":"cancel_{number}",{about},"OrderId":"{order}"}}'
            yield _message(CANCEL, body, f"cancel_{number}")
        else:
            body = f'{{"Id":"denial_{number}",{about},"Component":"portfolio","Reason":"late"}}'
            yield _message(DENIAL, body, f"denial_{number}")

    def _time(self) -> str:
        """Return the time of the current event: fifty a second."""
        return (_T0 + timedelta(seconds=self._number // 50)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _symbol(self) -> str:
        return self._random.choice(_SYMBOLS)

    def _quantity(self) -> str:
        return f"{self._random.randrange(1, 10)}.{self._random.randrange(1000):03d}"

    def _price(self) -> str:
        return f"{self._random.randrange(90, 111)}.{self._random.randrange(100):02d}"


def _message(subject: str, body: str, identifier: str) -> Message:
    return Message(subject, body.encode(), {**_HEADERS, MESSAGE_ID: identifier})
