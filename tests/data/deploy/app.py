"""An app with every kind of component, for the manifests of tests."""

from __future__ import annotations

from ingenium import App, External, Ingestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross


class Feed(Ingestor):
    """Sends nothing: nobody runs it."""

    async def ingest(self) -> None:
        """Send nothing."""


def app() -> App:
    """Return the app."""
    return App(
        name="desk_1",
        prefix="paper",
        version="1.4",
        ingestors=[Feed("ticks"), External("ingestor", ["news", "--all"], name="news")],
        strategies=[
            SmaCross(["ACME"], fast=3, slow=8),
            External(
                "strategy",
                ["bin/turns", "-symbols", "ACME"],
                name="turns",
                symbols=["ACME"],
                follows_prefix=True,
                environment={"LIMIT": "3"},
            ),
        ],
        portfolio=FixedQuantity(10),
        executor=External("executor", name="venue", follows_prefix=True),
    )
