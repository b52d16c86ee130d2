"""Thirteen years of daily prices through four components: the demo.

Run it with ``make demo``, or ``ingenium run examples/demo/app.py --processes``.
"""

from pathlib import Path

from ingenium import App, External
from ingenium.brokers import PaperExecutor
from ingenium.ingest import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

HERE = Path(__file__).parent
SYMBOLS = ["AAPL", "IBM", "MSFT"]


def make_app(strategy: RsiStrategy | External) -> App:
    """Return the demo with a strategy of one's choice."""
    return App(
        name="demo",
        ingestors=[CsvIngestor([HERE.parent / "data" / f"{symbol}.csv" for symbol in SYMBOLS])],
        strategies=[strategy],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )


def app() -> App:
    """Return the demo with its strategy in Python."""
    return make_app(RsiStrategy(SYMBOLS, period=2, buy_below=5, sell_above=95, name="rsi"))
