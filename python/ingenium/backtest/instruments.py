"""Facts about an instrument derived from its symbol: currency and point value."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["is_currency_pair", "point_value", "quote_currencies"]

_WORDS = """
AUD BRL CAD CHF CLP CNH CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR NOK NZD PHP
PLN RON RUB SEK SGD THB TRY TWD USD ZAR
"""
_SUFFIXES = """
AS=EUR AT=EUR AX=AUD BD=HUF BE=EUR BK=THB BO=INR BR=EUR CN=CAD CO=DKK DE=EUR DU=EUR F=EUR HE=EUR
HK=HKD HM=EUR IR=EUR IS=TRY JK=IDR JO=ZAC KL=MYR KQ=KRW KS=KRW L=GBX LS=EUR MC=EUR MI=EUR MU=EUR
MX=MXN NE=CAD NS=INR NZ=NZD OL=NOK PA=EUR SA=BRL SI=SGD SN=CLP SR=SAR SS=CNY ST=SEK SW=CHF SZ=CNY
T=JPY TA=ILA TO=CAD TW=TWD TWO=TWD V=CAD VI=EUR WA=PLN
"""
_ROOTS = """
ES=50 MES=5 NQ=20 MNQ=2 YM=5 MYM=0.5 RTY=50 M2K=5 DX=1000 VX=1000 CL=1000 MCL=100 QM=500 BZ=1000
NG=10000 RB=42000 HO=42000 GC=100 MGC=10 SI=5000 HG=25000 PL=50 PA=100 ZC=50 ZS=50 ZW=50 KE=50
ZL=600 ZM=100 LE=400 HE=400 GF=500 ZB=1000 UB=1000 ZN=1000 TN=1000 ZF=1000 ZT=2000 6A=100000
6B=62500 6C=100000 6E=125000 6J=12500000 6N=100000 6S=125000 6M=500000 KC=375 SB=1120 CT=500
CC=10 OJ=150 FDAX=25 FDXM=5 FESX=10 FGBL=1000 FGBM=1000 FGBS=1000
"""


def _table(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split()]
    return {name: value for name, _, value in pairs}


_MONEY = frozenset(_WORDS.split())
_COINS = frozenset(("ADA", "BNB", "BTC", "DOGE", "DOT", "ETH", "LTC", "SOL", "TRX", "XBT", "XRP"))
_DOLLARS = dict.fromkeys(("BUSD", "DAI", "FDUSD", "TUSD", "USDC", "USDT"), "USD")
_TETHERS = ("USDC", "USDT")
_QUOTES = (*_DOLLARS, *sorted(_MONEY), *sorted(_COINS))
_LISTED_IN = _table(_SUFFIXES)
"""Currency of prices by Yahoo's suffix for the exchange."""
_POINTS = _table(_ROOTS)
"""Value of one point of a future, in its currency, by its root symbol."""

_CONTRACT = re.compile(
    r"[@/#]?([A-Z0-9]{1,4}?)(?:[FGHJKMNQUVXZ](?:\d{1,2}|20\d\d)|=F|\d!)|[@/#]([A-Z0-9]{1,4})"
)
_SLASHED = re.compile(r"([A-Z0-9]{2,6})[/\-_:]([A-Z]{3,5})")


def _pair(symbol: str) -> tuple[str, str] | None:
    """Return base and quote of a pair such as ``EUR/USD``, ``EURUSD=X`` or ``BTCUSDT``."""
    text = symbol.upper().removesuffix("=X").partition(".")[0]
    found = _SLASHED.fullmatch(text)
    if found is not None:
        base, quote = found.groups()
        return (base, quote) if quote in _QUOTES else None
    for quote in _QUOTES:
        base = text.removesuffix(quote)
        if (
            base != text
            and (base in _MONEY or base in _COINS or quote in {"USDT", "USDC"})
            and base
        ):
            return base, quote
    return None


def is_currency_pair(symbol: str) -> bool:
    """Return whether a symbol is a pair of two fiat currencies, such as ``EUR/USD``."""
    found = _pair(symbol)
    return found is not None and set(found) <= _MONEY


def quote_currencies(symbols: Iterable[str]) -> dict[str, str]:
    """Return the quote currency of each symbol, where its name states it.

    Stablecoins count as the dollars that they represent. A plain ticker next to one with an
    exchange suffix is listed in New York, as Yahoo writes it.

    Args:
        symbols: Names of instruments.

    Returns:
        Currencies by symbol; symbols without a known currency are left out.
    """
    found: dict[str, str] = {}
    plain: list[str] = []
    has_suffix = False
    for symbol in symbols:
        stem, _, suffix = symbol.rpartition(".")
        if (pair := _pair(symbol)) is not None:
            found[symbol] = _DOLLARS.get(pair[1], pair[1])
        elif stem and suffix in _LISTED_IN:
            found[symbol] = _LISTED_IN[suffix]
            has_suffix = True
        elif symbol.isalpha() and symbol.isupper():
            plain.append(symbol)
    if has_suffix:
        found |= dict.fromkeys(plain, "USD")
    return found


def point_value(symbol: str) -> float | None:
    """Return the value of one point of a future; ``None`` for other or unknown symbols."""
    found = _CONTRACT.fullmatch(symbol)
    if found is None:
        return None
    value = _POINTS.get(found[1] or found[2])
    return None if value is None else float(value)
