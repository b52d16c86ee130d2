"""The books of an executor: positions and prices, and no history that grows."""

from ingenium.events import ExecutionEvent
from ingenium.risk.executor_account import ExecutorAccount


def test_executor_holds_a_part_of_its_closed_trades_only() -> None:
    book = ExecutorAccount()
    for number in range(10_001):
        event = ExecutionEvent(
            id=f"exec_{number}",
            order_id=f"order_{number}",
            symbol="X",
            side="sell" if number % 2 else "buy",
            quantity="1",
            price="100",
            update="filled",
        )
        assert book.follow(event) is None
    account = book.account
    # Every second fill closes a position.
    assert account.trades_before + len(account.trades) == 5_000
    assert len(account.trades) <= 2_000
    assert account.positions["X"].quantity == 1
    assert account.bookings == 10_001
