"""Backtests and sweeps of this server: started, watched, cancelled, and kept in a folder."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from ingenium.control.call_guard import not_found
from ingenium.control.control_run import CANCELED, DONE, FAILED, QUEUED, RUNNING, ControlRun
from ingenium.control.job_runner import run_job
from ingenium.control.run_messages import run_message
from ingenium.control.watcher import Watcher
from ingenium.ids import random_id
from ingenium.private_files import make_folder

__all__ = ["RunBoard"]

_log = logging.getLogger("ingenium.control")

AT_ONCE = 2
"""Runs under way at once."""
MOST_WAITING = 10
"""Runs that wait for their turn."""
_LISTED = 200


class RunBoard:
    """Runs jobs, two at a time.

    Args:
        folder: Keeps runs; those of an earlier start of the server are listed.

    Attributes:
        watchers: Receive each change.
    """

    def __init__(self, folder: Path) -> None:
        self.watchers: set[Watcher] = set()
        self._folder = folder
        self._runs: dict[str, ControlRun] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._load()

    def present(self) -> dict[str, Any]:
        """Return all runs as messages by key, oldest first."""
        return {f"run {each.id}": run_message(each) for each in self._runs.values()}

    def listed(self, kind: str, app: str = "") -> list[ControlRun]:
        """Return runs of a kind, latest first."""
        found = [
            each
            for each in reversed(self._runs.values())
            if each.kind == kind and app in {"", each.app}
        ]
        return found[:_LISTED]

    def find(self, kind: str, run_id: str) -> ControlRun:
        """Return a run.

        Raises:
            ConnectError: There is none.
        """
        found = self._runs.get(run_id)
        if found is None or found.kind != kind:
            raise not_found(f"no {kind} {run_id!r}: see the list of them")
        return found

    def folder_of(self, run: ControlRun) -> Path:
        """Return the folder of a run."""
        return self._folder / run.id

    def result(self, run: ControlRun) -> dict[str, Any] | None:
        """Return the result of a run; ``None`` before its end."""
        try:
            text = (self.folder_of(run) / "result.json").read_text("utf-8")
        except OSError:
            return None
        found: dict[str, Any] = json.loads(text)
        return found

    def start(self, run: ControlRun) -> ControlRun:
        """Start a run, or let it wait.

        Raises:
            ConnectError: Too many wait already.
        """
        waiting = sum(each.state == QUEUED for each in self._runs.values())
        if waiting >= MOST_WAITING:
            raise ConnectError(
                Code.RESOURCE_EXHAUSTED, f"{waiting} runs wait: cancel one, or try again later"
            )
        run.id, run.created = random_id(run.kind), time.time_ns()
        self._runs[run.id] = run
        self._changed[run.id] = asyncio.Event()
        self._save(run)
        self._tell(run)
        self._tasks[run.id] = asyncio.create_task(self._work(run))
        return run

    def cancel(self, run: ControlRun) -> None:
        """End a run; one that has ended stays as it is."""
        task = self._tasks.get(run.id)
        if task is not None:
            task.cancel()

    async def next_change(self, run: ControlRun) -> None:
        """Wait until a run changes; return at once for one that has ended."""
        if run.id in self._tasks:
            await self._changed[run.id].wait()

    async def close(self) -> None:
        """End all runs."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, run: ControlRun) -> None:
        try:
            async with self._free:
                run.state, run.began = RUNNING, time.time_ns()
                self._tell(run)
                await self._run_process(run)
        except asyncio.CancelledError:
            run.state, run.error = CANCELED, ""
        except OSError as error:
            run.state, run.error = FAILED, str(error)
        finally:
            run.ended = time.time_ns()
            del self._tasks[run.id]
            self._save(run)
            self._tell(run)

    async def _run_process(self, run: ControlRun) -> None:
        folder = self.folder_of(run)
        job = {
            "kind": run.kind,
            "target": run.target,
            "parameters": run.parameters,
            "points": run.points,
            "rank_by": run.rank_by,
            "workers": run.workers,
            "walk_forward": run.walk_forward,
            "start": run.start,
            "end": run.end,
        }

        def on_said(said: Mapping[str, Any]) -> None:
            run.progress |= said
            self._tell(run)

        run.error = await run_job(job, folder, on_said)
        result = self.result(run)
        if run.error or result is None:
            run.state = FAILED
            return
        run.state = DONE
        self._summarize(run, result)

    def _summarize(self, run: ControlRun, result: Mapping[str, Any]) -> None:
        if run.kind != "backtest":
            run.summary = {"deflated_sharpe": result["deflated_sharpe"]}
            return
        stats = result["stats"]
        run.summary = {
            "events_digest": result["events_digest"],
            **{name: stats[name] for name in ("total_return", "sharpe", "max_drawdown", "trades")},
        }
        run.progress = {"steps": result["steps"], "bars": result["bars"], "total": result["bars"]}
        for each in self._runs.values():
            same = each.summary.get("events_digest") == result["events_digest"]
            if same and each is not run and each.app == run.app:
                run.same_as = each.id
                break

    def _tell(self, run: ControlRun) -> None:
        for watcher in self.watchers:
            watcher.put(f"run {run.id}", run_message(run))
        changed = self._changed.pop(run.id, None)
        self._changed[run.id] = asyncio.Event()
        if changed is not None:
            changed.set()

    def _save(self, run: ControlRun) -> None:
        folder = self.folder_of(run)
        make_folder(folder)
        (folder / "run.json").write_text(json.dumps(asdict(run)), encoding="utf-8")

    def _load(self) -> None:
        found = []
        for path in self._folder.glob("*/run.json"):
            try:
                run = ControlRun(**json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                _log.warning("%s cannot be read, and is left out", path)
                continue
            if run.state in {QUEUED, RUNNING}:
                run.state, run.error = FAILED, "the server ended before it"
            found.append(run)
        for run in sorted(found, key=lambda each: each.created)[-_LISTED:]:
            self._runs[run.id] = run
