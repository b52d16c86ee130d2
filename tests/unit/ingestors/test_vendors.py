"""Files in the forms of vendors: the bars of CsvIngestor are those that pandas reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.vendors import DATA, FILES, PAGE, VendorFile, page

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_file_of_a_vendor_gives_what_pandas_reads(file: VendorFile):
    read = file.bars()
    expected = file.read(file.file)
    assert len(read) == len(expected) >= 12
    assert [(bar.start, bar.symbol) for bar in read] == [
        (time.to_pydatetime(), symbol)
        for time, symbol in zip(expected["time"], expected["symbol"], strict=True)
    ]
    assert {bar.period for bar in read} == {file.period}
    for name in ("open", "high", "low", "close"):
        assert [getattr(bar, name) for bar in read] == pytest.approx(
            expected[name].tolist(), rel=1e-12
        )
    assert [bar.volume for bar in read] == pytest.approx(
        expected["volume"].fillna(0.0).tolist(), rel=1e-12
    )
    assert sum(bar.close for bar in read) == pytest.approx(expected["close"].sum(), rel=1e-12)
    assert sum(bar.volume for bar in read) == pytest.approx(expected["volume"].sum(), rel=1e-12)


def test_there_are_forty_files_of_twelve_vendors_and_all_are_read():
    kept = {
        path.relative_to(DATA).as_posix()
        for path in DATA.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    named = {file.path for file in FILES if not file.file.is_dir()}
    folders = tuple(f"{file.path}/" for file in FILES if file.file.is_dir())
    assert {path for path in kept if not path.startswith(folders)} == named
    assert len(FILES) >= 40
    assert len({file.path.partition("/")[0] for file in FILES}) >= 12


def test_table_of_the_page_is_what_is_read():
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run python -m vendors in tests"


def test_times_of_a_day_that_is_not_told_are_refused(tmp_path: Path):
    """LEAN's minutes count milliseconds since midnight; the date is in the name only."""
    rows = (f"{34_200_000 + 60_000 * i},4720000,4721000,4719000,4720500,100\n" for i in range(9))
    (tmp_path / "20240102_spy_minute_trade.csv").write_text("".join(rows))
    with pytest.raises(DataFileError, match="count milliseconds of a day that the file does not"):
        list(CsvIngestor(tmp_path, "SPY", scale="0.0001").read_bars())
