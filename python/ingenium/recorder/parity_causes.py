"""Find out why a live run and its backtest part, from what was recorded of both."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingenium.backtest.app_settings import SettingChange
from ingenium.events import DenialReason, TradeUpdate
from ingenium.recorder.parity import ItemKind, ItemPair, TradingItem
from ingenium.recorder.parity_evidence import Denied, Evidence

__all__ = ["CauseClass", "Divergence", "explain"]

_BY_OPERATOR = {DenialReason.HALTED, DenialReason.REDUCING, DenialReason.SYMBOL_HALTED}
_ROLES = {
    ItemKind.SIGNAL: {"strategy"},
    ItemKind.ORDER: {"portfolio", "limits"},
    ItemKind.FILL: {"executor"},
}
_ALWAYS = 2**63
_SECOND = 1_000_000_000


class CauseClass(StrEnum):
    """Class of the cause of a divergence."""

    DATA = "data"
    TIMING = "timing"
    CODE = "code"
    SETTINGS = "settings"
    FILL_MODEL = "fill model"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Divergence:
    """A place where the runs part.

    Attributes:
        pair: The items.
        cause: Class of the cause.
        text: The cause in words.
        follows: Whether it is the consequence of an earlier divergence, whose class it has.
    """

    pair: ItemPair
    cause: CauseClass
    text: str
    follows: bool = False


_Found = tuple[CauseClass, str]


def explain(pairs: Sequence[ItemPair], evidence: Evidence) -> list[Divergence]:
    """Return the pairs that are not equal, each with the most specific cause that is known.

    Args:
        pairs: Result of `compare`.
        evidence: What is known beside it.
    """
    finder = _CauseFinder(pairs, evidence)
    return [finder.divergence(pair) for pair in pairs if not pair.is_equal]


class _CauseFinder:
    def __init__(self, pairs: Sequence[ItemPair], evidence: Evidence) -> None:
        self._evidence = evidence
        self._signals: dict[str, list[TradingItem]] = defaultdict(list)
        # Id of an order in the other run.
        self._live_id: dict[str, str] = {}
        self._backtest_id: dict[str, str] = {}
        for pair in pairs:
            live, backtest = pair.live, pair.backtest
            if live is not None and live.kind is ItemKind.SIGNAL:
                self._signals[live.symbol].append(live)
            if live is not None and backtest is not None and live.kind is ItemKind.ORDER:
                self._live_id[backtest.order_id] = live.order_id
                self._backtest_id[live.order_id] = backtest.order_id
        self._live_denied = _by_symbol(evidence.live_denied)
        self._backtest_denied = _by_symbol(evidence.backtest_denied)
        # What has been found so far.
        self._bar_at: dict[tuple[str, int], Divergence] = {}
        self._signal_at: dict[tuple[str, int], Divergence] = {}
        self._of_order: dict[tuple[bool, str], Divergence] = {}
        self._last: dict[str, Divergence] = {}
        self._last_signal: dict[str, Divergence] = {}

    def divergence(self, pair: ItemPair) -> Divergence:
        found = _first(
            (self._bar_differs, self._was_stopped, self._was_denied, self._has_ended), pair
        )
        cause = None if found else self._of_its_cause(pair)
        if not found and not cause:
            found = _first(
                (
                    self._arrived_late,
                    self._follows_gap,
                    self._has_changed,
                    self._was_filled_otherwise,
                ),
                pair,
            )
            cause = None if found else self._before(pair)
        if cause:
            kind = cause.pair.either.kind
            text = cause.text if cause.follows else f"follows the {kind} before: {cause.text}"
            made = Divergence(pair, cause.cause, text, follows=True)
        else:
            found = found or _first((self._came_before, self._whole_app_changed), pair)
            made = Divergence(pair, *(found or (CauseClass.UNEXPLAINED, self._unexplained(pair))))
        self._remember(made)
        return made

    def _remember(self, made: Divergence) -> None:
        item = made.pair.either
        self._last[item.symbol] = made
        if item.kind in {ItemKind.BAR, ItemKind.SIGNAL}:
            self._last_signal[item.symbol] = made
        if item.kind is ItemKind.BAR:
            self._bar_at.setdefault((item.symbol, item.time), made)
        if item.kind is ItemKind.SIGNAL:
            self._signal_at.setdefault((item.symbol, item.time), made)
        if item.kind is ItemKind.ORDER:
            for each in (made.pair.live, made.pair.backtest):
                if each is not None:
                    self._of_order.setdefault((each is made.pair.live, each.order_id), made)

    # What is known of this very item.

    def _bar_differs(self, pair: ItemPair) -> Iterator[_Found]:
        if pair.either.kind is not ItemKind.BAR:
            return
        if pair.backtest is None:
            yield CauseClass.DATA, "the other data has no such bar"
        elif pair.live is None:
            yield CauseClass.DATA, "the live run did not get this bar, or it was not recorded"
        else:
            yield CauseClass.DATA, f"the bar differs in {', '.join(pair.differences)}"

    def _was_denied(self, pair: ItemPair) -> Iterator[_Found]:
        item = pair.either
        if item.kind is not ItemKind.ORDER or (pair.live and pair.backtest):
            return
        changed = self._changes_of(pair, {"limits"})
        for denied in self._denials_of(pair):
            run = "live" if pair.live is None else "backtest"
            said = f"denied in the {run} run by {denied.reason}: {denied.detail}"
            if denied.reason == DenialReason.LATE:
                yield CauseClass.TIMING, f"denied as late: {denied.detail}"
            elif denied.reason in _BY_OPERATOR:
                how = self._halt_at(denied.time, is_live=pair.live is None)
                yield CauseClass.SETTINGS, f"{how or 'trading was stopped or reduced'}: {said}"
            elif changed:
                yield CauseClass.SETTINGS, f"{said}; {changed[0]}"
            elif denied.reason in {
                DenialReason.MAX_ORDERS_PER_SECOND,
                DenialReason.DUPLICATE,
                DenialReason.STALE_DATA,
                DenialReason.MARKET_CLOSED,
            }:
                yield CauseClass.TIMING, f"this limit goes by the clock: {said}"

    def _was_stopped(self, pair: ItemPair) -> Iterator[_Found]:
        """Find a pause or stop by an operator of what sends such an item."""
        item = pair.either
        # A pause delays a fill, but an item that is there was sent before it or after it.
        if item.kind is not ItemKind.FILL and pair.live is not None:
            return
        began = self._evidence.received_at(item.symbol, pair.time) or self._received(item)
        ended = max(began, item.received)
        for each in self._evidence.acts:
            # The event comes a moment after the component has obeyed.
            was_on = each.begin - _SECOND <= ended and began < each.end
            if was_on and self._sends(each.component, item):
                yield CauseClass.SETTINGS, each.text

    def _sends(self, component: str, item: TradingItem) -> bool:
        return self._evidence.roles.get(component) in _ROLES.get(item.kind, set())

    def _halt_at(self, moment: int, *, is_live: bool = True) -> str:
        """Describe the halt of the live run at a moment of its server's clock; empty for none."""
        for each in self._evidence.acts:
            if is_live and not each.component and each.begin <= moment < each.end:
                return each.text
        return ""

    def _denials_of(self, pair: ItemPair) -> Iterator[Denied]:
        item = pair.either
        if pair.live is not None:
            denied = self._backtest_denied.get(item.symbol, ())
            yield from (each for each in denied if each.time == item.time)
            return
        signals = self._signals.get(item.symbol, [])
        own = [each for each in signals if each.time == item.time]
        begin = own[0].received if own else self._received(item)
        end = next((each.received for each in signals if each.time > item.time), _ALWAYS)
        for each in self._live_denied.get(item.symbol, ()):
            if each.reason == DenialReason.LATE:
                # It comes long after the signal, and names it.
                if any(signal.identifier and signal.identifier in each.detail for signal in own):
                    yield each
            elif begin <= each.time < end:
                yield each

    def _has_ended(self, pair: ItemPair) -> Iterator[_Found]:
        if pair.either.kind is not ItemKind.FILL or (pair.live and pair.backtest):
            return
        if pair.live is None:
            run, order_id = "live", self._live_id.get(pair.either.order_id, "")
            ending = self._evidence.endings.get(order_id)
        else:
            run, order_id = "backtest", self._backtest_id.get(pair.live.order_id, "")
            ending = self._evidence.backtest_endings.get(order_id)
        if ending is None:
            return
        said = f"{ending.update} in the {run} run"
        said = f"{said}: {ending.reason}" if ending.reason else said
        if ending.update == TradeUpdate.EXPIRED:
            yield CauseClass.TIMING, said
        elif how := self._halt_at(self._received(pair.either), is_live=pair.live is None):
            yield CauseClass.SETTINGS, f"{how}: {said}"
        elif changed := self._changes_of(pair, {"executor", "limits"}):
            yield _class_of(changed[0]), f"{said}; {changed[0]}"
        else:
            yield CauseClass.FILL_MODEL, said

    def _arrived_late(self, pair: ItemPair) -> Iterator[_Found]:
        item = pair.either
        if pair.time in self._evidence.late.get(item.symbol, ()):
            text = "the bar arrived after a later one of its symbol"
            yield CauseClass.TIMING, f"{text}, and the backtest has it in its place"

    def _follows_gap(self, pair: ItemPair) -> Iterator[_Found]:
        bars = self._evidence.bars.get(pair.either.symbol, ())
        place = bisect_left(bars, pair.time)
        previous = bars[place - 1] if place else -_ALWAYS
        for gap in self._evidence.gaps:
            if previous < gap.time <= pair.time:
                yield CauseClass.DATA, gap.text

    # What has changed since, and what the exchange did.

    def _has_changed(self, pair: ItemPair) -> Iterator[_Found]:
        item = pair.either
        changes = self._changes_of(pair, _ROLES.get(item.kind, set()))
        if item.kind is ItemKind.SIGNAL and item.source:
            changes = [each for each in changes if each.component == item.source] or changes
        if item.kind is ItemKind.FILL and self._evidence.replaced:
            return
        if changes:
            yield _class_of(changes[0]), str(changes[0])

    def _was_filled_otherwise(self, pair: ItemPair) -> Iterator[_Found]:
        live, backtest = pair.live, pair.backtest
        if pair.either.kind is not ItemKind.FILL:
            return
        how = _how_far(pair)
        if self._evidence.replaced:
            text = f"{self._evidence.replaced} against the paper exchange"
            yield CauseClass.FILL_MODEL, _with(text, how or _which(pair))
        elif text := self._missed_begin(pair):
            yield CauseClass.TIMING, _with(text, how)
        elif pair.is_at_another_bar or live is None or backtest is None:
            yield CauseClass.TIMING, _with("the order met other bars than in the backtest", how)
        else:
            yield CauseClass.FILL_MODEL, _with("the executor filled differently", how)

    def _missed_begin(self, pair: ItemPair) -> str:
        """Describe by how much a live order missed the beginning of the backtest's bar."""
        backtest = pair.backtest
        if backtest is None:
            return ""
        live_id = self._live_id.get(backtest.order_id, "")
        arrival = self._evidence.arrivals.get(live_id)
        begin = self._evidence.bar_starts.get((backtest.symbol, backtest.stamp))
        if arrival is None or begin is None or arrival <= begin:
            return ""
        return (
            f"the order reached the exchange {(arrival - begin) / 1e6:,.1f} ms after the beginning "
            "of the bar that filled it in the backtest"
        )

    # What came before.

    def _of_its_cause(self, pair: ItemPair) -> Divergence | None:
        """Return the divergence of the bar, of the signal behind an order, or order of a fill."""
        item = pair.either
        if item.kind is not ItemKind.BAR and (found := self._bar_at.get((item.symbol, pair.time))):
            return found
        if item.kind is ItemKind.ORDER:
            return self._signal_at.get((item.symbol, item.time))
        if item.kind is ItemKind.FILL:
            for each in (pair.live, pair.backtest):
                if each is not None:
                    found = self._of_order.get((each is pair.live, each.order_id))
                    if found is not None:
                        return found
        return None

    def _before(self, pair: ItemPair) -> Divergence | None:
        """Return the last divergence that may have changed the state behind an item."""
        item = pair.either
        last = self._last_signal if item.kind is ItemKind.SIGNAL else self._last
        return last.get(item.symbol)

    def _came_before(self, pair: ItemPair) -> Iterator[_Found]:
        late = self._evidence.late.get(pair.either.symbol, ())
        if late and late[0] <= pair.time:
            yield CauseClass.TIMING, "an earlier bar arrived after a later one of its symbol"
        for gap in self._evidence.gaps:
            if gap.time <= pair.time:
                yield CauseClass.DATA, gap.text

        for each in self._evidence.acts:
            is_halt = not each.component and pair.either.kind is not ItemKind.SIGNAL
            if not (is_halt or self._sends(each.component, pair.either)):
                continue
            if each.begin <= self._received(pair.either):
                yield CauseClass.SETTINGS, f"before it, {each.text}"

    def _whole_app_changed(self, pair: ItemPair) -> Iterator[_Found]:
        changes = self._evidence.changes(self._received(pair.either)) or []
        for each in changes:
            if each.role == "app" or pair.either.kind is not ItemKind.SIGNAL:
                yield _class_of(each), str(each)

    def _unexplained(self, pair: ItemPair) -> str:
        if self._evidence.changes(self._received(pair.either)) is None:
            return (
                "the live run did not record its settings and code, so a change of either cannot "
                "be ruled out"
            )
        return (
            "data, settings and code are equal: state from before the recording, the clock or "
            "chance in a component remain"
        )

    def _changes_of(self, pair: ItemPair, roles: set[str]) -> list[SettingChange]:
        changes = self._evidence.changes(self._received(pair.either)) or []
        return [each for each in changes if each.role in roles]

    def _received(self, item: TradingItem) -> int:
        return item.received or self._evidence.received_at(item.symbol, item.time)


def _first(
    rules: Sequence[Callable[[ItemPair], Iterator[_Found]]], pair: ItemPair
) -> _Found | None:
    return next((found for rule in rules for found in rule(pair)), None)


def _by_symbol(denied: Sequence[Denied]) -> dict[str, list[Denied]]:
    found: dict[str, list[Denied]] = defaultdict(list)
    for each in denied:
        found[each.symbol].append(each)
    return found


def _class_of(change: SettingChange) -> CauseClass:
    return CauseClass.CODE if change.is_code else CauseClass.SETTINGS


def _how_far(pair: ItemPair) -> str:
    """Describe the difference of two prices; empty without one."""
    found = pair.price_difference
    if found is None or not found.money:
        return ""
    word = "worse" if found.money > 0 else "better"
    return f"live {abs(found.money):,.2f} ({abs(found.basis_points):.1f} bp) {word}"


def _with(text: str, more: str) -> str:
    return f"{text}: {more}" if more else text


def _which(pair: ItemPair) -> str:
    if pair.live is None:
        return "only the paper exchange filled the order"
    return "only the live executor filled the order" if pair.backtest is None else ""
