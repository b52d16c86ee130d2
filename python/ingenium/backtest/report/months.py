"""Monthly returns, as a table with colored cells."""

from __future__ import annotations

from datetime import date

from ingenium.backtest.equity_curve import EquityCurve

__all__ = ["month_table", "monthly_returns"]

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL = 0.10
"""A month of ten percent has the full color."""


def monthly_returns(curve: EquityCurve) -> dict[int, dict[int, float]]:
    """Return simple returns by year and month; 0 for the month is the whole year.

    Months are those of the curve's time zone. A bar that ends when a month begins belongs to the
    month before. Months after one that ended at zero or below have no return, and are left out.
    """
    ends: dict[tuple[int, int], float] = {}
    equity_of = curve.equity
    for ordinal, last in curve.days():
        day = date.fromordinal(ordinal)
        ends[day.year, day.month] = equity_of[last]
    found: dict[int, dict[int, float]] = {}
    before = year_before = curve.starting_equity
    for (year, month_number), equity in ends.items():
        if year not in found:
            found[year], year_before = {}, before
        if before > 0:
            found[year][month_number] = equity / before - 1.0
        if year_before > 0:
            found[year][0] = equity / year_before - 1.0
        before = equity
    return found


def month_table(curve: EquityCurve) -> str:
    """Return the table, newest year first."""
    years = monthly_returns(curve)
    head = "".join(f'<th scope="col">{name}</th>' for name in (*_NAMES, "Year"))
    rows: list[str] = []
    for year in sorted(years, reverse=True):
        months = years[year]
        cells = "".join(_cell(months.get(month), year=month == 0) for month in (*range(1, 13), 0))
        rows.append(f'<tr><th scope="row">{year}</th>{cells}</tr>')
    return (
        '<div class="wide"><table class="months"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: float | None, *, year: bool) -> str:
    if value is None:
        return "<td></td>"
    text = f"{value * 100:.1f}"
    if text in {"0.0", "-0.0"}:
        text = "0"
    part = min(abs(value) / (_FULL * (3 if year else 1)), 1.0)
    # Share of the full color; the style sheet defines the colors.
    return (
        f'<td class="{"up" if value > 0 else "down"}" style="--part:{part * 100:.0f}%">{text}</td>'
    )
