"""The report of a backtest: true numbers, one file, nothing from outside, whatever the names."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.running import ingenium

from ingenium import (
    Account,
    App,
    BacktestError,
    Bar,
    ConfigError,
    DataEvent,
    Ingestor,
    Signal,
    Strategy,
    backtest,
)
from ingenium.backtest import BacktestResult, EquityCurve
from ingenium.backtest.price_track import PriceTrack
from ingenium.backtest.report.charts import Scale, line, time_ticks, value_texts, value_ticks
from ingenium.backtest.report.months import monthly_returns
from ingenium.backtest.report.page import render
from ingenium.backtest.report.thinning import extremes
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FeePerShare, SlippageTicks
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity

TOP = Path(__file__).parents[3]
START = datetime(2024, 1, 1, tzinfo=UTC)
VOID = {"meta", "br", "path"}
EVIL = "</script/x<i&'\""
"""A symbol may hold this: only what means something in a subject is forbidden."""


class Prices(Ingestor):
    def __init__(self, *closes: float, symbol: str = "A", volume: str = "1000000") -> None:
        super().__init__()
        self.closes, self.symbol, self.volume = closes, symbol, volume

    def read(self) -> Iterator[DataEvent]:
        for day, price in enumerate(self.closes):
            yield Bar.make(
                self.symbol, START + timedelta(days=day),
                open=f"{price}", high=f"{price + 1}", low=f"{price - 1}", close=f"{price}",
                volume=self.volume, period=timedelta(days=1),
            ).event  # fmt: skip


class Alternates(Strategy):
    """Long, then short, a trade every third bar."""

    def __init__(self, raise_on: int = 0) -> None:
        super().__init__()
        self.count, self.raise_on = 0, raise_on

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.count == self.raise_on:
            raise ValueError("too <much>")
        if self.count % 3 == 0:
            self.send_signal(bar.symbol, Signal.LONG if self.count % 2 else Signal.SHORT)


def make(*closes: float, raise_on: int = 0, executor: PaperExecutor | None = None) -> App:
    return App(
        ingestors=[Prices(*closes, symbol=EVIL)],
        strategies=[Alternates(raise_on)],
        portfolio=FixedQuantity(10),
        executor=executor or PaperExecutor(),
    )


def waves(count: int) -> list[float]:
    return [round(100 + 20 * math.sin(day / 5) + day % 7, 2) for day in range(count)]


class Many(Account):
    """An account whose trades came again and again."""

    def __init__(self, account: Account, times: int) -> None:
        super().__init__()
        self._trades = list(account.trades) * times


class Page(HTMLParser):
    """Reads a page strictly: each element has to be closed, in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.texts["script"][0])


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return backtest.run(lambda: make(*waves(400)))


@pytest.fixture(scope="module")
def stressed(result: BacktestResult) -> BacktestResult:
    assert result.run_stressed is not None
    return result.run_stressed(None)


@pytest.fixture(scope="module")
def page(result: BacktestResult, stressed: BacktestResult) -> Page:
    return Page(render(result, stressed))


def test_report_holds_the_result_s_own_numbers(result: BacktestResult, page: Page) -> None:
    trades = page.data["trades"]
    assert len(trades) == len(result.trades) > 50
    for row, trade in zip(trades, result.trades, strict=True):
        assert row[0] == trade.symbol == EVIL
        assert row[2:4] == [trade.entry_time.timestamp(), trade.exit_time.timestamp()]
        assert row[5:8] == [
            float(trade.entry_price), float(trade.exit_price), float(trade.net_pnl),
        ]  # fmt: skip
    series = page.data["series"]
    equity = series["equity"]
    assert len(equity["t"]) == len(equity["equity"]) == len(equity["harsher"]) == 400
    assert sum(equity["t"]) == result.equity.timestamps[-1]
    assert equity["equity"][-1] == pytest.approx(result.stats.final_equity, rel=1e-6)
    drawdown = series["drawdown"]["drawdown"]
    assert min(drawdown) == pytest.approx(result.stats.max_drawdown, rel=1e-6)
    assert max(series["p0"]["high"]) == max(waves(400)) + 1
    assert min(series["p0"]["low"]) == min(waves(400)) - 1


