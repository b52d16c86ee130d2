"""An adjusted close that is not used: what it says of splits and dividends is noted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from ingenium.ingestors import CsvIngestor

HEAD = "Date,Open,High,Low,Close,Adj Close,Volume"


def days(count: int) -> list[str]:
    return [f"2024-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(count)]


def adjusted(closes: Sequence[float], events: dict[int, float], decimals: int) -> list[str]:
    """Return adjusted closes: before each event, prices are multiplied by its ratio."""
    texts, factor = [], 1.0
    for place in reversed(range(len(closes))):
        texts.append(f"{closes[place] * factor:.{decimals}f}")
        factor *= events.get(place, 1.0)
    return texts[::-1]


def write(folder: Path, closes: Sequence[float], texts: Sequence[str], name: str = "X.csv") -> Path:
    path = folder / name
    rows = [
        f"{day},{close:.2f},{close:.2f},{close:.2f},{close:.2f},{text},1000"
        for day, close, text in zip(days(len(closes)), closes, texts, strict=True)
    ]
    path.write_text("\n".join([HEAD, *rows, ""]))
    return path


def said(ingestor: CsvIngestor) -> list[str]:
    assert list(ingestor.read_bars())
    return [note.text for note in ingestor.notes() if "adjusted close" in note.text]


def walk(count: int, seed: int, price: float = 100.0) -> list[float]:
    generator = random.Random(seed)
    closes = []
    for _ in range(count):
        price = round(price * (1 + generator.gauss(0, 0.015)), 2)
        closes.append(price)
    return closes


@pytest.mark.parametrize("decimals", [2, 4, 6])
@pytest.mark.parametrize("seed", range(5))
def test_splits_and_dividends_are_counted(tmp_path: Path, decimals: int, seed: int) -> None:
    closes = walk(200, seed)
    events = {20: 0.995, 60: 0.5, 90: 0.99, 150: 0.985, 180: 2.0}
    texts = adjusted(closes, events, decimals)
    [text] = said(CsvIngestor(write(tmp_path, closes, texts)))
    assert text.startswith("the adjusted close is not used, and says of 2 splits and 3 dividends")
    assert "pass adjusted=True" in text


def test_one_split_alone(tmp_path: Path) -> None:
    closes = [100.0, 101.0, 50.5, 51.0]
    texts = adjusted(closes, {2: 0.5}, 2)
    assert texts == ["50.00", "50.50", "50.50", "51.00"]
    [text] = said(CsvIngestor(write(tmp_path, closes, texts)))
    assert "says of 1 split, none of which is booked" in text


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("price", [0.5, 3.0, 100.0])
def test_what_was_rounded_is_no_dividend(tmp_path: Path, seed: int, price: float) -> None:
    closes = walk(200, seed, price)
    texts = [f"{close * 0.3217:.2f}" for close in closes]
    if all(Decimal(text) for text in texts):
        assert said(CsvIngestor(write(tmp_path, closes, texts))) == []


def test_equal_columns_say_nothing(tmp_path: Path) -> None:
    closes = walk(50, 1)
    assert said(CsvIngestor(write(tmp_path, closes, [f"{c:.2f}" for c in closes]))) == []


def test_used_column_says_nothing(tmp_path: Path) -> None:
    closes = walk(50, 1)
    path = write(tmp_path, closes, adjusted(closes, {20: 0.5}, 4))
    assert said(CsvIngestor(path, adjusted=True)) == []


def test_rows_from_the_newest_on_are_counted_alike(tmp_path: Path) -> None:
    closes = walk(100, 2)
    path = write(tmp_path, closes, adjusted(closes, {20: 0.5, 60: 0.99}, 4))
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows), ""]))
    [text] = said(CsvIngestor(path, newest_first=True))
    assert "1 split and 1 dividend" in text


def test_each_symbol_of_a_file_has_a_ratio_of_its_own(tmp_path: Path) -> None:
    rows = []
    for place, day in enumerate(days(40)):
        rows += [
            f"{day},A,10,10,10,10,{5 if place < 20 else 10},1",
            f"{day},B,20,20,20,20,{18 if place < 30 else 20},1",
        ]
    path = tmp_path / "both.csv"
    path.write_text("\n".join(["Date,Symbol,Open,High,Low,Close,Adj Close,Volume", *rows, ""]))
    # Of 18.0 and 20 in whole numbers, rounding could make that of B.
    [text] = said(CsvIngestor(path))
    assert "1 split, none" in text


def test_cell_that_is_no_number_is_passed_over(tmp_path: Path) -> None:
    closes = [100.0, 101.0, 50.5, 51.0]
    path = write(tmp_path, closes, ["50.00", "null", "50.50", ""])
    [text] = said(CsvIngestor(path))
    assert "1 split" in text
