"""Options of the ingestor: scale, outside, prices of 0 and below, symbols of all kinds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingenium import App, Bar, OrderType, Portfolio, Side, Signal, SignalEvent, Strategy, backtest
from ingenium.brokers import PaperExecutor
from ingenium.errors import ConfigError, DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity

HEADER = "Date,Open,High,Low,Close,Volume\n"


def make(folder: Path, rows: Sequence[str], name: str = "X.csv", **arguments: Any) -> CsvIngestor:
    path = folder / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return CsvIngestor(path, period="1d", **arguments)


def texts(ingestor: CsvIngestor) -> list[tuple[str, ...]]:
    return [tuple(bar.texts) for bar in ingestor.read_bars()]


def notes(ingestor: CsvIngestor) -> list[tuple[str, int, str]]:
    return [(note.kind, note.count, note.text) for note in ingestor.notes()]


@pytest.mark.parametrize(
    ("scale", "prices"),
    [
        (None, ("1025", "1030", "999", "1001")),
        ("1", ("1025", "1030", "999", "1001")),
        ("0.01", ("10.25", "10.3", "9.99", "10.01")),
        (0.01, ("10.25", "10.3", "9.99", "10.01")),
        (Decimal("0.0001"), ("0.1025", "0.103", "0.0999", "0.1001")),
        ("1e-9", ("0.000001025", "0.00000103", "0.000000999", "0.000001001")),
        (100, ("102500", "103000", "99900", "100100")),
        ("0.03125", ("32.03125", "32.1875", "31.21875", "31.28125")),
    ],
)
def test_prices_are_multiplied_exactly_and_volumes_are_not(
    tmp_path: Path, scale: Any, prices: tuple[str, ...]
) -> None:
    ingestor = make(tmp_path, ["2024-01-02,1025,1030,999,1001,500"], scale=scale)
    assert texts(ingestor) == [(*prices, "500")]
    (bar,) = ingestor.read_bars()
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(float, prices))


def test_fixed_point_of_databento_keeps_every_digit(tmp_path: Path) -> None:
    row = "2024-01-02,4756750000000,4790250000001,4700000000000,4788999999999,1200"
    assert texts(make(tmp_path, [row], scale="0.000000001")) == [
        ("4756.75", "4790.250000001", "4700", "4788.999999999", "1200")
    ]


def test_scale_holds_for_the_adjusted_close_too(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("Date,Open,High,Low,Close,Adj Close\n2024-01-02,1000,1200,900,1100,550\n")
    (bar,) = CsvIngestor(path, period="1d", scale="0.01", adjusted=True).read_bars()
    assert bar.texts[:4] == ("5", "6", "4.5", "5.5")


@pytest.mark.parametrize("scale", [0, -1, "0", "-0.01", "x", "", "nan", "inf", True, float("nan")])
def test_scale_that_is_no_positive_number_is_refused(scale: Any) -> None:
    with pytest.raises(ConfigError, match=r"scale is .*: pass a number above 0"):
        CsvIngestor("x.csv", scale=scale)


# Low 9, high 12; open and close of each row beyond them or not.
OUTSIDE = [
    ("2024-01-02,10,12,9,11,500", ("10", "12", "9", "11"), ("10", "12", "9", "11")),
    ("2024-01-03,10,12,9,12.5,500", ("10", "12", "9", "12"), ("10", "12.5", "9", "12.5")),
    ("2024-01-04,10,12,9,8.5,500", ("10", "12", "9", "9"), ("10", "12", "8.5", "8.5")),
    ("2024-01-05,13,12,9,11,500", ("12", "12", "9", "11"), ("13", "13", "9", "11")),
    ("2024-01-08,8,12,9,11,500", ("9", "12", "9", "11"), ("8", "12", "8", "11")),
    ("2024-01-09,13,12,9,8,500", ("12", "12", "9", "9"), ("13", "13", "8", "8")),
    ("2024-01-10,13,12,9,14,500", ("12", "12", "9", "12"), ("13", "14", "9", "14")),
    ("2024-01-11,12,12,9,9,500", ("12", "12", "9", "9"), ("12", "12", "9", "9")),
]  # fmt: skip
ROWS = [row for row, _, _ in OUTSIDE]


def test_open_and_close_beyond_the_range_are_clipped_and_counted(tmp_path: Path) -> None:
    ingestor = make(tmp_path, ROWS, outside="clip")
    assert texts(ingestor) == [(*clipped, "500") for _, clipped, _ in OUTSIDE]
    assert notes(ingestor) == [
        ("clipped", 4, "line 3: close beyond low and high moved between them"),
        ("clipped", 4, "line 5: open beyond low and high moved between them"),
    ]
    assert ingestor.skipped_count == 0


def test_open_and_close_beyond_the_range_are_kept_and_counted(tmp_path: Path) -> None:
    ingestor = make(tmp_path, ROWS, outside="keep")
    assert texts(ingestor) == [(*kept, "500") for _, _, kept in OUTSIDE]
    assert notes(ingestor) == [
        ("clipped", 2, "line 3: high moved out to the close beyond it"),
        ("clipped", 2, "line 4: low moved out to the close beyond it"),
        ("clipped", 3, "line 5: high moved out to the open beyond it"),
        ("clipped", 1, "line 6: low moved out to the open beyond it"),
    ]


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
def test_bars_with_open_or_close_beyond_the_range_are_dropped_and_counted(
    tmp_path: Path, on_bad_row: Any
) -> None:
    ingestor = make(tmp_path, ROWS, outside="drop", on_bad_row=on_bad_row)
    assert [bar.start.day for bar in ingestor.read_bars()] == [2, 11]
    assert ingestor.skipped_count == 6
    assert [row.line for row in ingestor.skipped] == [3, 4, 5, 6, 7, 8]
    assert notes(ingestor) == [
        ("skipped", 6, "line 3: close 12.5 lies outside of low 9 to high 12")
    ]


def test_open_or_close_beyond_the_range_is_an_error_unless_asked_otherwise(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"line 3: close 12.5 lies outside .*outside='clip'"):
        texts(make(tmp_path, ROWS))
    assert len(texts(make(tmp_path, ROWS, on_bad_row="skip"))) == 2


@pytest.mark.parametrize("outside", ["clip", "keep", "drop"])
def test_other_faults_of_a_row_stay_errors(tmp_path: Path, outside: Any) -> None:
    for row in ("2024-01-02,10,9,12,10,1", "2024-01-02,10,12,9,-1,1", "2024-01-02,10,12,9,x,1"):
        with pytest.raises(DataFileError, match="line 2: "):
            texts(make(tmp_path, [row], outside=outside))


@pytest.mark.parametrize("outside", ["raise", "clip", "keep", "drop"])
def test_rounding_of_a_vendor_widens_the_bar_whatever_is_asked(
    tmp_path: Path, outside: Any
) -> None:
    rows = ["2024-01-02,1.0000000001,1,1,1,5", "2024-01-03,1,1,1,0.9999999999,5"]
    ingestor = make(tmp_path, rows, outside=outside)
    assert texts(ingestor) == [
        ("1.0000000001", "1.0000000001", "1", "1", "5"),
        ("1", "1", "0.9999999999", "0.9999999999", "5"),
    ]
    assert notes(ingestor) == []


def test_rounding_of_a_negative_price_widens_the_bar(tmp_path: Path) -> None:
    rows = ["2024-01-02,-1.0000000001,-1,-1,-1,5", "2024-01-03,-1,-1,-1,-0.9999999999,5"]
    assert texts(make(tmp_path, rows, allow_nonpositive=True)) == [
        ("-1.0000000001", "-1", "-1.0000000001", "-1", "5"),
        ("-1", "-0.9999999999", "-1", "-0.9999999999", "5"),
    ]


def test_unknown_outside_is_refused() -> None:
    with pytest.raises(ConfigError, match="outside is 'widen': pass 'raise', 'clip', 'keep'"):
        CsvIngestor("x.csv", outside="widen")  # type: ignore[arg-type]


# May 2020 crude oil around its expiry.
OIL = [
    "2020-04-17,18.00,19.20,17.31,18.27,1000",
    "2020-04-20,17.73,17.85,-40.32,-37.63,1000",
    "2020-04-21,-14.00,13.86,-16.74,10.01,1000",
    "2020-04-22,0,14.00,0,13.78,1000",
    "2020-04-23,-0.50,18.00,-0.50,16.50,1000",
]


def test_prices_of_0_and_below_are_refused_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"line 3: low -40\.32 is not above 0"):
        texts(make(tmp_path, OIL))
    assert texts(make(tmp_path, OIL, allow_nonpositive=True)) == [
        tuple(row.split(",")[1:]) for row in OIL
    ]
    with pytest.raises(DataFileError, match=r"line 2: close -3 lies outside of low -2 to high -1"):
        texts(make(tmp_path, ["2020-04-20,-1,-1,-2,-3,5"], allow_nonpositive=True))
    with pytest.raises(DataFileError, match=r"line 2: high -2 is below low -1"):
        texts(make(tmp_path, ["2020-04-20,-1,-2,-1,-1,5"], allow_nonpositive=True))


def test_prices_of_0_and_below_go_over_the_wire_and_back(tmp_path: Path) -> None:
    ingestor = make(tmp_path, OIL, allow_nonpositive=True)
    bars = list(ingestor.read_bars())
    assert [Bar.from_event(event) for event in ingestor.read()] == bars
    assert bars[1].exact("close") == Decimal("-37.63")


def test_adjusted_prices_have_no_sign(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adjusted and allow_nonpositive exclude each other"):
        make(tmp_path, OIL, adjusted=True, allow_nonpositive=True)


class Hold(Strategy):
    """Long from one day to another."""

    def __init__(self, buy: int, sell: int) -> None:
        super().__init__()
        self.days = {buy: Signal.LONG, sell: Signal.FLAT}

    def on_bar(self, bar: Bar) -> None:
        if bar.start.day in self.days:
            self.send_signal(bar.symbol, self.days[bar.start.day])


def test_exchange_and_account_take_prices_of_0_and_below(tmp_path: Path) -> None:
    app = App(
        ingestors=[make(tmp_path, OIL, allow_nonpositive=True)],
        strategies=[Hold(20, 22)],
        portfolio=FixedQuantity(10, cash=10_000),
        executor=PaperExecutor(),
    )
    result = backtest.run(app)
    (trade,) = result.trades
    # Bought at the open of the 21st, sold at that of the 23rd: 10 * (-0.50 - -14.00).
    assert (trade.entry_price, trade.exit_price, trade.pnl) == (
        Decimal("-14.00"), Decimal("-0.50"), Decimal(135),
    )  # fmt: skip
    assert result.account.cash == 10_135
    assert list(result.equity.equity) == pytest.approx(
        [10_000, 10_000, 10_000 + 240.1, 10_000 + 277.8, 10_135]
    )


class TrailingExit(Portfolio):
    """Buys 10 at the market, with a trailing stop to sell them."""

    def on_signal(self, event: SignalEvent) -> None:
        if event.signal == Signal.LONG:
            self.send_order(event.symbol, Side.BUY, 10)
            self.send_order(
                event.symbol, Side.SELL, 10, type=OrderType.TRAILING_STOP, trail_percent=50,
                time_in_force="gtc",
            )  # fmt: skip


def test_trailing_percent_of_a_negative_price_stays_behind_it(tmp_path: Path) -> None:
    rows = [
        "2024-01-02,-10,-9,-11,-10,1000",
        "2024-01-03,-10,-9.5,-10.5,-10,1000",
        "2024-01-04,-10,-9.5,-10.5,-10,1000",
        "2024-01-05,-10,-9.5,-16,-15.5,1000",
    ]
    app = App(
        ingestors=[make(tmp_path, rows, allow_nonpositive=True)],
        strategies=[Hold(2, 9)],
        portfolio=TrailingExit(),
        executor=PaperExecutor(),
    )
    (trade,) = backtest.run(app).trades
    # The best price is -9.5, half of it is 4.75: the stop at -14.25 is reached on the 5th.
    assert trade.exit_time.day in {5, 6}
    assert trade.exit_price == Decimal("-14.25")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BRK B.csv", "BRK B"),
        ("ES Z4.csv", "ES Z4"),
        ("^GSPC.csv", "^GSPC"),
        ("BTC-USD.csv", "BTC-USD"),
    ],
)
def test_name_of_a_file_may_be_a_symbol_with_a_space_or_signs(
    tmp_path: Path, name: str, symbol: str
) -> None:
    ingestor = make(tmp_path, ["2024-01-02,10,12,9,11,500"], name)
    (event,) = ingestor.read()
    assert event.symbol == symbol


@pytest.mark.parametrize("symbol", ["BRK B", "EUR/USD", "^GSPC", "ES Z4", "BTC-PERP", "50% X"])
def test_symbol_stays_as_it_is_in_bars_signals_and_trades(tmp_path: Path, symbol: str) -> None:
    path = tmp_path / "prices.csv"
    days = [f"2024-01-{day:02},{symbol},10,12,9,{10 + day % 2},500\n" for day in range(2, 12)]
    path.write_text("Date,Symbol,Open,High,Low,Close,Volume\n" + "".join(days))
    for ingestor in (
        CsvIngestor(path, period="1d"),
        CsvIngestor(path, symbol, period="1d", columns={"symbol": None}),
    ):
        app = App(
            ingestors=[ingestor],
            strategies=[_Named([symbol])],
            portfolio=FixedQuantity(10),
            executor=PaperExecutor(),
        )
        result = backtest.run(app)
        assert [trade.symbol for trade in result.trades] == [symbol]
        assert not result.replay.problems


class _Named(Strategy):
    def on_bar(self, bar: Bar) -> None:
        if bar.start.day in {3, 6}:
            self.send_signal(bar.symbol, Signal.LONG if bar.start.day == 3 else Signal.FLAT)
