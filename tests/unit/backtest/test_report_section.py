"""A section that the caller adds to the report of a backtest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape

from ingenium import App, Bar, Ingestor, backtest
from ingenium.backtest.report import ReportSection, render

EVIL = "</script/x<i&'\""


class Days(Ingestor):
    def read_bars(self) -> Iterator[Bar]:
        for day in range(3):
            yield Bar.make(
                "A", datetime(2024, 1, 1 + day, tzinfo=UTC), open="1", high="1", low="1",
                close="1", volume="1", period=timedelta(days=1),
            )  # fmt: skip


def test_further_section_is_shown_and_its_texts_are_escaped() -> None:
    section = ReportSection(f"More {EVIL}", [EVIL, "a line"], [(("", EVIL), [(EVIL, "12")])])
    page = render(backtest.run(App(ingestors=[Days()])), sections=[section])
    shown = escape(EVIL)
    assert EVIL not in page
    assert f"<h2>More {shown}</h2><ul><li>{shown}</li><li>a line</li></ul>" in page
    assert f'<th scope="col">{shown}</th>' in page
    assert f'<th scope="row">{shown}</th><td>12</td>' in page