def test_report_loads_nothing_and_allows_only_its_own_script(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "base", "form"}
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    [policy] = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    own = base64.b64encode(sha256(page.texts["script"][-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{own}'" in policy
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


def test_report_names_that_are_markup_stay_text(
    result: BacktestResult, stressed: BacktestResult, page: Page
) -> None:
    text = render(result, stressed)
    assert text.count("</script") == 2
    assert EVIL not in text
    assert "i" not in {tag for tag, _ in page.elements}
    assert EVIL in page.texts["h3"]
    assert EVIL in {a.get("data-symbol") for _, a in page.elements}
    assert page.data["symbols"] == [EVIL]


def test_report_of_a_failure_escapes_its_text() -> None:
    with pytest.raises(BacktestError, match="too <much>") as caught:
        backtest.run(lambda: make(*waves(30), raise_on=20))
    assert isinstance(caught.value.partial, BacktestResult)
    page = Page(render(caught.value.partial))
    assert "much" not in {tag for tag, _ in page.elements}
    assert any("too <much>" in text for text in page.texts["p"])


def test_report_says_whether_its_count_of_bars_has_the_warm_up() -> None:
    def said(**period: Any) -> str:
        page = Page(render(backtest.run(lambda: make(*waves(30)), **period)))
        return page.texts["p"][0]

    assert "· 30 bars ·" in said()
    counted = "· 30 bars, those before the period included ·"
    assert counted in said(start=START + timedelta(days=10))


def test_report_manifest_counts_the_events(result: BacktestResult, page: Page) -> None:
    replay = result.replay
    [said] = [text for text in page.texts["td"] if text.endswith(" executions")]
    assert said.split(", ") == [
        f"{replay.data} data", f"{replay.signals} signals",
        f"{replay.orders} orders", f"{replay.executions} executions",
    ]  # fmt: skip


def test_report_of_equal_runs_is_equal_to_the_byte(tmp_path: Path) -> None:
    demo = str(TOP / "examples" / "demo" / "app.py")
    one = backtest.run(demo).report(tmp_path / "one.html").read_bytes()
    two = backtest.run(demo).report(str(tmp_path / "two.html")).read_bytes()
    assert one == two
    assert str(tmp_path).encode() not in one
    assert b"\r" not in one


def test_report_says_what_flatters_and_what_the_harsher_exchange_leaves(
    result: BacktestResult, stressed: BacktestResult, page: Page
) -> None:
    assert "no fees were paid" in page.texts["li"]
    assert "shorts were borrowed for nothing" in page.texts["li"]
    assert stressed.stats.final_equity < result.stats.final_equity
    assert f"{stressed.stats.total_return:.2%}" in page.texts["b"]
    alone = Page(render(result))
    assert "no run on a harsher exchange" in " ".join(alone.texts["p"])


def test_harsher_exchange_charges_slips_and_caps(stressed: BacktestResult) -> None:
    assert stressed.policy == (
        "conservative-v1 with price_improvement=False, volume_cap=0.05, "
        "slippage StressedSlippage(model=NoSlippage())"
    )
    assert stressed.stats.commissions > 0
    assert stressed.run_stressed is None


def test_harsher_exchange_doubles_what_is_more_than_its_least() -> None:
    executor = PaperExecutor(
        fees=FeePerShare(Decimal(1)), slippage=SlippageTicks(2, Decimal("0.5"))
    )
    # The order of the third bar fills at the fourth's open, 104.
    found = backtest.run(lambda: make(100, 102, 103, 104, executor=executor), stressed=True)
    assert found.stats.commissions == 20
    assert found.account.position(EVIL).average_price == 106


def test_report_survives_a_harsher_run_that_fails(tmp_path: Path) -> None:
    runs = iter((0, 20))
    found = backtest.run(lambda: make(*waves(30), raise_on=next(runs)))
    page = Page(found.report(tmp_path / "r.html").read_text("utf-8"))
    [said] = [text for text in page.texts["b"] if "did not reach its end" in text]
    assert "strategy 'alternates' failed" in said
    assert "too <much>" in said
    series = page.data["series"]["equity"]
    assert len(series["equity"]) == 30
    assert [value is None for value in series["harsher"]] == [False] * 19 + [True] * 11


def test_run_harsher_needs_an_exchange_of_ours_and_a_fresh_app() -> None:
    assert backtest.run(make(1, 2)).run_stressed is None
    bare = App(ingestors=[Prices(1, 2)])
    with pytest.raises(ConfigError, match="no PaperExecutor"):
        backtest.run(bare, stressed=True)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_report_of_next_to_nothing_is_a_page(count: int) -> None:
    found = backtest.run(lambda: make(*waves(count)))
    assert "No trade was closed." in Page(render(found, found)).texts["p"]


def test_report_of_nothing_but_flat_prices_is_a_page() -> None:
    page = Page(render(backtest.run(App(ingestors=[Prices(*[5.0] * 30)]))))
    assert page.data["trades"] == []


def test_report_in_a_folder_that_is_not_there_is_an_error(
    result: BacktestResult, tmp_path: Path
) -> None:
    with pytest.raises(BacktestError, match=r"cannot write the report .*gone"):
        result.report(tmp_path / "gone" / "r.html", stressed=False)


def test_report_of_two_hundred_thousand_bars_stays_small(result: BacktestResult) -> None:
    curve = EquityCurve(100_000.0)
    account = Account(Decimal(100_000))
    bars = [Bar.from_event(event) for event in Prices(*waves(1000)).read()]
    for minute in range(200_000):
        stamp = START + timedelta(minutes=minute)
        curve.record(stamp, account)
        bar = bars[minute % 1000]
        assert bar is not None
        curve.prices.see(stamp.timestamp(), bar)
    rows = 8000 // len(result.trades)
    replay = replace(result.replay, account=Many(result.account, rows))
    text = render(replace(result, equity=curve, replay=replay))
    assert len(text) < 1_500_000
    data = Page(text).data
    assert len(data["trades"]) == 3000
    assert max(data["series"]["p0"]["high"]) == max(waves(1000)) + 1
    assert "The last 3,000 are here" in text
    assert f"Of {rows * len(result.trades):,} trades the last 3,000 are drawn" in text


def test_run_within_an_event_loop_works_as_in_a_notebook() -> None:
    async def cell() -> BacktestResult:
        return backtest.run(lambda: make(*waves(10)))

    assert asyncio.run(cell()).stats.final_equity


def test_manifest_names_the_app_the_data_and_their_digests(tmp_path: Path) -> None:
    demo = TOP / "examples" / "demo" / "app.py"
    manifest = backtest.run(f"{demo}:app").manifest
    assert manifest.app_digest == sha256(demo.read_bytes()).hexdigest()
    assert [file.name for file in manifest.data] == ["AAPL.csv", "IBM.csv", "MSFT.csv"]
    ibm = (TOP / "examples" / "data" / "IBM.csv").read_bytes()
    assert (manifest.data[1].size, manifest.data[1].sha256) == (len(ibm), sha256(ibm).hexdigest())
    assert ("strategy", "rsi", "RsiStrategy") in manifest.components
    assert (manifest.policy, manifest.fees) == ("conservative-v1", "NoFees()")
    answer = json.loads(json.dumps(backtest.run(str(demo)).to_json()))
    assert answer["manifest"]["data"][0]["name"] == "AAPL.csv"


def test_command_line_writes_the_report_of_a_partial_run_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from ingenium import App, Strategy\n"
        "from ingenium.brokers import PaperExecutor\n"
        "from ingenium.ingestors import CsvIngestor\n"
        "from ingenium.portfolios import FixedQuantity\n"
        "class Raises(Strategy):\n"
        "    count = 0\n"
        "    def on_bar(self, bar):\n"
        "        self.count += 1\n"
        "        if self.count == 1000:\n"
        "            raise ValueError('enough')\n"
        "def app():\n"
        f"    return App(ingestors=[CsvIngestor({str(TOP / 'examples/data/IBM.csv')!r})],\n"
        "        strategies=[Raises()], portfolio=FixedQuantity(1), executor=PaperExecutor())\n"
    )
    ended = ingenium("backtest", "app.py:app", "--report", "r.html", cwd=tmp_path)
    assert ended.code == 1
    assert "strategy 'raises' failed on DataEvent of IBM at 2004-02-25" in ended.err
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    failures = [t for t in page.texts["p"] if "did not reach its end" in t]
    assert "ValueError: enough" in failures[0]
    assert len(page.data["series"]["equity"]["t"]) == 999


def test_command_line_report_prints_what_the_harsher_exchange_leaves(tmp_path: Path) -> None:
    demo = str(TOP / "examples" / "demo" / "app.py")
    ended = ingenium("backtest", demo, "--report", "r.html", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert re.search(r"on a harsher exchange: total return -?\d+\.\d\d%", ended.out)
    assert "report: r.html" in ended.out
    plain = ingenium("backtest", demo, "--report", "p.html", "--no-stress", cwd=tmp_path)
    assert "harsher exchange:" not in plain.out
    assert (tmp_path / "p.html").stat().st_size < (tmp_path / "r.html").stat().st_size
    gone = ingenium("backtest", demo, "--report", "no/r.html", "--no-stress", cwd=tmp_path)
    assert gone.code == 2
    assert "--report no/r.html: folder no does not exist" in gone.err


# Parts.


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=500), st.integers(4, 40))
def test_thinned_line_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    places = extremes(values, most)
    kept = [values[place] for place in places]
    assert places == sorted(set(places))
    assert len(places) <= max(most, 4) + 2
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert (min(kept), max(kept)) == (min(values), max(values))


@given(st.integers(1, 20_000), st.integers(1, 50))
def test_price_track_stays_small_and_keeps_extremes(count: int, most: int) -> None:
    track = PriceTrack()
    for minute in range(count):
        price = 100 + (minute * 7919) % 1009
        track.add(minute * 60.0, price + 1, price - 1, price)
    thin = track.at_most(most)
    prices = [100 + (minute * 7919) % 1009 for minute in range(count)]
    for each in (track, thin):
        assert each.bars == count
        assert max(each.high) == max(prices) + 1
        assert min(each.low) == min(prices) - 1
        assert (each.times[-1], each.close[-1]) == ((count - 1) * 60.0, prices[-1])
        assert list(each.times) == sorted(set(each.times))
        assert len(each.times) == len(each.high) == len(each.low) == len(each.close)
    assert len(track) <= 4096
    assert len(thin) <= most


def test_months_belong_to_the_bars_that_end_in_them() -> None:
    curve = EquityCurve(100.0)
    for date, equity in (
        (datetime(2024, 1, 15, tzinfo=UTC), 110),
        # This bar ends when February begins: it was traded in January.
        (datetime(2024, 2, 1, tzinfo=UTC), 121),
        (datetime(2024, 2, 20, tzinfo=UTC), 60.5),
        (datetime(2025, 1, 10, tzinfo=UTC), 121),
    ):
        curve.record(date, Account(Decimal(str(equity))))
    years = monthly_returns(curve)
    assert years[2024] == pytest.approx({1: 0.21, 2: -0.5, 0: -0.395})
    assert years[2025] == pytest.approx({1: 1.0, 0: 1.0})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (99_900, 100_030, ["99,900", "99,950", "100,000"]),
        (-12_000, 480_000, ["0", "100k", "200k", "300k", "400k"]),
        (1.17, 1.2, ["1.17", "1.18", "1.19", "1.20"]),
        (0.9e-8, 2.1e-8, ["0.0000000100", "0.0000000125", "0.0000000150"]),
        (0, 11, ["0", "2.5", "5.0", "7.5", "10.0"]),
    ],
)
def test_ticks_are_round_and_told_apart(low: float, high: float, expected: list[str]) -> None:
    texts = value_texts(value_ticks(low, high))
    assert len(set(texts)) == len(texts)
    assert texts[: len(expected)] == expected


