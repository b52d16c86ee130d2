"""Which strategy an order comes from: the sender of the signal that its causes lead to."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ingenium.recorder.schema import EXECUTIONS, ORDERS, SIGNALS, streams_of

__all__ = ["order_strategies"]

_HOPS = 8


def order_strategies(connection: Connection, app: str | None) -> dict[str, str]:
    """Return the strategy of each order; an order that no signal led to is left out.

    An exit that the portfolio sends because of a fill is that of the fill's order.

    Args:
        connection: Connection to the database.
        app: Name of an app, or id of a run; all in the database when ``None``.
    """
    queries = [
        select(SIGNALS.c.id, SIGNALS.c.source),
        select(EXECUTIONS.c.id, EXECUTIONS.c.order_id),
        select(ORDERS.c.order_id, ORDERS.c.cause).where(ORDERS.c.request == "new"),
    ]
    if app is not None:
        tables = (SIGNALS, EXECUTIONS, ORDERS)
        queries = [
            query.where(table.c.stream.in_(streams_of(app)))
            for query, table in zip(queries, tables, strict=True)
        ]
    senders, fills, causes = (
        {str(row[0]): str(row[1]) for row in connection.execute(query)} for query in queries
    )

    def strategy_of(order_id: str) -> str:
        for _ in range(_HOPS):
            cause = causes.get(order_id, "")
            if cause in senders:
                return senders[cause]
            order_id = fills.get(cause, "")
        return ""

    return {order_id: found for order_id in causes if (found := strategy_of(order_id))}
