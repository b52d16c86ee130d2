"""Assemble the report of a backtest."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files

from ingenium.backtest.formatting import percent, ratio, session
from ingenium.backtest.report.html_tables import (
    denial_table,
    figure_table,
    manifest_table,
    plain_table,
    position_table,
    trade_table,
)
from ingenium.backtest.report.months import month_table
from ingenium.backtest.report.report_charts import MOST_TRADES, Pictures, draw
from ingenium.backtest.report.report_section import ReportSection
from ingenium.backtest.report.reported_run import ReportedRun
from ingenium.backtest.stress import STRESS
from ingenium.trading.tally import counted

__all__ = ["render"]


def render(
    result: ReportedRun,
    stressed: ReportedRun | None = None,
    sections: Sequence[ReportSection] = (),
) -> str:
    """Return the report of a backtest as self-contained HTML.

    All external text, such as names of symbols, is escaped, and the content security policy of the
    page allows no loading and no script but its own.

    Args:
        result: The run to report.
        stressed: The same run under a harsher policy, for comparison.
        sections: Further sections, behind the main figures.
    """
    pictures = draw(result, stressed)
    script = _own("script.js")
    allowed = base64.b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    title = f"Backtest of {result.manifest.app}"
    parts = (
        _head(title, result),
        _tiles(result),
        *(_section(each.title, _further(each)) for each in sections),
        _section("What flatters this result", _honesty(result, stressed)),
        _section("Problems", _problems(result)) if result.problems else "",
        _section("Risk limits", _limits(result)) if result.limits != "none" else "",
        _section("Equity", _equity(result, stressed, pictures)),
        _section("Prices and trades", _prices(result, pictures)) if pictures.prices else "",
        _section(
            f"Returns by month in {result.manifest.timezone}, in percent",
            month_table(result.equity),
        ),
        _section("Figures", figure_table(result, stressed)),
        _section(f"Trades: {len(result.trades):,}", _trades(result)),
        _section(
            "Manifest",
            manifest_table(result.manifest, result.replay, result.equity.zone),
        ),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_own('style.css')}</style></head>\n<body>"
        + "\n".join(part for part in parts if part)
        + f'\n<script type="application/json" id="data">{_json(pictures.data)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _json(value: object) -> str:
    """Return JSON safe within a script element: a symbol may contain ``</script>``."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _head(title: str, result: ReportedRun) -> str:
    stats = result.stats
    period = "no data"
    if stats.start is not None and stats.end is not None:
        zone = result.equity.zone
        start, end = session(stats.start, zone), session(stats.end, zone)
        period = f"{start} to {end}, {stats.years:.1f} years"
    said = f"{period} · {result.replay.data:,} bars"
    if result.manifest.start is not None or result.manifest.figures_from is not None:
        said += ", those before the period included"
    if result.events_digest:
        said += f" · digest {result.events_digest}"
    failure = ""
    if result.failure:
        failure = f'<p class="failure">The run did not reach its end: {escape(result.failure)}</p>'
    return f"<header><h1>{escape(title)}</h1><p>{escape(said)}</p>{failure}</header>"


def _tiles(result: ReportedRun) -> str:
    stats = result.stats
    tiles = (
        ("Total return", percent(stats.total_return)),
        (f"Holding {stats.benchmark or '-'}", percent(stats.benchmark_return)),
        ("CAGR", percent(stats.cagr)),
        ("Max drawdown", percent(stats.max_drawdown)),
        ("Sharpe", ratio(stats.sharpe)),
        (
            "Trades won",
            "-" if stats.win_rate is None else f"{stats.win_rate:.0%} of {stats.trades:,}",
        ),
    )
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in tiles
        )
        + "</dl>"
    )


