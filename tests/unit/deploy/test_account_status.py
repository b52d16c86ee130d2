"""What a portfolio says about its account."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.deploy.local.account_status import account_status
from ingenium.events import Side, decode, encode
from ingenium.trading import Account
from ingenium.trading.fill import Fill

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)


def buy(account: Account, symbol: str, quantity: str, price: str) -> None:
    """Book a fill."""
    amount = Decimal(quantity)
    side = Side.BUY if amount > 0 else Side.SELL
    account.book(Fill(symbol=symbol, side=side, quantity=abs(amount), price=Decimal(price)))


def test_sums_are_exact_and_open_positions_come_first() -> None:
    account = Account(Decimal(1000))
    buy(account, "FLAT", "3", "0.1")
    buy(account, "FLAT", "-3", "0.3")
    buy(account, "LONG", "3", "0.1")
    buy(account, "SHORT", "-2", "10.05")
    account.mark("LONG", "0.2")
    account.mark("SHORT", "10.01")
    said = account_status(account, {"LONG": NOON})
    assert [each.symbol for each in said.positions] == ["LONG", "SHORT", "FLAT"]
    assert said.open_positions == 2
    # 1000 - 0.3 + 0.9 - 0.3 + 20.1; and 3 x 0.1 of profit, and 2 x 0.04.
    assert Decimal(said.cash) == Decimal("1020.4")
    assert Decimal(said.realized_pnl) == Decimal("0.6")
    assert said.unrealized_pnl is not None
    assert Decimal(said.unrealized_pnl) == Decimal("0.38")
    assert said.equity is not None
    assert Decimal(said.equity) == Decimal("1000.98")
    assert [each.last_price_time for each in said.positions] == [NOON, None, None]


def test_equity_is_not_said_while_a_price_is_missing() -> None:
    account = Account(Decimal(1000))
    buy(account, "A", "3", "10")
    restored = Account()
    restored.restore(
        {k: v for part in account.sections() for k, v in account.rows_of(part).items()}
    )
    said = account_status(restored, {})
    assert (said.equity, said.unrealized_pnl, said.cash) == (None, None, "970")
    assert said.positions[0].last_price is None


def test_account_of_a_thousand_positions_fits_into_a_status() -> None:
    account = Account(Decimal(1000000))
    for number in range(1_000):
        buy(account, f"S{number}", "1.123456789", "1234.567891234")
    said = account_status(account, {f"S{number}": NOON for number in range(1_000)})
    assert (len(said.positions), said.open_positions) == (200, 1_000)
    status = ComponentStatus(app="a", component="b", account=said)
    payload = encode(status)
    assert len(payload) < 65_536
    assert decode(ComponentStatus, payload) == status
