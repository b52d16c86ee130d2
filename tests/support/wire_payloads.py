"""Makes payloads of events, valid and broken, out of a seed.

What breaks readers is made on purpose: keys in another case or twice, nulls, wrong types, odd
numbers, times and escapes, bytes cut, flipped or put in. Each payload is a function of the seed.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator

from support.wire_oddities import (
    BAD_BYTES,
    LOOSE_BYTES,
    NUMBERS,
    OTHERS,
    RAW_TEXTS,
    TEXTS,
    TIMES,
    WHOLE_PAYLOADS,
)

__all__ = ["EVENT_NAMES", "generate"]

Pairs = list[tuple[str, str]]
"""Keys and values of an object, both as JSON text."""

_BAR = dict.fromkeys(("Open", "High", "Low", "Close", "Volume", "Period"), "text")
_STOP_LOSS = {"LimitPrice": "text", "StopPrice": "text"}
_COUNTS = [
    f"{what}{done}" for done in ("Handled", "Sent") for what in ("Data", "Signals", "Orders")
]
_FORMS: dict[str, dict[str, str]] = {
    "DataEvent": {
        "Type": "text",
        "Symbol": "text",
        "Timestamp": "moment",
        "Ohlc": "bar",
        "Id": "text",
    },
    "SignalEvent": {
        "Symbol": "text",
        "Signal": "text",
        "Id": "text",
        "Timestamp": "time",
        "Strength": "text",
    },
    "OrderEvent": {"Id": "text", "Timestamp": "time"}
    | dict.fromkeys(("Symbol", "Side", "Quantity", "Type", "TimeInForce"), "text")
    | {"ExtendedHours": "flag"}
    | dict.fromkeys(("LimitPrice", "StopPrice", "TakeProfit", "TrailPrice", "TrailPercent"), "text")
    | {"StopLoss": "stop_loss"},
    "ExecutionEvent": {"Id": "text", "Timestamp": "time"}
    | dict.fromkeys(("OrderId", "Quantity", "Symbol"), "text")
    | {"ExecutionTimestamp": "time"}
    | dict.fromkeys(("Price", "Update", "Side", "Commission", "LeavesQuantity", "Reason"), "text"),
    "DeadLetterEvent": {"Id": "text", "Timestamp": "time"}
    | dict.fromkeys(("Component", "Reason", "Error", "OriginalSubject"), "text")
    | {"Data": "bytes"}
    | dict.fromkeys(("Stream", "StreamSequence", "ContentType"), "text"),
    "LockstepReport": {"Component": "text", "Role": "text"}
    | dict.fromkeys((*_COUNTS, "Total"), "count")
    | {"NextTime": "time", "NextSymbol": "text", "Error": "text", "Holding": "flag"}
    | dict.fromkeys(("DenialsSent", "ControlsSent", "ControlsHandled"), "count"),
}

EVENT_NAMES = tuple(_FORMS)
"""The events that payloads are made of."""

_SPACES = ["", "", "", " ", "\n", "\t ", "\r\n"]


def generate(seed: int, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names of events and payloads that are meant to be such events.

    Args:
        seed: Equal seeds give equal payloads.
        number: How many to make.
    """
    chance = random.Random(seed)
    for index in range(number):
        name = chance.choice(EVENT_NAMES)
        if index < len(WHOLE_PAYLOADS) * 3:
            yield name, WHOLE_PAYLOADS[index % len(WHOLE_PAYLOADS)]
            continue
        pairs = _pairs(chance, _FORMS[name], odd=chance.random() < 0.3)
        if chance.random() < 0.35:
            chance.shuffle(pairs)
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            chance.choice(_CHANGES)(chance, pairs)
        payload = _object(chance, pairs).encode("utf-8", "surrogatepass")
        if chance.random() < 0.2:
            payload = _damage(chance, payload)
        yield name, payload


def _pairs(chance: random.Random, form: dict[str, str], *, odd: bool) -> Pairs:
    """Make an object's keys and values; ``odd`` allows values that may be wrong."""
    keep = chance.choice((1.0, 1.0, 0.8, 0.4))
    pairs = []
    for key, kind in form.items():
        if chance.random() <= keep:
            pairs.append((json.dumps(key), _value(chance, kind, odd=odd)))
    return pairs


