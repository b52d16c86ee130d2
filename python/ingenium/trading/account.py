"""Accounts: cash, positions and P&L, booked from fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from ingenium.errors import ComponentError
from ingenium.events import Side
from ingenium.state.rows import LogRow, read_row, write_row
from ingenium.trading.bar import Bar
from ingenium.trading.fill import Fill
from ingenium.trading.holding import Holding, part_of
from ingenium.trading.money import EXACT, ZERO, Number, to_decimal
from ingenium.trading.numbers import NUMBER_LIMIT, parse_price
from ingenium.trading.position import Position
from ingenium.trading.recent_ids import RecentIds
from ingenium.trading.trade import Trade

__all__ = ["LARGEST_PRICE", "Account"]

# Enum member lookup is slow.
_BUY = Side.BUY

# Limits memory in a run without an end.
_KEPT_TRADES = 1_000
_KEPT_IDS = 10_000
LARGEST_PRICE = float(NUMBER_LIMIT)
"""Exclusive upper bound of prices."""


class _Totals(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The saved state of an account, without its holdings."""

    starting_cash: Decimal
    cash: Decimal
    commissions: Decimal
    realized_pnl: Decimal
    bookings: int
    trades: int


class Account:
    """Cash and positions at average cost, long and short.

    At any time and to the last digit::

        equity = cash + sum of market values
               = starting cash + realized_pnl + unrealized_pnl - commissions

    Sums and products are exact. A partial close takes its share of the cost rounded to 28 digits;
    the rounding error stays in the cost of the remaining position.

    Args:
        cash: Starting cash.

    Raises:
        ConfigError: Cash is not a finite number.
    """

    __slots__ = (
        "_booked",
        "_bookings",
        "_cash",
        "_commissions",
        "_holdings",
        "_logged",
        "_marks",
        "_realized_pnl",
        "_regrown",
        "_starting_cash",
        "_touched",
        "_trades",
        "_trades_before",
    )

    def __init__(self, cash: Number = Decimal(100_000)) -> None:
        self._starting_cash = self._cash = to_decimal(cash, "cash")
        self._commissions = ZERO
        self._realized_pnl = ZERO
        self._holdings: dict[str, Holding] = {}
        self._marks: dict[str, str | Decimal | Bar] = {}
        self._trades: list[Trade] = []
        self._booked = RecentIds()
        self._bookings = 0
        # Tracked only when the account is saved, which a backtest never does.
        self._touched: set[str] | None = None
        self._logged = 0
        self._trades_before = 0
        self._regrown: dict[int, Trade] = {}

    @property
    def starting_cash(self) -> Decimal:
        """Starting cash."""
        return self._starting_cash

    @property
    def cash(self) -> Decimal:
        """Cash after commissions, including the proceeds of short sales."""
        return self._cash

    @property
    def commissions(self) -> Decimal:
        """Commissions paid so far."""
        return self._commissions

    @property
    def realized_pnl(self) -> Decimal:
        """Realized P&L before commissions: the sum of ``pnl`` of all trades."""
        return self._realized_pnl

    @property
    def unrealized_pnl(self) -> Decimal:
        """P&L of open positions at the last prices, before commissions."""
        total = ZERO
        for symbol, holding in self._holdings.items():
            if holding.quantity:
                value = EXACT.multiply(holding.quantity, self._known_price(symbol))
                total = EXACT.add(total, EXACT.subtract(value, holding.cost))
        return total

    @property
    def equity(self) -> Decimal:
        """Cash and the market value of all positions."""
        total = self._cash
        for symbol, holding in self._holdings.items():
            if holding.quantity:
                value = EXACT.multiply(holding.quantity, self._known_price(symbol))
                total = EXACT.add(total, value)
        return total

    @property
    def gross_value(self) -> Decimal:
        """Market value of all positions, long and short, each as a positive number."""
        total = ZERO
        for symbol, holding in self._holdings.items():
            if holding.quantity:
                value = EXACT.multiply(holding.quantity, self._known_price(symbol))
                total = EXACT.add(total, value.copy_abs())
        return total

    @property
    def trades(self) -> Sequence[Trade]:
        """Closed round trips, ordered by the start of their exits; a live view.

        The last trade of a symbol grows with each partial fill of its exit order.
        Trades from before a restart are only counted, in `trades_before`, unless they were
        restored. The same holds for all but the last 1,000 to 2,000 where trades are saved as they
        come.
        """
        return self._trades

    @property
    def trades_before(self) -> int:
        """Number of round trips closed before the first of `trades`."""
        return self._trades_before

    @property
    def positions(self) -> Mapping[str, Position]:
        """The open positions by symbol, in the order in which the symbols were first traded."""
        return {s: self.position(s) for s, holding in self._holdings.items() if holding.quantity}

    @property
    def quantities(self) -> dict[str, Decimal]:
        """Quantity held by symbol, negative for shorts; cheaper than `positions`."""
        return {s: holding.quantity for s, holding in self._holdings.items() if holding.quantity}

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat when there is none."""
        holding = self._holdings.get(symbol)
        if holding is None:
            return Position(symbol, last_price=self.price(symbol))
        return Position(
            symbol, holding.quantity, holding.cost, self.price(symbol), holding.realized_pnl
        )

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price of a symbol: its last mark, else its last fill price."""
        mark = self._marks.get(symbol)
        if mark is None or isinstance(mark, Decimal):
            return mark
        text = mark if isinstance(mark, str) else mark.close_text
        price = self._marks[symbol] = parse_price(text, "DataEvent", "Ohlc.Close")
        return price

    def mark(self, symbol: str, price: Decimal | str) -> None:
        """Record the last price of a symbol.

        Cheap enough to call for each bar: a text is only checked, and parsed on demand.

        Args:
            symbol: Name of the instrument.
            price: In the instrument's currency; a text in the wire format of events.

        Raises:
            DecodeError: The text is not a decimal; the last price is kept.
        """
        if isinstance(price, str) and not (
            len(price) < 16 and price.replace(".", "", 1).isdigit() and price.isascii()
        ):
            price = parse_price(price, "DataEvent", "Ohlc.Close")
        self._marks[symbol] = price

    @property
    def marks(self) -> dict[str, str | Decimal | Bar]:
        """Last prices by symbol, live; for speed, replays store bars below `LARGEST_PRICE` here."""
        return self._marks

    def mark_bar(self, bar: Bar) -> None:
        """Record the close of a bar as the last price; the fastest way.

        Raises:
            DecodeError: The close is too large; the last price is kept.
        """
        if bar.close < LARGEST_PRICE:
            self._marks[bar.symbol] = bar
        else:
            self.mark(bar.symbol, bar.texts.close)

    @property
    def bookings(self) -> int:
        """Number of fills booked."""
        return self._bookings

    def has_booked(self, fill_id: str) -> bool:
        """Return whether a fill with this id is among those remembered as booked."""
        return fill_id in self._booked

    def book(self, fill: Fill) -> bool:
        """Book a fill.

        Returns:
            False when a fill with this id is among the last 100,000 booked; nothing changes then.
            Fills without an id cannot be told apart and are all booked.
        """
        if fill.id and not self._booked.add(fill.id):
            return False
        self._bookings += 1
        value = EXACT.multiply(fill.signed_quantity, fill.price)
        self._cash = EXACT.subtract(self._cash, value)
        if fill.commission:
            self._cash = EXACT.subtract(self._cash, fill.commission)
            self._commissions = EXACT.add(self._commissions, fill.commission)
        self._marks.setdefault(fill.symbol, fill.price)
        holding = self._holdings.get(fill.symbol)
        if holding is None:
            holding = Holding(fill.time, number=len(self._holdings))
            self._holdings[fill.symbol] = holding
        if self._touched is not None:
            self._touched.add(fill.symbol)
        held = holding.quantity
        if not held or (held > 0) == (fill.side is _BUY):
            holding.open(fill, fill.signed_quantity, fill.commission)
            return True
        closing = min(held.copy_abs(), fill.quantity)
        fee = part_of(fill.commission, closing, fill.quantity)
        self._close(holding, fill, closing, fee)
        if rest := EXACT.subtract(fill.quantity, closing):
            signed = rest if fill.side is _BUY else rest.copy_negate()
            holding.open(fill, signed, EXACT.subtract(fill.commission, fee))
        return True

    # Persistence. Ids of booked fills and last prices are not saved; prices come with the next
    # data.

    def sections(self) -> Iterable[str]:
        """Return the row sections: symbols, and ``""`` for the account itself; see `RowWatch`."""
        return ["", *self._holdings]

    def rows_of(self, section: str) -> dict[str, bytes]:
        """Return the rows of a section: ``account`` or ``holding/<symbol>``."""
        if section:
            holding = self._holdings.get(section)
            return {} if holding is None else {f"holding/{section}": write_row(holding)}
        totals = _Totals(
            self._starting_cash,
            self._cash,
            self._commissions,
            self._realized_pnl,
            self._bookings,
            self._trades_before + len(self._trades),
        )
        return {"account": write_row(totals)}

    def take_touched(self) -> Iterable[str] | None:
        """Return the sections changed by fills since the last call; see `SectionedRows`."""
        touched, self._touched = self._touched, set()
        return None if touched is None else touched | {""}

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Restore saved rows into an account that has booked nothing.

        The last price of a symbol is unknown until its next mark or fill.

        Raises:
            ComponentError: The account has booked a fill, or a row cannot be read.
        """
        if self._bookings:
            raise ComponentError(
                f"account has already booked {self._bookings} fills: restore into a new account"
            )
        holdings: list[tuple[str, Holding]] = []
        for key, data in rows.items():
            if key == "account":
                totals = read_row(_Totals, data, key)
                self._starting_cash, self._cash = totals.starting_cash, totals.cash
                self._commissions = totals.commissions
                self._realized_pnl = totals.realized_pnl
                self._bookings = totals.bookings
                self._trades_before += totals.trades
            else:
                holdings.append((key.partition("/")[2], read_row(Holding, data, key)))
        self._holdings.update(sorted(holdings, key=lambda item: item[1].number))

    def take_log(self) -> list[LogRow]:
        """Return the trades closed since the last call, of kind ``trade`` and numbered from 1.

        A trade is returned again when its exit order has closed more of the position since; of
        several rows with one number the last one counts.
        """
        first = self._logged
        rows = [("trade", str(n), write_row(trade)) for n, trade in self._regrown.items()]
        self._regrown.clear()
        rows += [
            ("trade", str(number), write_row(trade))
            for number, trade in enumerate(self._trades[first:], self._trades_before + first + 1)
        ]
        self._logged = len(self._trades)
        self.trim()
        return rows

    def trim(self) -> None:
        """Keep only the last trades and ids, when the others are saved elsewhere or not needed."""
        self._booked.keep(_KEPT_IDS)
        dropped = len(self._trades) - _KEPT_TRADES
        if dropped > _KEPT_TRADES:
            self._trades_before += dropped
            self._logged = max(0, self._logged - dropped)
            del self._trades[:dropped]

    def restore_trades(self, rows: Iterable[LogRow]) -> None:
        """Restore the last trades into `trades`.

        Args:
            rows: Rows with the highest numbers; of several with one number the last one counts.
        """
        of_number = {int(number): (kind, number, data) for kind, number, data in rows}
        trades = [
            read_row(Trade, data, f"{kind} {number}")
            for _, (kind, number, data) in sorted(of_number.items())
        ]
        self._trades[:0] = trades
        self._trades_before -= len(trades)
        self._logged += len(trades)

    def _close(self, holding: Holding, fill: Fill, closing: Decimal, fee: Decimal) -> None:
        trades, before = self._trades, self._trades_before
        number, trade, pnl = holding.close(fill, closing, fee, before + len(trades) + 1)
        self._realized_pnl = EXACT.add(self._realized_pnl, pnl)
        place = number - before - 1
        if place == len(trades):
            trades.append(trade)
            return
        if place >= 0:
            trades[place] = trade
        if place < self._logged:
            # The trade is from before a restart, or was returned by `take_log`.
            self._regrown[number] = trade

    def _known_price(self, symbol: str) -> Decimal:
        price = self.price(symbol)
        return ZERO if price is None else price

    def __repr__(self) -> str:
        return f"<Account cash {self._cash:f}, {len(self.positions)} open positions>"
