"""Reads fills, denials and the story of an order from the recording of an app."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import transactions_pb as pb
from ingenium.control._gen.ingenium.control.v1.transactions_connect import TransactionService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.backtest_service import file_parts
from ingenium.control.call_guard import refuse
from ingenium.control.money_messages import plain
from ingenium.control.request_fields import page_size
from ingenium.recorder.record_table import RecordTable, time_text
from ingenium.recorder.records import Records
from ingenium.trading.money import EXACT

__all__ = ["TransactionCalls"]

Context = RequestContext[Any, Any]
_EXPORTED_AT_ONCE = 5000
_UNKNOWN = None, ""
Receptions = Mapping[tuple[str, int], tuple[int, str]]


class TransactionCalls(TransactionService):
    """Implements TransactionService.

    Args:
        catalog: Finds recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog

    async def list_transactions(
        self, request: pb.ListTransactionsRequest, _: Context, /
    ) -> pb.ListTransactionsResponse:
        """Return a page of fills."""
        from ingenium.recorder.recorded_pages import count_fills, fill_page

        limit = page_size(request.page_size, 1000)
        if request.skip < 0:
            raise refuse(f"skip is {request.skip}: use 0 or more")
        wanted = self._filter(request.filter)

        def query(records: Records) -> tuple[RecordTable, int, list[str]]:
            table, total = records.run(
                lambda connection: (
                    fill_page(connection, wanted, limit, request.page_token, request.skip),
                    count_fills(connection, wanted),
                )
            )
            notes = [] if len(table) else records.transactions(wanted.app, limit=1).notes
            return table, total, list(notes)

        table, total, notes = await self._catalog.read(wanted.app, query)
        return pb.ListTransactionsResponse(
            transactions=[_transaction(row) for row in table],
            next_page_token=table.next,
            total=total,
            notes=notes,
        )

    async def export_transactions(
        self, request: pb.ExportTransactionsRequest, _: Context, /
    ) -> AsyncIterator[pb.ExportTransactionsResponse]:
        """Return all fills of a filter as a file."""
        wanted = self._filter(request.filter)
        is_parquet = request.format == pb.ExportFormat.PARQUET
        suffix = "parquet" if is_parquet else "csv"
        name = f"{wanted.app}-transactions.{suffix}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write = _write_parquet if is_parquet else _write_csv
            await self._catalog.read(wanted.app, lambda records: write(records, wanted, path))
            async for part in file_parts(path):
                yield pb.ExportTransactionsResponse(data=part, file_name=name)
                name = ""

    async def list_denials(
        self, request: pb.ListDenialsRequest, _: Context, /
    ) -> pb.ListDenialsResponse:
        """Return a page of denied orders."""
        from ingenium.recorder.recorded_pages import denial_page

        limit = page_size(request.page_size, 1000)
        wanted = self._filter(request.filter)
        table = await self._catalog.read(
            wanted.app,
            lambda records: records.run(
                lambda connection: denial_page(connection, wanted, limit, request.page_token)
            ),
        )
        return pb.ListDenialsResponse(
            denials=[
                pb.Denial(
                    time=row["time"],
                    symbol=row["symbol"],
                    side=row["side"] or "",
                    quantity="" if row["quantity"] is None else plain(row["quantity"]),
                    component=row["component"],
                    reason=row["reason"],
                    detail=row["detail"],
                    order_id=row["order_id"],
                    id=row["id"],
                )
                for row in table
            ],
            next_page_token=table.next,
        )

    async def get_order_story(
        self, request: pb.GetOrderStoryRequest, _: Context, /
    ) -> pb.GetOrderStoryResponse:
        """Return the steps of an order."""
        if not request.order_id:
            raise refuse("order_id is empty")
        app = self._catalog.resolve(request.app)
        table, received = await self._catalog.read(
            app, lambda records: _story(records, request.order_id, app)
        )
        rows = list(table)
        steps = []
        for place, row in enumerate(rows):
            gap = row["time"] - rows[place - 1]["time"] if place else None
            steps.append(
                pb.StoryStep(
                    time=row["time"],
                    kind=row["step"],
                    text=row["text"],
                    stream=row["stream"],
                    sequence=row["sequence"],
                    found=row["found"],
                    gap_nanoseconds=gap,
                    received_time=received.get((row["stream"], row["sequence"]), _UNKNOWN)[0],
                    source=received.get((row["stream"], row["sequence"]), _UNKNOWN)[1],
                )
            )
        lines = [f"{time_text(each.time)}  {each.kind}: {each.text}" for each in steps]
        text = "\n".join((f"order {request.order_id} of {app}", *lines))
        return pb.GetOrderStoryResponse(steps=steps, text=text, notes=list(table.notes))

    def _filter(self, given: pb.TransactionFilter | None) -> Any:
        from ingenium.recorder.recorded_pages import RowFilter

        given = given or pb.TransactionFilter()
        if given.side not in {"", "buy", "sell"}:
            raise refuse(f"side is {given.side!r}: use buy or sell")
        return RowFilter(
            self._catalog.resolve(given.app),
            given.symbol,
            given.side,
            given.order_id,
            given.since_time if given.has_field("since_time") else None,
            given.until_time if given.has_field("until_time") else None,
        )


def _story(records: Records, order_id: str, app: str) -> tuple[RecordTable, Receptions]:
    from ingenium.recorder.receptions import receptions

    table = records.order(order_id, app)
    places = [(row["stream"], row["sequence"]) for row in table]
    return table, records.run(lambda connection: receptions(connection, places))


def _transaction(row: dict[str, Any]) -> pb.Transaction:
    value = EXACT.multiply(row["quantity"], row["price"])
    return pb.Transaction(
        time=row["time"],
        symbol=row["symbol"],
        side=row["side"],
        quantity=plain(row["quantity"]),
        price=plain(row["price"]),
        value=plain(value),
        commission=None if row["commission"] is None else plain(row["commission"]),
        order_id=row["order_id"],
        id=row["id"],
        stream=row["stream"],
        sequence=row["sequence"],
    )


def _pages(records: Records, wanted: Any) -> Iterator[RecordTable]:
    page = ""
    while True:
        table = records.run(partial(_exported, wanted=wanted, page=page))
        yield table
        page = table.next
        if not page:
            return


def _exported(connection: Any, *, wanted: Any, page: str) -> RecordTable:
    from ingenium.recorder.recorded_pages import fill_page

    return fill_page(connection, wanted, _EXPORTED_AT_ONCE, page)


def _write_csv(records: Records, wanted: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for place, table in enumerate(_pages(records, wanted)):
            text = table.csv()
            file.write(text.partition("\n")[2] if place else text)


def _write_parquet(records: Records, wanted: Any, path: Path) -> None:
    from ingenium.recorder.recorded_pages import write_parquet

    write_parquet(path, _pages(records, wanted))
