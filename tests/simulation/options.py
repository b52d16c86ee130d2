"""What a seed decides before the world begins."""

from __future__ import annotations

from random import Random

import msgspec
from msgspec.structs import replace

__all__ = ["LIES", "Options", "options_of"]

LIES = ("unlisted", "listed late", "bust", "forgotten")
"""How the broker contradicts itself, once in a world: see `Options.lie`."""

_RATES = (0.01, 0.03, 0.08)


class Options(msgspec.Struct, frozen=True):
    """The kind of world that a seed makes.

    Each kind of fault is there in a part of the worlds only: one that has all of them hides those
    that need a quiet stretch before or behind them.

    Attributes:
        seed: Of all that is random.
        signals: How many are sent.
        symbols: Of how many instruments.
        pause: Seconds between two signals, on average.
        is_busy: Whether the portfolio sends brackets, cancels and replaces; else it holds a fixed
            quantity.
        lost: How often a request to a server gets lost.
        unanswered: How often the answer does.
        doubled: How often a request arrives twice.
        slow: How often something takes seconds.
        reset: How often a reader of the stream loses its connection.
        crash: How often a life of a process is planned to end early.
        kill: Whether processes are killed at any time.
        freeze: Whether processes stand still for a while.
        outage: Whether the server of the stream is away for a while.
        disk_full: How often something cannot be written.
        careless: How often a signal is sent twice without an id that the stream knows it by.
        window: Seconds in which the stream knows an id again.
        skew: Seconds by which the clocks of the processes may be wrong.
        halts: Whether an operator halts trading and lets it go on.
        tail_loss: Whether the stream loses its newest messages in a power failure, acknowledged
            ones too, as one that is not written through to the disk does.
        anew: Whether the stream is deleted and made anew.
        idempotent: Whether the broker takes a client id once only.
        broker_outage: Whether the broker is away for a while.
        trouble: How often an order, or what the broker answers to it, gets lost beside that.
        lag: Seconds until the broker tells those who ask that an order is there.
        rejects: How often the broker rejects an order.
        partial: How often an order is filled in parts.
        strict: Whether limits are so narrow that orders are denied.
        retold: How often the broker lists fills again that it has told before.
        echoed: How often a word of the operator comes again later.
        rival: Whether a second executor of the account, on another machine, is started by mistake.
        early: Whether signals come before an executor was ever started.
        flipped: How often a bit of what a component has written is another when it is started.
        ids_per_symbol: Whether the broker counts fills by symbol, so that their ids repeat.
        lie: How the broker contradicts itself: a fill that it never lists, or lists before others
            that were read; a position that changes without a fill; an order that it forgets. Empty
            for an honest broker.
        impostor: How often somebody sends another signal under the id of one of the script.
        atomic: Whether the stream takes atomic batches.
    """

    seed: int
    signals: int
    symbols: int
    pause: float
    is_busy: bool
    lost: float
    unanswered: float
    doubled: float
    slow: float
    reset: float
    crash: float
    kill: bool
    freeze: bool
    outage: bool
    disk_full: float
    careless: float
    window: float
    skew: float
    halts: bool
    tail_loss: bool
    anew: bool
    idempotent: bool
    broker_outage: bool
    trouble: float
    lag: float
    rejects: float
    partial: float
    strict: bool
    retold: float
    echoed: float
    rival: bool
    early: bool
    flipped: float
    ids_per_symbol: bool
    lie: str
    impostor: float
    atomic: bool

    def __str__(self) -> str:
        names = self.__struct_fields__
        return " ".join(f"{name}={getattr(self, name)}" for name in names)


def options_of(seed: int, random: Random) -> Options:
    """Draw the options of a seed.

    Args:
        seed: Which.
        random: Seeded with it; drawn from in a fixed order.
    """

    def often(part: float) -> bool:
        return random.random() < part

    def rate(part: float) -> float:
        return random.choice(_RATES) if often(part) else 0.0

    last_words = random.random()
    options = Options(
        seed=seed,
        signals=random.randint(4, 16),
        symbols=random.randint(1, 3),
        pause=random.choice([0.05, 0.5, 1.5, 4.0]),
        is_busy=often(0.6),
        lost=rate(0.6),
        unanswered=rate(0.6),
        doubled=rate(0.5),
        slow=rate(0.4),
        reset=rate(0.4),
        crash=random.choice([0.0, 0.7, 0.9, 1.0]),
        kill=often(0.4),
        freeze=often(0.3),
        outage=often(0.3),
        disk_full=random.choice([0.01, 0.05]) if often(0.2) else 0.0,
        careless=random.choice([0.1, 0.3]) if often(0.4) else 0.0,
        window=random.choice([3.0, 10.0]) if often(0.15) else 3600.0,
        skew=random.choice([3600.0, 86_400.0]) if often(0.2) else 0.0,
        halts=often(0.25),
        tail_loss=last_words < 0.05,
        anew=0.05 <= last_words < 0.08,
        idempotent=often(0.5),
        broker_outage=often(0.3),
        trouble=random.choice([0.0, 0.0, 0.1, 0.3]),
        lag=random.choice([0.0, 0.0, 1.0, 3.0]),
        rejects=random.choice([0.05, 0.2]) if often(0.4) else 0.0,
        partial=random.choice([0.0, 0.3, 0.8]),
        strict=often(0.2),
        # Not drawn, so that kept seeds make the worlds that they made before.
        retold=(0.05, 0.2, 0.5)[seed % 3],
        echoed=(0.0, 0.2, 0.5, 0.0)[seed % 4],
        rival=often(0.1),
        early=seed % 4 == 1,
        flipped=0.3 if seed % 5 == 2 else 0.0,
        ids_per_symbol=seed % 2 == 1,
        lie=LIES[seed // 3 % len(LIES)] if seed % 3 == 2 else "",
        impostor=0.3 if seed % 5 == 3 else 0.0,
        atomic=seed // 4 % 2 == 0,
    )
    if options.trouble and not options.idempotent:
        # An answer that is lost, and a list that lags: who sends again is twice there.
        options = replace(options, lag=3.0)
    return options
