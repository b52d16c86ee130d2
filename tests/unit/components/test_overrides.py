"""The table of overrides, and the shortcuts that ask it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support.replaying import START

from ingenium import App, Ingestor, Portfolio, Strategy
from ingenium.backtest.engine import replay
from ingenium.brokers import PaperExecutor
from ingenium.components.handle import Handled
from ingenium.components.overrides import overrides_of
from ingenium.trading import Bar

BARS = 200


class Mixin:
    def on_start(self) -> Handled:
        return None


class Mixed(Mixin, Strategy):
    def on_bar(self, bar: Bar) -> None:
        return

    def own(self) -> None:
        return


class Heir(Mixed):
    def on_stop(self) -> None:
        return


class Behind(Strategy, Mixin):
    """The base class comes first, so that its method is the one that is called."""


def test_overrides_are_those_of_the_class_and_its_other_bases() -> None:
    assert overrides_of(Mixed, Strategy) == {"on_start", "on_bar"}
    assert overrides_of(Heir(), Strategy) == {"on_start", "on_bar", "on_stop"}
    assert overrides_of(Heir, Mixed) == {"on_stop"}
    assert overrides_of(Behind, Strategy) == frozenset()
    assert overrides_of(Strategy, Strategy) == frozenset()


def test_method_of_one_object_counts_for_that_object() -> None:
    one: Any = Mixed()
    one.on_data = lambda event: None
    assert overrides_of(one, Strategy) == {"on_start", "on_bar", "on_data"}
    assert overrides_of(Mixed(), Strategy) == {"on_start", "on_bar"}


def test_table_keeps_no_class_alive() -> None:
    made: Any = type("Made", (Strategy,), {"on_bar": lambda self, bar: None})
    assert overrides_of(made, Strategy) == {"on_bar"}
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None


class Minutes(Ingestor):
    """Bars of one symbol, one a minute, all at one price."""

    def read_bars(self) -> Iterator[Bar]:
        for minute in range(BARS):
            yield Bar.make(
                "AAPL",
                START + timedelta(minutes=minute),
                open="100", high="100", low="100", close="100", volume="1000",
                period=timedelta(minutes=1),
            )  # fmt: skip


class Quiet(Strategy):
    def on_bar(self, bar: Bar) -> None:
        return


def seen_by(base: type[Any], name: str) -> int:
    """Run a backtest in which nothing happens, and count the calls of one method."""
    calls = 0
    body = getattr(base, name)

    def counted(self: Any, item: Any) -> Handled:
        nonlocal calls
        calls += 1
        return body(self, item)  # type: ignore[no-any-return]

    one = type("One", (base,), {name: counted})()
    app = App(
        ingestors=[Minutes()],
        strategies=[one if base is Strategy else Quiet()],
        portfolio=one if base is Portfolio else Portfolio(name="portfolio"),
        executor=one if base is PaperExecutor else PaperExecutor(),
    )
    replay(app)
    return calls


@pytest.mark.parametrize(
    ("base", "name"),
    [
        (Strategy, "on_bar"),
        (Strategy, "on_data"),
        (Portfolio, "on_bar"),
        (Portfolio, "on_data"),
        (PaperExecutor, "on_bar"),
        (PaperExecutor, "on_data"),
    ],
)
def test_no_loop_leaves_out_what_is_overridden(base: type[Any], name: str) -> None:
    assert seen_by(base, name) == BARS
