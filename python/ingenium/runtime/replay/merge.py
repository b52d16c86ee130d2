"""Merges several feeds into one, instant by instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ingenium.runtime.replay.feed import Feed, Head, Instant, Item, Run, next_turn

__all__ = ["merged"]

_NEVER = datetime.min.replace(tzinfo=UTC)


def merged(feeds: Sequence[Feed]) -> Iterator[Run | Instant]:
    """Yield the rest of plain feeds, merged in the order of `next_turn`.

    Raises:
        IngeniumError: A source cannot be read further, or goes back in time.
    """
    if len(feeds) == 1:
        return feeds[0].pieces()
    return _instants([_Place(feed) for feed in feeds])


class _Place:
    """Position in a feed.

    Args:
        feed: Its history.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pieces = feed.pieces()
        self._run: Run | None = None
        self._place = 0
        self._items: list[Item] = []
        self._error: Exception | None = None
        self.time = _NEVER
        """The next instant."""
        self.is_over = False
        """Whether there is none."""
        self._go_on()

    def take(self) -> list[Item]:
        """Take the items of the next instant.

        Raises:
            IngeniumError: The feed cannot be read to its end.
        """
        if self._error is not None:
            raise self._error
        items = self._items
        self._go_on()
        return items

    def _go_on(self) -> None:
        run = self._run
        if run is None:
            try:
                piece = next(self._pieces, None)
            except Exception as error:  # noqa: BLE001
                # Its turn comes with the incomplete instant.
                self._error, self.time = error, self._feed.read_until
                return
            if piece is None:
                self.is_over = True
                return
            if not isinstance(piece, Run):
                self.time, self._items = piece
                return
            run, self._run, self._place = piece, piece, 0
        place = self._place
        self.time, self._items = run.ends[place], [run.bars[place]]
        self._place = place + 1
        if self._place == len(run.bars):
            self._run = None


def _instants(places: Sequence[_Place]) -> Iterator[Instant]:
    while True:
        found: list[_Place] = []
        for place in places:
            if place.is_over or (found and place.time > found[0].time):
                continue
            if found and place.time < found[0].time:
                found.clear()
            found.append(place)
        if not found:
            return
        time = found[0].time
        if len(found) == 1:
            yield time, found[0].take()
        else:
            yield time, _interleaved(time, [place.take() for place in found])


def _interleaved(time: datetime, lists: list[list[Item]]) -> list[Item]:
    """Return the items of one instant of several feeds, in their order."""
    if all(len(items) == 1 for items in lists):
        # Of equal symbols, that of the first feed stays first.
        return sorted((items[0] for items in lists), key=_symbol_of)
    heads: list[Head | None] = [Head(time, items[0].symbol) for items in lists]
    places = [0] * len(lists)
    merged_items: list[Item] = []
    while any(heads):
        turn = next_turn(heads)
        feed, items = turn.feed, lists[turn.feed]
        place = places[feed]
        while place < len(items) and (
            not turn.until_symbol or items[place].symbol <= turn.until_symbol
        ):
            merged_items.append(items[place])
            place += 1
        places[feed] = place
        heads[feed] = Head(time, items[place].symbol) if place < len(items) else None
    return merged_items


def _symbol_of(item: Item) -> str:
    return item.symbol
