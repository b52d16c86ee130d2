"""Parse times of day and their time zones."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from ingenium.errors import ConfigError
from ingenium.ingestors.csv._zones import Zone, load_zone

__all__ = ["read_clock", "zone_in_name"]

_CLOCK = re.compile(
    r"([0-9]{1,2})(?:[:.]?([0-9]{2})(?:[:.]?([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"(?:\s*([AaPp])(?:\.\s?)?[Mm]\.?(?![A-Za-z]))?\s*(.*)"
)
_OFFSET = re.compile(
    r"(?:GMT|UTC|UT)? ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?(?::?00)?(?: [A-Z]{2,5}| ?[\[(].*[\])])?",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"[(\[]\s*([^)\]]+?)\s*[)\]]")
_NAME_PIECES = re.compile(r"[^a-z0-9+-]+")
_UTC_NAMES = frozenset(("utc", "gmt"))
_DAY = timedelta(days=1)
_LATEST_OFFSET = timedelta(hours=15)
# Chinese, Japanese and Korean markers before or after hours.
_EASTERN = str.maketrans(
    {"时": ":", "時": ":", "点": ":", "시": ":", "分": ":", "분": ":", "秒": "", "초": ""}
)
_HALVES = {"上午": "AM", "午前": "AM", "오전": "AM", "下午": "PM", "午後": "PM", "오후": "PM"}
_OFFSETS = {
    name: hours
    for hours, names in {
        0.0: "z utc gmt ut wet,coordinated universal time,greenwich mean time",
        1.0: "cet mez west,central european standard time,british summer time",
        2.0: "cest mesz eet sast,central european summer time,eastern european time",
        3.0: "eest msk trt,moscow standard time",
        5.5: ",india standard time,indian standard time",
        7.0: "wib ict",
        8.0: "hkt sgt awst,china standard time,hong kong time,singapore time",
        9.0: "jst kst,japan standard time,korea standard time",
        10.0: "aest,australian eastern standard time",
        11.0: "aedt,australian eastern daylight time",
        12.0: "nzst",
        13.0: "nzdt",
        -3.0: "brt",
        -4.0: "edt,eastern daylight time",
        -5.0: "est cdt,eastern standard time,central daylight time",
        -6.0: "mdt,central standard time,mountain daylight time",
        -7.0: "mst pdt,mountain standard time,pacific daylight time",
        -8.0: "pst akdt,pacific standard time",
        -9.0: "akst",
        -10.0: "hst",
    }.items()
    for place, part in enumerate(names.split(","))
    for name in (part.split() if not place else [part])
}
_ZONES = {
    "et": "America/New_York",
    "eastern time": "America/New_York",
    "new york time": "America/New_York",
    "ct": "America/Chicago",
    "central time": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
    "pacific time": "America/Los_Angeles",
    "central european time": "Europe/Berlin",
}
_SEVERAL = {
    "cst": "Central Standard Time of America or China Standard Time",
    "ist": "that of India, Ireland or Israel",
    "bst": "British Summer Time or that of Bangladesh",
    "ast": "Atlantic or Arabia Standard Time",
    "gst": "Gulf Standard Time or that of Guam",
    "sst": "that of Singapore or Samoa",
    "adt": "Atlantic or Arabia Daylight Time",
}
_known: dict[str, timedelta | Zone | None] = {}


def read_clock(day: datetime, clock: str, zone: Zone, last: datetime | None) -> datetime:
    """Return a time of a day in UTC.

    Args:
        day: Midnight of the day, without a zone.
        clock: Time of day, optionally followed by AM or PM, an offset or the name of a zone.
        zone: Zone if none is stated.
        last: Last time of the series, UTC.

    Raises:
        ValueError: The text cannot be read, or names an unknown zone.
    """
    if not clock.isascii():
        clock = _plain(clock)
    match = _CLOCK.fullmatch(clock)
    if match is None:
        raise ValueError("has no time of day that is known")
    hour_text, minute, second, fraction, half, stated = match.groups()
    hour = int(hour_text)
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("has an hour that does not go with AM or PM")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    if hour == 24 and not (int(minute or 0) or int(second or 0)):
        # The end of a day.
        day, hour = day + _DAY, 0
    time = day.replace(
        hour=hour,
        minute=int(minute or 0),
        second=int(second or 0),
        microsecond=int((fraction or "0")[:6].ljust(6, "0")),
    )
    if not stated:
        return zone.to_utc(time, last, False)
    try:
        place = _known[stated]
    except KeyError:
        place = _place_of(stated)
        if len(_known) < 1_000:
            _known[stated] = place
    if place is None:
        return time.replace(tzinfo=UTC)
    if isinstance(place, Zone):
        return place.to_utc(time, last, False)
    return (time - place).replace(tzinfo=UTC)


def zone_in_name(name: str) -> str:
    """Return the zone that the name of a column states: ``"EET"`` of ``"Time (EET)"``.

    ``"UTC"`` for UTC and GMT, also of ``"Gmt time"``; empty if it states none.
    """
    words = _NAME_PIECES.split(name.lower())
    if _UTC_NAMES.intersection(words) and len(words) < 4 and not any(map(str.isdigit, words)):
        return "UTC"
    for text in _IN_BRACKETS.findall(name):
        key = text.strip().lower()
        with suppress(ValueError):
            if key in _SEVERAL or _place_of(text):
                return str(text.strip())
            return "UTC"
    return ""


def _place_of(text: str) -> timedelta | Zone | None:
    """Return the offset from UTC or the zone written after a time; ``None`` for UTC.

    Raises:
        ValueError: The zone is unknown or ambiguous.
    """
    name = text.strip().replace("\N{MINUS SIGN}", "-")
    if name[0] in "([":
        name = name[1:].rstrip(")]")
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset > _LATEST_OFFSET or int(match[3] or 0) > 59:
            raise ValueError(f"has an offset {text!r} that no zone has")
        return -offset if match[1] == "-" else offset
    key = name.lower().rstrip(".")
    if key in _OFFSETS:
        return timedelta(hours=_OFFSETS[key])
    if key in _SEVERAL:
        raise ValueError(
            f"has the zone {name!r}, which is {_SEVERAL[key]}: pass its timezone, and date_format "
            f"with {name} at its end, such as '%Y-%m-%d %H:%M:%S {name}'"
        )
    if key in _ZONES or "/" in name:
        try:
            return Zone(load_zone(_ZONES.get(key, name)))
        except ConfigError:
            pass
    raise ValueError(
        f"has {name!r} after its time, which is not a known time zone: write its offset, such as "
        "+01:00, or its name in the IANA list, such as Europe/Berlin"
    )


def _plain(clock: str) -> str:
    """Convert Chinese, Japanese and Korean times of day to the usual form."""
    half = next((half for half in _HALVES if half in clock), "")
    text = clock.replace(half, "").translate(_EASTERN).strip().rstrip(":")
    return f"{text} {_HALVES[half]}" if half else text
