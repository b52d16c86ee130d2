"""Rows and frames of prices in every format that CsvIngestor reads."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
HEADER = "time,open,high,low,close,volume\n"


def rows(count: int = 5, first: int = 2) -> str:
    return "".join(
        f"2024-01-{day:02},{day}.50,{day + 2}.0,{day - 1}.25,{day + 1}.1,{day}00\n"
        for day in range(first, first + count)
    )


def frame(count: int = 5, index: str | None = None) -> pd.DataFrame:
    made = pd.DataFrame(
        {
            "Open": [10.1 + i for i in range(count)],
            "High": [12.25 + i for i in range(count)],
            "Low": [9.0 + i for i in range(count)],
            "Close": [0.1 + 0.2 + 10 + i for i in range(count)],
            "Volume": [100 * (i + 1) for i in range(count)],
        },
        index=pd.date_range("2024-01-02", periods=count, freq="D", name=index),
    )
    made.index.freq = None
    return made


def read(path: Path | list[Path], symbol: str | None = None, **arguments: Any) -> list[Bar]:
    return list(CsvIngestor(path, symbol, **arguments).read_bars())


def facts(bars: list[Bar]) -> list[tuple[Any, ...]]:
    return [(bar.symbol, bar.start, bar.end, *bar.texts) for bar in bars]


def pack(path: Path, members: dict[str, str | bytes], **arguments: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **arguments) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
