"""A recorder and its database, killed again and again while an app's streams grow.

``python -m chaos.record_run`` is ``make chaos-recorder``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from chaos.accounts import lines_of_trouble
from chaos.mixed_events import MixedEvents
from chaos.programs import Program
from chaos.record_checks import differences, recorded_events
from chaos.stream_sums import read_streams
from support.plain_server import PlainServer
from support.postgresql import PostgresServer, find_programs

from ingenium.bus import Message, NatsBus
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.errors import BusTimeoutError
from ingenium.subjects.names import ALL_EVENTS, DATA

__all__ = ["RecordOutcome", "run_record_chaos"]

_APP = "recorded"
_KINDS = ("SQLite", "PostgreSQL")
_CHUNK = 2000
_LIMIT_SECONDS = 300.0
_LOOK_SECONDS = 0.2
# The stream of market data holds 32 MiB; here it holds all, to be read again at the end.
_DATA = replace(DATA_STREAM, max_bytes=1 << 30)


@dataclass
class RecordOutcome:
    """What came of a run.

    Attributes:
        events: Messages of both streams.
        strikes: How often what was killed.
        starts: How often the recorder was started.
        seconds: From the start of the recorder until all was recorded.
        violations: What is not as it must be.
    """

    events: int
    strikes: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many times something was killed; killing both counts twice."""
        return self.strikes.total() + self.strikes["both"]


