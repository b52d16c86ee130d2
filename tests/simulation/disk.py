"""The disk of a component: a database that outlives the process that uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

from simulation.chaos import Chaos
from simulation.process import Process

__all__ = ["SimDisk", "make_disk"]


class SimDisk(sqlite3.Connection):
    """A database in memory. Its borders are those of transactions.

    Attributes:
        chaos: Decides what goes wrong.
        process: Who uses it now; nobody, while a checker looks at it.
        queued: Ids of messages that stood one right behind the other in the outbox.
    """

    chaos: Chaos
    process: Process | None = None
    queued: set[tuple[str, str]]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement."""
        process = self.process
        if process is None or sql == "ROLLBACK":
            return super().execute(sql, parameters)
        if not process.alive:
            process.effect(sql)
        word = sql[:6]
        if word == "COMMIT":
            self._write("writes")
            cursor = super().execute(sql)
            self._note_outbox()
            process.effect(f"has written {self.total_changes}")
            process.written()
            return cursor
        if sql.startswith("INSERT OR REPLACE INTO meta"):
            self._write("writes a fact")
        return super().execute(sql, parameters)

    def _note_outbox(self) -> None:
        made = super().execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchall()
        rows = made and super().execute("SELECT id FROM outbox ORDER BY number").fetchall()
        self.queued.update(pairwise(str(identifier) for (identifier,) in rows))

    def _write(self, what: str) -> None:
        assert self.process is not None
        self.process.effect(what)
        if self.chaos.roll(self.chaos.options.disk_full):
            self.chaos.fault("disk full", self.process.name)
            raise sqlite3.OperationalError("database or disk is full")

    def flip(self, random: Random) -> Callable[[], None] | None:
        """Turn a bit of the state around, behind the back of the process.

        Returns:
            Turns it back; ``None`` when there is no state yet.
        """
        process, self.process = self.process, None
        try:
            made = self.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchall()
            rows = made and self.execute("SELECT key, value FROM state ORDER BY key").fetchall()
            if not rows:
                return None  # It has written nothing yet.
            key, value = random.choice(rows)
            # Of a digit, if there is one: then it is another number, and not one that is none.
            digits = [place for place, byte in enumerate(value) if byte in b"123456"]
            place = random.choice(digits or range(len(value)))
            flipped = bytearray(value)
            flipped[place] ^= 1
            self.execute("UPDATE state SET value = ? WHERE key = ?", (bytes(flipped), key))
        finally:
            self.process = process
        self.chaos.fault("flipped", f"a bit of {key}")

        def back() -> None:
            process, self.process = self.process, None
            self.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))
            self.process = process

        return back

    def close(self) -> None:
        """Do nothing: the disk stays."""


def make_disk(chaos: Chaos) -> SimDisk:
    """Make an empty disk."""
    disk = sqlite3.connect(":memory:", factory=SimDisk)
    disk.chaos = chaos
    disk.queued = set()
    return disk
