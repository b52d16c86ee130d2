"""What a runner counts: progress for its status, and metrics of each call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.risk_components import NOW, data

from ingenium import Strategy
from ingenium.components import Handling, HandlingKind, Outcome, RunnerKind
from ingenium.errors import EventRefusedError
from ingenium.events import DataEvent, DenialEvent, ExecutionEvent, OrderEvent, SignalEvent
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.runtime.progress import Progress
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.trading import Bar

LATER = NOW + timedelta(seconds=90)


def shown(progress: Progress) -> dict[str, object]:
    names = ("handling", "last_event", "last_symbol", "last_time", "handling_since", "handled")
    return {name: getattr(progress, name) for name in names}


def test_progress_of_a_component_that_handles() -> None:
    progress = Progress()
    progress.begin(data(), NOW, kept_at=NOW - timedelta(seconds=1))
    during = {
        "handling": DataEvent,
        "last_event": DataEvent,
        "last_symbol": "AAPL",
        "last_time": NOW,
        "handling_since": NOW,
        "handled": 0,
    }
    assert shown(progress) == during
    assert progress.handling_kept_at == NOW - timedelta(seconds=1)
    progress.end()
    assert shown(progress) == during | {"handling": None, "handled": 1}
    progress.begin(SignalEvent(symbol="IBM"), LATER)
    assert shown(progress) == {
        "handling": SignalEvent,
        "last_event": SignalEvent,
        "last_symbol": "IBM",
        "last_time": LATER,
        "handling_since": LATER,
        "handled": 1,
    }
    assert progress.data_times == {"AAPL": NOW}
    progress.end()
    assert progress.handled == 2


@pytest.mark.parametrize(
    ("event", "age"),
    [(SignalEvent(symbol="A"), 90.0), (OrderEvent(), 90.0), (ExecutionEvent(), None)],
)
def test_age_of_the_cause_of_what_is_in_a_hurry(event: Any, age: float | None) -> None:
    progress = Progress()
    progress.send([event, event], LATER, NOW)
    assert progress.sent == 2
    assert progress.cause_age_seconds == age
    progress.send([event], LATER, None)
    assert progress.sent == 3
    assert progress.cause_age_seconds == age


def test_progress_of_an_ingestor() -> None:
    progress = Progress()
    progress.ingest(data(symbol="IBM"), LATER)
    assert (progress.sent, progress.handled) == (1, 0)
    assert progress.last_event is DataEvent
    assert (progress.last_symbol, progress.last_time) == ("IBM", LATER)


class Counted:
    """Stands for the metrics of a process, and keeps what is counted in each."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return Counter(name, self.calls)

    def count_call(self, component: str, event: str, seconds: float, *, is_event: bool) -> None:
        if is_event:
            self.handled.add(component, event)
        self.duration.record(seconds, component, event)


class Counter:
    def __init__(self, name: str, calls: list[tuple[object, ...]]) -> None:
        self._name, self._calls = name, calls

    def add(self, *labels: str) -> None:
        self._calls.append((self._name, *labels))

    def record(self, value: float, *labels: str) -> None:
        self._calls.append((self._name, value, *labels))


def counted(outcome: Outcome, item: Any = None, runner: RunnerKind = RunnerKind.LIVE) -> Any:
    metrics: Any = Counted()
    kind = HandlingKind.START if item is None else HandlingKind.EVENT
    handling = Handling(Strategy(name="rsi"), item, kind, runner, NOW)
    MetricsMiddleware(metrics).after(handling, outcome)
    return metrics.calls


BAR = Bar.from_event(data())


def test_each_call_is_counted_with_its_duration() -> None:
    both = [("handled", "rsi", "DataEvent"), ("duration", 2.5, "rsi", "DataEvent")]
    assert counted(Outcome(seconds=2.5), data()) == both
    assert counted(Outcome(seconds=2.5), BAR) == both
    assert counted(Outcome(seconds=1.0)) == [("duration", 1.0, "rsi", "start")]
    failed = ("failed", "rsi", "DataEvent", "KeyError")
    assert counted(Outcome((), KeyError("x"), 2.5), data()) == [*both, failed]
    # Canceled is not failed.
    assert counted(Outcome((), KeyboardInterrupt(), 2.5), data()) == both
    refused = Outcome((), EventRefusedError("no"))
    assert counted(refused, data()) == [("refused", "rsi", "DataEvent")]
    assert counted(Outcome(seconds=2.5), data(), RunnerKind.WARM_UP) == []


def test_call_counts_in_the_metrics_as_single_counts_do() -> None:
    at_once, singly = ProcessMetrics(), ProcessMetrics()
    for seconds in (0.0, 0.0001, 0.003, 2.5, 900.0):
        at_once.count_call("rsi", "DataEvent", seconds, is_event=True)
        singly.handled.add("rsi", "DataEvent")
        singly.duration.record(seconds, "rsi", "DataEvent")
    at_once.count_call("rsi", "start", 1.0, is_event=False)
    singly.duration.record(1.0, "rsi", "start")
    assert at_once.handled.values == singly.handled.values == {("rsi", "DataEvent"): 5}
    assert at_once.duration.values == singly.duration.values
    assert sum(at_once.duration.values["rsi", "DataEvent"][:-1]) == 5


def test_sent_events_are_counted_where_they_are_published_or_never_will_be() -> None:
    sent = (ExecutionEvent(update="filled"), DenialEvent(reason="stale"), SignalEvent())
    expected = [
        ("sent", "rsi", "ExecutionEvent"),
        ("reports", "rsi", "filled"),
        ("sent", "rsi", "DenialEvent"),
        ("denied", "rsi", "stale"),
        ("sent", "rsi", "SignalEvent"),
    ]
    assert counted(Outcome(sent), BAR)[2:] == []
    assert counted(Outcome(sent), BAR, RunnerKind.BACKTEST)[2:] == expected
    metrics: Any = Counted()
    middleware = MetricsMiddleware(metrics)
    for event in sent:
        assert middleware.on_publish(Strategy(name="rsi"), event) == {}
    assert metrics.calls == expected
