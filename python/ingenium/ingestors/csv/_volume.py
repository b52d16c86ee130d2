"""Find the volume column: shares, contracts or coins, not money."""

# Words of other scripts.
# ruff: noqa: RUF001

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._words import (
    NO_VOLUME,
    UNDECIDED_VOLUME,
    VOLUMES,
    fold,
    key_of,
)

__all__ = ["check_money", "find_volume"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMES = _words(
    "volume vol volumen volumi volumes umsatz hacim wolumen объем obem 成交量 交易量 出来高 거래량 "
    "handelsvolumen omvang"
)
_SHARES = _words(
    "share shares unit units lot lots contract contracts coin coins pcs piece pieces base from "
    "stuck stuckzahl stk titres titoli titulos acciones acoes quantidade akcje szt aandelen шт "
    "лоты акции adet hisse 股 手 张 株 枚 주 계약 계약수"
)
_MONEY = _words(
    "currency quote to money value notional cash turnover amount 元 万元 円 원 tl rs lacs lakhs "
    "crores real reais zl руб"
)
# Words next to "volume" that make it something other than traded quantity.
_OTHERS = _words(
    "ma sma ema wma avg average mean median rel relative delta change chg pct percent imbalance "
    "profile up down buy buys sell sells bid ask taker maker count adj adjusted prev previous net "
    "cumulative oscillator osc ratio weighted std z score block efp efs otc dark odd put call "
    "spread oi open interest trades usdvalue thousands thousand millions million mn mio 000 000s k "
    "m traded day total 24h 7d 30d ticks tick"
)
_FIAT = _words(
    "USD EUR GBP JPY CHF AUD CAD NZD CNY CNH HKD SGD KRW INR TRY RUB BRL MXN ZAR SEK NOK DKK PLN "
    "CZK HUF THB IDR TWD MYR PHP VND ILS AED SAR ARS CLP COP UAH NGN "
    "USDT USDC BUSD TUSD DAI FDUSD USDP PAX EURT UST EURO EUROS DOLLAR DOLLARS YEN RUPEES"
)
_COINS = _words("BTC XBT ETH BNB SOL XRP ADA DOGE LTC BCH DOT LINK TRX AVAX MATIC XMR EOS ETC XLM")
_KNOWN = _FIAT | _COINS
_MONEY_NAMES = _words(
    "amount turnover value money notional volumeto quotevolume volumequote quoteassetvolume "
    "volumecurrency 成交额 成交金额"
)
_LONG_NAMES = tuple(_NAMES - {"vol"})
_HEADS = _NAMES | {
    word for word in VOLUMES[1] if word.startswith(_LONG_NAMES) or word.endswith(_LONG_NAMES)
}
_PREPOSITIONS = frozenset(("in", "en", "di", "em", "w", "в"))
_PIECES = re.compile(r"[\s_\-./:,()\[\]（）【】]+")
_SYMBOL_PIECES = re.compile(r"[^A-Z0-9]+")
_UNIT = re.compile(r"[A-Z0-9]{2,10}", re.ASCII)


class _Unit(NamedTuple):
    """A volume column that states its unit."""

    place: int
    unit: str


def find_volume(
    name: str, cells: Sequence[str], keys: Sequence[str], hints: Sequence[str]
) -> tuple[int | None, str]:
    """Find the column of the volume.

    Args:
        name: Name of the file, for errors.
        cells: The header.
        keys: The header, converted by `key_of`.
        hints: Names of the instrument, such as ``"BTC/USD"``; the first decisive one wins.

    Returns:
        Index of the column, ``None`` if there is none; and the assumption made, or an empty text.

    Raises:
        DataFileError: Several columns may be the volume.
    """
    whole = [key_of(cell, brackets=True) for cell in cells]
    units: list[_Unit] = []
    plain: list[set[int]] = [{*()} for _ in VOLUMES]
    for place, key in enumerate(whole):
        if key in NO_VOLUME:
            continue
        tier = next((tier for tier, words in enumerate(VOLUMES) if key in words), None)
        if tier is None:
            unit = _unit_of(cells[place])
            if unit == "shares":
                tier = 1
            elif unit:
                units.append(_Unit(place, unit))
        if tier is not None:
            plain[tier].add(place)
    if "timeopen" in keys and "marketcap" in keys:  # CoinMarketCap counts dollars
        plain = [{*()} for _ in VOLUMES]
    based = _base(units, hints)
    for tier, found in enumerate(plain):
        candidates = sorted(found | ({based} if based is not None and tier == 1 else set()))
        if len(candidates) > 1:
            raise _undecided(name, cells, candidates)
        if candidates:
            return candidates[0], ""
    undecided = [place for place, key in enumerate(whole) if key in UNDECIDED_VOLUME]
    if undecided:
        raise _undecided(name, cells, undecided)
    return _by_kind(name, cells, units, hints)


def check_money(
    name: str,
    cells: Sequence[str],
    keys: Sequence[str],
    place: int,
    rows: Sequence[Sequence[str]],
    prices: tuple[int, int],
) -> None:
    """Refuse a volume that is the price times a column whose name suggests money.

    At Poloniex, ``volume`` is money and ``quoteVolume`` quantity; at Huobi, ``vol`` and ``amount``.

    Args:
        name: Name of the file, for errors.
        cells: The header.
        keys: The header, converted by `key_of`.
        place: Index of the volume.
        rows: The first rows.
        prices: Indexes of low and high.

    Raises:
        DataFileError: Each row with both values shows it.
    """
    for other, key in enumerate(keys):
        if other != place and key in _MONEY_NAMES:
            shown = [_is_paid(row, place, other, prices) for row in rows]
            if shown.count(True) and not shown.count(False):
                raise _undecided(name, cells, [other, place])


def _is_paid(row: Sequence[str], place: int, other: int, prices: tuple[int, int]) -> bool | None:
    """Return whether a volume is the price times another column; ``None`` if undecidable."""
    try:
        volume, amount, low, high = (float(row[at]) for at in (place, other, *prices))
    except ValueError:
        return None
    if min(volume, amount, low) <= 0 or volume * low <= amount <= volume * high:
        return None
    # A mean price lies between low and high, except for rounding.
    return amount * low * 0.999 <= volume <= amount * high * 1.001


def _undecided(name: str, cells: Sequence[str], places: Sequence[int]) -> DataFileError:
    words = [cells[place] for place in places]
    column: str | int = words[0] if words.count(words[0]) == 1 else places[0]
    what = (
        f"{words[0]!r} may count what is bought, or money"
        if len(words) == 1
        else f"{' and '.join(map(repr, words))} may each be the volume"
    )
    return DataFileError(
        f"{name}: {what}: say which column counts what is bought with columns={{'volume': "
        f"{column!r}}}, or columns={{'volume': None}} to read none"
    )


def _unit_of(cell: str) -> str:
    """Return the unit that a volume column states.

    ``"shares"``, the name of a currency or coin, or an empty text if it is not a volume.
    """
    pieces = [piece for piece in _PIECES.split(fold(cell).strip("<>*# ")) if piece]
    pieces = [piece for piece in pieces if piece not in _PREPOSITIONS]
    whole = "".join(pieces)
    if whole.startswith("volume") and whole[6:].upper() in _KNOWN:
        unit = whole[6:]
    elif "".join(pieces[:-1]) in _HEADS:
        unit = pieces[-1]
    elif "".join(pieces[1:]) in _HEADS:
        unit = pieces[0]
    else:
        return ""
    if unit in _SHARES:
        return "shares"
    if unit in _OTHERS or unit in _MONEY or unit.isdigit():
        return ""
    upper = unit.upper()
    return upper if _UNIT.fullmatch(upper) else ""


def _base(units: Sequence[_Unit], hints: Sequence[str]) -> int | None:
    """Return the index of the only volume in the base unit of an instrument in the hints."""
    names = [unit.unit for unit in units]
    for hint in hints:
        roles = [_role(unit, names, hint) for unit in names]
        if roles.count("base") == 1:
            return units[roles.index("base")].place
    return None


def _role(unit: str, others: Sequence[str], hint: str) -> str:
    """Return whether a unit is the ``"base"`` or the ``"quote"`` of an instrument, or neither."""
    pieces = [piece for piece in _SYMBOL_PIECES.split(hint.upper()) if piece]
    partners = _KNOWN | set(others)
    for place, piece in enumerate(pieces):
        if piece == unit:
            before = pieces[place - 1] if place else ""
            after = pieces[place + 1] if place + 1 < len(pieces) else ""
            # "BTC-USD" and "Kraken_BTC_USD", but not the USD of "PEPE-USD".
            if after in partners or len(pieces) == 1:
                return "base"
            return "quote" if before else "base"
        # The file's own two units first: USDT and USD are both prefixes of USDTUSD.
        for other in sorted(partners, key=lambda partner: partner not in others):
            if piece == unit + other and unit != other:
                return "base"
            if piece == other + unit and unit != other:
                return "quote"
        if piece.endswith(unit) and len(piece) >= len(unit) + 2 and unit in _KNOWN:
            return "quote"
        if piece.startswith(unit) and piece[len(unit) :].startswith(("USD", "EUR", "PERP")):
            return "base"
    return ""


def _by_kind(
    name: str, cells: Sequence[str], units: Sequence[_Unit], hints: Sequence[str]
) -> tuple[int | None, str]:
    """Choose among volumes whose units no hint identifies as the base."""
    names = [unit.unit for unit in units]
    quotes = {unit for unit in names for hint in hints if _role(unit, names, hint) == "quote"}
    left = [unit for unit in units if unit.unit not in quotes]
    others = [unit for unit in left if unit.unit not in _FIAT]
    unknown = [unit for unit in others if unit.unit not in _COINS]
    if len(others) > 1 or unknown or (len(left) > 1 and not others):
        raise _undecided(name, cells, [unit.place for unit in others or left])
    if others:
        cell = cells[others[0].place]
        return others[0].place, f"{cell!r} is taken for the volume, by its unit"
    return None, ""
