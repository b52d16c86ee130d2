"""Names of months in the languages of vendors and spreadsheets."""

from __future__ import annotations

__all__ = ["month_of"]

# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Turkish, Russian:
# the first letters of names, as in abbreviations.
_BEGINNINGS = (
    "jan ene gen sty oca янв",
    "feb fév fev lut şub фев",
    "mar mär mrz mae maa mrt мар",
    "apr avr abr kwi nis апр",
    "may mai mag mei maj мая май",
    "jun juin giu cze haz июн",
    "jul juil lug lip tem июл",
    "aug aoû aou ago sie ağu авг",
    "sep set wrz eyl сен",
    "oct okt ott out paź paz eki окт",
    "nov lis kas ноя",
    "dec dez déc dic gru ara дек",
)
_MONTHS = {name: i for i, names in enumerate(_BEGINNINGS, 1) for name in names.split()}


def month_of(name: str) -> int:
    """Return the number of a month, from 1; 0 when the name is unknown."""
    text = name.casefold()
    return _MONTHS.get(text[:3], 0) or _MONTHS.get(text[:4], 0)
