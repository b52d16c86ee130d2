"""Which traces are sampled while there are few, and while there are many."""

from __future__ import annotations

import hashlib

import pytest
from support.otlp_receiver import receiving

from ingenium.telemetry.otel_export import OtelExport
from ingenium.telemetry.trace_budget import TraceBudget


class Clock:
    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


def ids(count: int, since: int = 0) -> list[str]:
    return [
        hashlib.sha256(f"trace{n}".encode()).hexdigest()[:32] for n in range(since, since + count)
    ]


def sampled_each_second(budget: TraceBudget, clock: Clock, rates: list[int]) -> list[list[str]]:
    """Let traces begin at these rates, evenly within each second; return the sampled ones."""
    found: list[list[str]] = []
    for number, rate in enumerate(rates):
        began, taken = clock.seconds, []
        for place, each in enumerate(ids(rate, number * 100_000)):
            clock.seconds = began + place / rate
            if budget.samples(each):
                taken.append(each)
        clock.seconds = began + 1.0
        found.append(taken)
    return found


def test_all_traces_are_sampled_up_to_the_budget() -> None:
    clock = Clock()
    found = sampled_each_second(TraceBudget(100, 1000, clock), clock, [100] * 20)
    assert [len(each) for each in found] == [100] * 20


def test_burst_after_a_quiet_time_is_sampled_as_a_whole() -> None:
    clock = Clock()
    found = sampled_each_second(TraceBudget(100, 1000, clock), clock, [1000, *([0] * 12), 1000])
    assert (len(found[0]), len(found[-1])) == (1000, 1000)


def test_many_traces_are_sampled_by_a_ratio_that_follows_from_their_ids() -> None:
    clock = Clock()
    found = sampled_each_second(TraceBudget(100, 1000, clock), clock, [2000] * 10)
    # 100 of 2000 is 1/20, and the largest power of two below it is 1/32.
    for number, taken in enumerate(found[2:], 2):
        bound = 2**64 // 32
        assert taken == [i for i in ids(2000, number * 100_000) if int(i[16:], 16) < bound]
        assert 30 < len(taken) < 100
    # Before the rate is known, what was saved up is used, and little more.
    assert len(found[0]) <= 100 + 1000 + 10 * 25


def test_ratio_is_one_again_when_there_are_few() -> None:
    clock = Clock()
    found = sampled_each_second(TraceBudget(100, 1000, clock), clock, [5000, 5000, 50, 50])
    assert len(found[1]) < 200
    assert len(found[3]) == 50


@pytest.mark.parametrize(
    ("variables", "is_live", "bounded"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, True, False),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, True, False),
    ],
    ids=["live", "replay", "parent", "always"],
)
def test_budget_is_the_default_for_live_data_only(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_live: bool, bounded: bool
) -> None:
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        export = OtelExport(variables, "app", is_live=is_live)
        try:
            count = sum(export.is_sampled(each) for each in ids(20_000))
        finally:
            export.close()
    assert export.keeps_failures is bounded
    assert (count < 20_000) is bounded
