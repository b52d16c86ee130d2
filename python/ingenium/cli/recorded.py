"""Commands that show what was recorded: transactions, positions, pnl, order, events and runs."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.day_options import SinceOption, UntilOption, time
from ingenium.cli.record import DatabaseOption
from ingenium.cli.rich_tables import Column, print_table
from ingenium.cli.targets import AppName, JsonFlag, app_name
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.recorder.record_table import RecordTable
    from ingenium.recorder.records import Records

__all__ = [
    "RunOption",
    "events",
    "order",
    "pnl",
    "positions",
    "recorded_app",
    "runs",
    "transactions",
]

CsvFlag = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
RunOption = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Of this backtest, instead of the live app."),
]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="Of this one only.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
AfterOption = Annotated[
    str, typer.Option("--after", metavar="PAGE", help="What the page before ended with.")
]

_NUMBERS = {
    "quantity",
    "price",
    "commission",
    "commissions",
    "average_cost",
    "cost",
    "realized_pnl",
    "net_pnl",
    "fills",
    "sequence",
    "total_return",
    "sharpe",
    "max_drawdown",
    "trades",
}
# What a narrow terminal does without; JSON and CSV have all.
_RANKS = {
    "stream": 4,
    "cause": 4,
    "id": 3,
    "received": 3,
    "sequence": 2,
    "type": 2,
    "order_id": 1,
    "since": 1,
    "error": 1,
}
# JSON and CSV have these of a run; in a terminal they would fill pages.
_WIDEST = 100
_LONG = {"digest", "parameters", "stats"}


def transactions(
    app: AppName = None,
    run: RunOption = None,
    symbol: SymbolOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show the fills that were recorded, the latest first."""
    found = _read(
        app,
        database,
        lambda records, scope: records.transactions(
            run or scope,
            symbol=symbol,
            since=time("since", since),
            until=time("until", until),
            limit=limit,
            after=after,
        ),
    )
    _show(found, as_json=json, as_csv=csv)


def positions(
    app: AppName = None,
    run: RunOption = None,
    symbol: SymbolOption = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="After the fills of this time.")
    ] = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show what was held at a time, or now."""
    found = _read(
        app,
        database,
        lambda records, scope: records.positions(
            run or scope, symbol=symbol, at=time("at", at), limit=limit, after=after
        ),
    )
    _show(found, as_json=json, as_csv=csv)


def pnl(
    app: AppName = None,
    run: RunOption = None,
    by: Annotated[
        str, typer.Option("--by", metavar="day|symbol|strategy", help="Of each what.")
    ] = "day",
    symbol: SymbolOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show realized profit and loss by day (UTC), symbol or strategy, and commissions."""
    found = _read(
        app,
        database,
        lambda records, scope: records.pnl(
            run or scope,
            by=by,
            symbol=symbol,
            since=time("since", since),
            until=time("until", until),
            limit=limit,
            after=after,
        ),
    )
    _show(found, as_json=json, as_csv=csv)


def order(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="Id of an order.")],
    app: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="Whose recording is read.")
    ] = None,
    run: RunOption = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show the story of an order: bar, signal, order, denials, executions and trade."""
    found = _read(
        app,
        database,
        lambda records, scope: records.order(order_id, run or scope, limit=limit, after=after),
    )
    _show(found, as_json=json, as_csv=csv)


def events(
    app: AppName = None,
    run: RunOption = None,
    type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Of this type only, as SignalEvent.")
    ] = "",
    message: Annotated[
        str | None,
        typer.Option(
            "--message",
            metavar="MODULE:NAME",
            help="Class of events of your own, to decode them, as acme_events.acme.v1:News.",
        ),
    ] = None,
    subject: Annotated[
        str, typer.Option("--subject", help="On this subject only, or a wildcard.")
    ] = "",
    symbol: SymbolOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show the events that were recorded, the latest first, decoded."""
    from ingenium.components import load_message

    own = None if message is None else load_message(message)
    found = _read(
        app,
        database,
        lambda records, scope: records.events(
            run or scope,
            type=type,
            message=own,
            subject=subject,
            symbol=symbol,
            since=time("since", since),
            until=time("until", until),
            limit=limit,
            after=after,
        ),
    )
    _show(found, as_json=json, as_csv=csv)


def runs(
    app: AppName = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="RUN",
            help="Show the inputs and figures in which runs differ; give it for each of them.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="live|backtest|replay|sweep", help="Of this kind only."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    database: DatabaseOption = None,
    json: JsonFlag = False,
    csv: CsvFlag = False,
) -> None:
    """Show the runs that were recorded, the latest first: live, backtests and sweeps."""
    found = _read(
        app,
        database,
        lambda records, scope: (
            records.compare(compare)
            if compare
            else records.runs(
                scope,
                kind=kind,
                since=time("since", since),
                until=time("until", until),
                limit=limit,
                after=after,
            )
        ),
    )
    _show(found, as_json=json, as_csv=csv)


def _read(
    app: str | None, url: str | None, query: Callable[[Records, str | None], RecordTable]
) -> RecordTable:
    from ingenium import recorder

    name = app_name(app)
    if url is None:
        name, url = recorded_app(Settings.from_environment(), name)
    with recorder.open(url) as records:
        return query(records, name)


def recorded_app(settings: Settings, name: str | None) -> tuple[str, str]:
    """Return the app that is meant, and where it is recorded.

    Raises:
        ConfigError: There is no name, and not exactly one recording.
    """
    recorder_of = {
        path.parent.name: str(path) for path in sorted(settings.data_directory.glob("*/record.db"))
    }
    if name is None and len(recorder_of) == 1:
        name = next(iter(recorder_of))
    if name is None:
        found = ", ".join(recorder_of) or "none"
        raise ConfigError(
            f"recordings in {settings.data_directory}: {found}; name the app, or pass --database"
        )
    return name, recorder_of.get(name, str(settings.data_directory / name / "record.db"))


def _show(table: RecordTable, *, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other: use one of them")
    if as_json:
        typer.echo(jsonlib.dumps({"rows": table.texts(), "next": table.next, "notes": table.notes}))
        return
    for note in table.notes:
        make_console(stderr=True).print(
            printable(note), style="yellow", markup=False, highlight=False, soft_wrap=True
        )
    if as_csv:
        typer.echo(table.csv(), nl=False)
        return
    if not table.rows:
        make_console(stderr=True).print("nothing that was recorded fits", markup=False)
        return
    columns = [
        Column(name.replace("_", " "), right=name in _NUMBERS, rank=_RANKS.get(name, 0))
        for name in table.columns
        if name not in _LONG
    ]
    rows = [
        [_cell(value) for name, value in row.items() if name not in _LONG] for row in table.texts()
    ]
    print_table(make_console(), columns, rows)
    if table.next:
        make_console(stderr=True).print(
            f"more: --after {printable(table.next)}", markup=False, highlight=False
        )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        text = printable(jsonlib.dumps(value, ensure_ascii=False))
        return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}..."
    return f"{value:.4f}" if isinstance(value, float) else str(value)