def _honesty(result: ReportedRun, stressed: ReportedRun | None) -> str:
    said = result.flattering() or ["no assumption that the exchange reports"]
    lines = "".join(f"<li>{escape(line)}</li>" for line in said)
    if stressed is None:
        beside = "There is no stressed run to compare with."
    else:
        own, other = result.stats, stressed.stats
        beside = (
            f"On a harsher exchange the same app makes <b>{percent(other.total_return)}</b> in "
            f"place of {percent(own.total_return)}, with a drawdown of "
            f"{percent(other.max_drawdown)} in place of {percent(own.max_drawdown)} and "
            f"{other.commissions:,.2f} paid in fees in place of {own.commissions:,.2f}. "
            f"{escape(STRESS)}"
        )
        if other_failure := stressed.failure:
            beside = (
                '<b class="failure">The run on the harsher exchange did not reach its end: '
                f"{escape(other_failure)}.</b> Until then: {beside}"
            )
    return f"<ul>{lines}</ul><p>{beside}</p>"


def _further(section: ReportSection) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in section.lines)
    tables = (
        plain_table(heads, [(row[0], row[1:]) for row in rows]) for heads, rows in section.tables
    )
    return f"<ul>{lines}</ul>{''.join(tables)}"


def _problems(result: ReportedRun) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in result.problems)}</ul>"


def _limits(result: ReportedRun) -> str:
    if result.limits == "off":
        return (
            "<p>Risk limits were off, as requested: on live data, orders that filled here may be "
            "denied.</p>"
        )
    if not result.denials:
        return "<p>Risk limits were on, as on live data, and denied no order.</p>"
    denied = counted(result.denied_orders, "order")
    return (
        "<p>Risk limits were on, as on live data, and denied "
        f"{denied}.</p>{denial_table(result.denials, result.equity.zone)}"
    )


def _equity(result: ReportedRun, stressed: ReportedRun | None, pictures: Pictures) -> str:
    keys = [_key("equity", "this run")]
    if stressed is not None:
        keys.append(_key("harsher", "harsher exchange"))
    if result.stats.benchmark:
        keys.append(_key("held", f"holding {result.stats.benchmark}", shown=not pictures.dwarfs))
    return (
        f'<p class="keys">{"".join(keys)}</p>{pictures.equity}'
        f'<h3>Drawdown</h3><div class="low">{pictures.drawdown}</div>'
    )


def _key(name: str, text: str, *, shown: bool = True) -> str:
    return (
        f'<button type="button" class="key {name}" data-line="{name}" '
        f'aria-pressed="{str(shown).lower()}">{escape(text)}</button>'
    )


def _prices(result: ReportedRun, pictures: Pictures) -> str:
    # Without scripts all charts are visible; the script shows one and offers the choice.
    charts = "".join(
        f'<div class="symbol"><h3>{escape(symbol)}</h3>{drawn}</div>'
        for symbol, drawn in pictures.prices.items()
    )
    keys = (
        '<span class="key long">long entry</span><span class="key short">short entry</span>'
        '<span class="key exit">exit</span><span class="key won">won</span>'
        '<span class="key lost">lost</span>'
    )
    left_out = ""
    if pictures.left_out:
        left_out = f"<p>{pictures.left_out:,} more symbols, with fewer trades, are not drawn.</p>"
    if len(result.trades) > MOST_TRADES:
        left_out += (
            f"<p>Of {len(result.trades):,} trades the last {MOST_TRADES:,} are drawn; there were "
            "more before.</p>"
        )
    return f'<p class="keys">{keys}</p><p id="choice"></p>{charts}{left_out}'


def _trades(result: ReportedRun) -> str:
    held = position_table(result.account.positions.values())
    held = f"<h3>Held at the end</h3>{held}" if held else ""
    if not result.trades:
        return f"<p>No trade was closed.</p>{held}"
    note = ""
    if len(result.trades) > MOST_TRADES:
        note = f"<p>The last {MOST_TRADES:,} are here; to_json() has all of them.</p>"
    return f'{note}{trade_table(result.trades, result.equity.zone)}<p id="more"></p>{held}'
