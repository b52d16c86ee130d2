"""The binary form of PostgreSQL's ``numeric`` for decimals that are text.

Binary ``COPY`` converts nothing, and a decimal object of each amount costs most of a row. Prices
and quantities repeat, so their forms are kept.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import psycopg
from psycopg.adapt import Dumper, PyFormat
from psycopg.postgres import types
from psycopg.pq import Format

__all__ = ["NumericText"]

# A sender may state any number of digits.
_LONGEST = 40
_dump_decimal = psycopg.adapters.get_dumper(Decimal, PyFormat.BINARY)(Decimal).dump


def _form(text: str) -> bytes:
    made = _dump_decimal(Decimal(text))
    assert made is not None  # noqa: S101 - that of a NULL only
    return bytes(made)


_kept_form = lru_cache(maxsize=16_384)(_form)


class NumericText(Dumper):
    """Writes the text of a decimal as ``numeric``."""

    oid = types["numeric"].oid
    format = Format.BINARY

    def dump(self, obj: str) -> bytes:
        """Return the binary form.

        Raises:
            decimal.InvalidOperation: The text is no decimal.
        """
        return _kept_form(obj) if len(obj) <= _LONGEST else _form(obj)
