"""Progress display of replays, backtests and sweeps."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = ["StepProgress"]

_EVERY_SECONDS = 0.1
_EVERY_SECONDS_IN_A_FILE = 10.0


class StepProgress:
    """Shows progress: a bar on a terminal, an occasional line in a file.

    Args:
        console: Output console.
        title: Name of the run.
        what: Unit that is counted.
    """

    def __init__(self, console: Console, title: str, what: str = "bars") -> None:
        self._console = console
        self._title = title
        self._what = what
        self._live = console.is_terminal
        self._every = _EVERY_SECONDS if self._live else _EVERY_SECONDS_IN_A_FILE
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} " + what + "/s  {task.fields[at]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._progress.add_task(title, total=None, rate=0.0, at="", visible=False)
        self._began = self._shown = monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_step(self, step: int, time: datetime, count: int, total: int | None) -> None:
        """Update from a step of a replay."""
        if step == 1:
            self._began = monotonic()
        self.on_count(count, total, f"{time:%Y-%m-%d}")

    def on_count(self, count: int, total: int | None, at: str = "") -> None:
        """Update from a count and a label of the current place."""
        now = monotonic()
        if now - self._shown < self._every and count != total:
            return
        self._shown = now
        rate = count / max(now - self._began, 0.001)
        if self._live:
            self._progress.update(
                self._task, completed=count, total=total, rate=rate, at=at, visible=True
            )
        elif count != total:
            part = f"{count:,}" if total is None else f"{count:,} of {total:,}"
            where = f"{self._what}, {at}" if at else self._what
            self._console.print(f"{self._title}: {part} {where}", highlight=False)