@pytest.mark.parametrize("seconds", [60, 3600, 86_400, 10 * 86_400, 90 * 86_400, 1e9])
def test_time_ticks_are_few_and_told_apart(seconds: float) -> None:
    first = START.timestamp() + 12_345
    ticks = time_ticks(first, first + seconds)
    assert len(ticks) <= 10
    assert len({text for _, text in ticks}) == len(ticks)
    assert all(first < time < first + seconds for time, _ in ticks)


def test_line_breaks_where_there_is_no_value() -> None:
    scale = Scale(0.0, 100.0, 0.0, 10.0)
    path = line(scale, [0, 50, 75, 100], [0, 10, math.nan, 5])
    assert path == "M0 10000l50000 -10000M100000 5000"


def test_csv_ingestor_lists_the_files_that_it_reads() -> None:
    folder = TOP / "examples" / "data"
    assert [path.name for path in CsvIngestor(folder).files()] == [
        "AAPL.csv",
        "IBM.csv",
        "MSFT.csv",
    ]
    assert Prices().files() == ()


def test_report_shows_what_went_wrong_in_words(result: BacktestResult) -> None:
    problems = (
        "strategy 's' waits for <B>, which no ingestor sent",
        *["execution e: no price"] * 9,
    )
    text = render(replace(result, problems=problems))
    assert "strategy &#x27;s&#x27; waits for &lt;B&gt;, which no ingestor sent" in text
    assert text.count("execution e: no price") == 9
    assert "<h2>Problems</h2>" in text
    assert "<h2>Problems</h2>" not in render(replace(result, problems=()))


def test_report_that_cannot_be_written_leaves_the_old_one(
    result: BacktestResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("the old one")
    write_text = Path.write_text

    def fill_the_disk(self: Path, text: str, **options: Any) -> int:
        write_text(self, text[:1000], **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(BacktestError, match=r"cannot write the report .*: No space left on device"):
        result.report(path, stressed=False)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]