def _value(chance: random.Random, kind: str, *, odd: bool) -> str:
    if odd and chance.random() < 0.1:
        kind = "any"
    match kind:
        case "text":
            return _text(chance, odd=odd)
        case "time":
            return f'"{chance.choice(TIMES if odd else TIMES[:6])}"'
        case "flag":
            return chance.choice(("true", "false"))
        case "count":
            return chance.choice(NUMBERS) if odd else str(chance.choice((0, 7, 2**32 - 1)))
        case "bytes":
            data = base64.b64encode(chance.randbytes(chance.randrange(9))).decode()
            if odd and chance.random() < 0.5:
                data = chance.choice(
                    (data[:-1], data + "=", data.replace("=", ""), f"\\n{data}", "AB==")
                )
            return f'"{data}"'
        case "bar":
            return _object(chance, _pairs(chance, _BAR | {"Timestamp": "time"}, odd=odd))
        case "stop_loss":
            return _object(chance, _pairs(chance, _STOP_LOSS, odd=odd))
    return chance.choice(chance.choice((NUMBERS, OTHERS, RAW_TEXTS)))


def _text(chance: random.Random, *, odd: bool) -> str:
    if odd and chance.random() < 0.2:
        return chance.choice(RAW_TEXTS)
    text = chance.choice(TEXTS)
    if chance.random() < 0.2:
        text += chr(chance.choice((chance.randrange(32, 127), chance.randrange(0xA0, 0xD800))))
    return json.dumps(text, ensure_ascii=chance.random() < 0.2)


def _object(chance: random.Random, pairs: Pairs) -> str:
    if chance.random() < 0.8:
        return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"

    def space() -> str:
        return chance.choice(_SPACES)

    body = ",".join(f"{space()}{key}{space()}:{space()}{value}{space()}" for key, value in pairs)
    return f"{{{body}{space()}}}"


def _respell(chance: random.Random, key: str) -> str:
    """Write a key in another case, or with an escape."""
    letters = []
    for letter in key:
        swapped = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a"}.get(letter)
        if swapped is not None and chance.random() < 0.3:
            letters.append(swapped)
        elif chance.random() < 0.4:
            letters.append(letter.swapcase())
        elif letter.isalpha() and chance.random() < 0.05:
            letters.append(f"\\u{ord(letter):04x}")
        else:
            letters.append(letter)
    return "".join(letters)


def _change_case(chance: random.Random, pairs: Pairs) -> None:
    if pairs:
        at = chance.randrange(len(pairs))
        pairs[at] = (_respell(chance, pairs[at][0]), pairs[at][1])


def _repeat_key(chance: random.Random, pairs: Pairs) -> None:
    if pairs:
        key, value = chance.choice(pairs)
        if chance.random() < 0.5:
            key = _respell(chance, key)
        if value.startswith("{"):
            form = _STOP_LOSS if "StopLoss" in key else _BAR
            value = chance.choice(("null", _object(chance, _pairs(chance, form, odd=False))))
        elif chance.random() < 0.5:
            value = chance.choice(("null", '"again"', "true", "[9]", '"2020-01-01T00:00:00Z"'))
        pairs.insert(chance.randrange(len(pairs) + 1), (key, value))


def _put_null(chance: random.Random, pairs: Pairs) -> None:
    if pairs:
        at = chance.randrange(len(pairs))
        pairs[at] = (pairs[at][0], "null")


def _put_other_type(chance: random.Random, pairs: Pairs) -> None:
    if pairs:
        at = chance.randrange(len(pairs))
        pairs[at] = (pairs[at][0], _value(chance, "any", odd=True))


def _put_unknown_key(chance: random.Random, pairs: Pairs) -> None:
    key = chance.choice(('"Extra"', '""', '"symbol "', '"Ty\\u0070e2"', '"Ohlc.Open"', '"\\ud800"'))
    pairs.insert(chance.randrange(len(pairs) + 1), (key, _value(chance, "any", odd=True)))


_CHANGES: list[Callable[[random.Random, Pairs], None]] = [
    _change_case,
    _repeat_key,
    _put_null,
    _put_other_type,
    _put_unknown_key,
]


def _damage(chance: random.Random, payload: bytes) -> bytes:
    """Cut a payload, or change some of its bytes."""
    at = chance.randrange(len(payload) + 1)
    match chance.randrange(5):
        case 0:
            return payload[:at]
        case 1:
            return payload[:at] + payload[at + 1 :]
        case 2:
            return payload[:at] + bytes([chance.choice(LOOSE_BYTES)]) + payload[at:]
        case 3:
            return payload[:at] + bytes([chance.choice(LOOSE_BYTES)]) + payload[at + 1 :]
    return payload[:at] + chance.choice(BAD_BYTES) + payload[at:]
