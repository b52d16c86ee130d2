"""Components that are saved after each event, as a runtime does it, and restored from that."""

from __future__ import annotations

from typing import Protocol

from ingenium.state.rows import LogRow


class Saved(Protocol):
    def state_rows(self) -> dict[str, bytes]: ...
    def changed_rows(self) -> dict[str, bytes | None]: ...
    def restore_rows(self, rows: dict[str, bytes]) -> None: ...
    def take_log(self) -> list[LogRow]: ...
    def restore_log(self, rows: list[LogRow]) -> None: ...


class Store:
    """Folds changed rows, and keeps the log, one row for each kind and id."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.log: dict[tuple[str, str], bytes] = {}

    def save(self, saved: Saved) -> None:
        for key, data in saved.changed_rows().items():
            if data is None:
                del self.rows[key]  # a row that was never given is not to be deleted
            else:
                assert self.rows.get(key) != data, "a row is given only when it differs"
                self.rows[key] = data
        for kind, row_id, data in saved.take_log():
            self.log.pop((kind, row_id), None)
            self.log[kind, row_id] = data

    def last(self, kind: str, count: int) -> list[LogRow]:
        rows = [(k, row_id, data) for (k, row_id), data in self.log.items() if k == kind]
        if kind == "trade":
            rows.sort(key=lambda row: int(row[1]))  # one that has grown was written again
        return rows[-count:] if count else []
