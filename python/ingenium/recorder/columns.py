"""Column types: money is never a float, and time is whole nanoseconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, LargeBinary, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Money", "amount", "blob", "moment", "number", "text"]


class Money(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC in PostgreSQL, plain text in SQLite, whose numbers are floats."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type for a database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return the value to write."""
        if value is None or dialect.name != "sqlite":
            return value
        return format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the value read."""
        del dialect
        return None if value is None else Decimal(value)


def text(name: str, *, is_key: bool = False) -> Column[str]:
    """Return a column of text; empty where nothing is stated."""
    return Column(name, Text, primary_key=is_key, nullable=False)


def number(name: str, *, is_key: bool = False) -> Column[int]:
    """Return a column of whole numbers."""
    return Column(name, BigInteger, primary_key=is_key, autoincrement=False, nullable=False)


def moment(name: str, *, is_key: bool = False) -> Column[int]:
    """Return a column of nanoseconds since 1970, UTC."""
    column = number(name, is_key=is_key)
    column.info["is_time"] = True
    return column


def amount(name: str) -> Column[Decimal]:
    """Return a column of money, a price or a quantity; NULL where none is stated."""
    return Column(name, Money, nullable=True)


def blob(name: str) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary, nullable=False)
