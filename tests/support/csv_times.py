"""Files of times for the tests of CsvIngestor."""

from __future__ import annotations

from datetime import datetime, timedelta


def times_every(step: timedelta, count: int, start: str = "2024-01-01T00:00:00") -> list[str]:
    first = datetime.fromisoformat(start)
    return [(first + i * step).isoformat() for i in range(count)]