class _Run:
    def __init__(
        self, folder: Path, seed: int, url: str, database: PostgresServer | None, events: int
    ) -> None:
        self.outcome = RecordOutcome(events)
        self._url = url
        self._database = database
        self._random = random.Random(seed)
        self._made = MixedEvents(seed)
        self._server = PlainServer(folder, f'jetstream {{ store_dir: "{folder / "store"}" }}')
        self._server.start()
        self._recorder = Program(
            "", "recorder", folder, {"NATS_SERVER": self._server.url},
            command=("record", _APP, "--database", url),
        )  # fmt: skip
        self._grown = asyncio.Event()
        self._struck = asyncio.Event()
        # Events that may be published now: else a recorder that is fast would have all of them
        # before it is killed for the last time, and need not be started once more.
        self._allowed = events
        self._publishing: asyncio.Task[dict[str, tuple[str, int]]] | None = None

    async def run(self, strikes: int, say: Callable[[str], None]) -> None:
        """Publish, strike, and compare at the end."""
        outcome = self.outcome
        self._allowed = outcome.events // (strikes + 1)
        try:
            publishing = self._publishing = asyncio.create_task(self._publish())
            began = monotonic()
            self._recorder.begin()
            for number in range(1, strikes + 1):
                part = (number - self._random.random()) / (strikes + 1)
                await self._until(int(part * outcome.events))
                await self._strike(number)
                self._allowed = outcome.events * (number + 1) // (strikes + 1)
                self._struck.set()
                say(f"strike {number} of {strikes} at {part:.0%} of {outcome.events:,} events")
            lasts = await publishing
            await self._until(outcome.events)
            outcome.seconds = monotonic() - began
            code = await self._recorder.end()
            if code:
                outcome.violations.append(f"the recorder ended with code {code}")
            outcome.starts = self._recorder.starts
            outcome.violations += lines_of_trouble([self._recorder])
            say("recorded; reading the streams")
            streams = await read_streams(self._server.url, lasts)
            total = sum(sums.count for sums in streams.values())
            if total != outcome.events:
                outcome.violations.append(f"{total} messages are in the streams")
            outcome.violations += await asyncio.to_thread(
                lambda: list(differences(self._url, _APP, streams))
            )
        finally:
            await self._recorder.end()
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            self._server.kill()

    async def _publish(self) -> dict[str, tuple[str, int]]:
        """Publish all events; return subject and last sequence of each stream."""
        bus = await NatsBus.connect(self._server.url, name="chaos")
        try:
            money, data = await open_stream(bus, MONEY_STREAM), await open_stream(bus, _DATA)
            sent = bars = 0
            while sent < self.outcome.events:
                while sent >= self._allowed:
                    self._struck.clear()
                    await self._struck.wait()
                count = min(_CHUNK, self._allowed - sent)
                for bar in self._made.bars(count // 2):
                    await bus.publish(bar.subject, bar.payload, bar.headers)
                bars += count // 2
                rest = self._made.rest(count - count // 2)
                answers = await money.append_many(rest)
                for message, answer in zip(rest, answers, strict=True):
                    if answer is None:
                        await _append(money, message)
                # Nothing acknowledges bars, and a server that is given too many drops some.
                async with asyncio.timeout(_LIMIT_SECONDS):
                    while await _last(data) < bars:
                        await bus.flush()
                sent += count
                self._grown.set()
            return {MONEY_STREAM.name: (ALL_EVENTS, sent - bars), _DATA.name: (f"{DATA}.>", bars)}
        finally:
            await bus.close()

    async def _until(self, count: int) -> None:
        """Wait until so many events are recorded."""
        seen, ends = -1, monotonic() + _LIMIT_SECONDS
        while (found := await asyncio.to_thread(recorded_events, self._url)) < count:
            if self._publishing is not None and self._publishing.done():
                self._publishing.result()
            if found != seen:
                seen, ends = found, monotonic() + _LIMIT_SECONDS
            log = self._recorder.log
            assert monotonic() < ends, (
                f"{found} events are recorded, not {count}, and no more since {_LIMIT_SECONDS} s: "
                f"{log.read_text()[-2000:] if log.exists() else ''}"
            )
            self._grown.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._grown.wait(), _LOOK_SECONDS)

    async def _strike(self, number: int) -> None:
        """Kill the recorder, the server of its database, or both; each is started again."""
        kinds = ("recorder",) if self._database is None else ("recorder", "database", "both")
        # Each kind comes up, however few strikes there are.
        kind = kinds[number % len(kinds)]
        self.outcome.strikes[kind] += 1
        if kind != "database":
            before = self._recorder.starts
            self._recorder.kill()
        if self._database is not None and kind != "recorder":
            self._database.kill()
            await asyncio.to_thread(self._database.start)
        if kind != "database":
            # The next kill must not come while there is nothing to kill.
            async with asyncio.timeout(_LIMIT_SECONDS):
                while self._recorder.starts == before:
                    await asyncio.sleep(_LOOK_SECONDS / 10)


async def _append(stream: NatsStream, message: Message) -> None:
    """Append a message whose answer was late; the stream keeps one of an id only."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while True:
            with suppress(BusTimeoutError):
                await stream.append(message.subject, message.payload, message.headers)
                return


async def _last(stream: NatsStream) -> int:
    """Return the last sequence of a stream; 0 when a busy server does not answer in time."""
    with suppress(BusTimeoutError):
        return (await stream.state()).last
    return 0


async def run_record_chaos(
    folder: Path,
    seed: int,
    url: str,
    *,
    database: PostgresServer | None = None,
    events: int,
    strikes: int,
    say: Callable[[str], None] = lambda _text: None,
) -> RecordOutcome:
    """Record a growing app while recorder and database are killed, and compare the result.

    SQLite lives in the process of the recorder, so killing that kills the database.

    Args:
        folder: Empty; keeps logs and the store of the streams.
        seed: Decides what the events state and when what is killed.
        url: Of an empty database.
        database: Server of the database; ``None`` for SQLite.
        events: Number of messages, half of them bars.
        strikes: How often to kill, at places that are spread over the recording.
        say: Takes progress, line by line.
    """
    run = _Run(folder, seed, url, database, events)
    await run.run(strikes, say)
    return run.outcome


def report(name: str, outcome: RecordOutcome) -> Iterator[str]:
    """Say in lines what came out."""
    strikes = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.strikes.items()))
    yield (
        f"{name}: {outcome.events:,} events recorded in {outcome.seconds:.0f} s, "
        f"{outcome.kills} kill -9 ({strikes}), recorder started {outcome.starts} times, "
        f"{len(outcome.violations)} violations"
    )
    for violation in outcome.violations:
        yield f"VIOLATION: {violation}"


def main() -> int:
    """Run both kinds of databases; 1 on a violation."""
    parser = argparse.ArgumentParser(prog="chaos.record_run", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", choices=_KINDS, default=None)
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}: repeat this run with SEED={seed}", flush=True)
    programs = find_programs()
    if programs is None:
        print("PostgreSQL is not installed: apt-get install postgresql")
        return 1
    good, began = True, monotonic()

    def say(text: str) -> None:
        print(f"{monotonic() - began:7.1f} s  {text}", flush=True)

    for name in _KINDS if options.only is None else (options.only,):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            database = PostgresServer(programs).start() if name == "PostgreSQL" else None
            url = str(folder / "record.db") if database is None else database.make_database("chaos")
            try:
                outcome = asyncio.run(
                    run_record_chaos(
                        folder, seed, url,
                        database=database, events=options.events, strikes=options.kills, say=say,
                    )
                )  # fmt: skip
            finally:
                if database is not None:
                    database.stop()
        for line in report(name, outcome):
            print(line, flush=True)
        good &= not outcome.violations
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
