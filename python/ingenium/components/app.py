"""An app: the components of one trading system, and their settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ingenium.components.blame import line_of
from ingenium.components.component import Component
from ingenium.components.executor import Executor
from ingenium.components.external import External
from ingenium.components.handle_of import handle_of
from ingenium.components.histories import check_warm_up, histories_of
from ingenium.components.ingestor import Ingestor
from ingenium.components.ingestor_feed import OnEnd
from ingenium.components.middleware import Middleware
from ingenium.components.portfolio import Portfolio
from ingenium.components.strategy import Strategy
from ingenium.errors import ConfigError
from ingenium.risk import RiskLimits
from ingenium.subjects.space import SubjectSpace

__all__ = ["CONDUCTOR", "App"]

_ComponentT = TypeVar("_ComponentT", bound=Component)
CONDUCTOR = "conductor"
"""Name of the conductor of a replay; no component may have it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


class App:
    """The components of one trading system, and how they are named.

    Args:
        ingestors: Send market data.
        strategies: Turn market data into signals.
        portfolio: Turns signals into orders.
        executor: Turns orders into executions.
        warm_up: History that the strategies of a live app are fed before the first live data, in
            the order of a backtest: one or several ingestors that read history. Signals sent
            meanwhile are dropped. Ignored by portfolio and executor, and by strategies in other
            languages. None when left out.
        risk: Limits for orders, on live data, in backtests and in replays. When left out, live
            data has the standard limits, unless the executor is on the time of the data,
            ``PaperExecutor(clock="data")``, and backtests and replays have none.
        name: Lower-case letters, digits, ``-`` and ``_``; several apps on one server need several.
        prefix: Prefix of all subjects of the app on the server, so that several apps on one
            server do not work each other's orders: ``"paper"`` makes ``ingenium.strategy.signal``
            ``paper.ingenium.strategy.signal`` there. None when left out.
        middleware: Called around each handler of the app's components, in backtests and on a bus;
            see `Middleware`. None when left out.
        on_end: The action when `Ingestor.ingest` has ended, on live data. ``"restart"``: it is
            started again, a little later each time. ``"stop"``: the app ends, once the `ingest` of
            each of its ingestors has returned, or with an error when one has raised.

    Raises:
        ConfigError: A component is missing, has the wrong role, or two have one name; or limits
            or middleware are of another type.
    """

    def __init__(
        self,
        *,
        ingestors: Sequence[Ingestor | External],
        strategies: Sequence[Strategy | External] = (),
        portfolio: Portfolio | External | None = None,
        executor: Executor | External | None = None,
        warm_up: Ingestor | Sequence[Ingestor] | None = None,
        risk: RiskLimits | None = None,
        middleware: Sequence[Middleware] = (),
        name: str = "app",
        prefix: str = "",
        on_end: OnEnd = "restart",
    ) -> None:
        if _NAME.fullmatch(name) is None:
            raise ConfigError(
                f"app name {name!r} is not valid: use up to 40 lower-case letters, digits, - and _"
            )
        self.name = name
        self.prefix = SubjectSpace(prefix).prefix
        self.ingestors = _all_of("ingestor", "ingestors", ingestors)
        self.strategies = _all_of("strategy", "strategies", strategies)
        self.portfolio = _one_of("portfolio", portfolio)
        self.executor = _one_of("executor", executor)
        if on_end not in ("restart", "stop"):
            raise ConfigError(f"on_end is {on_end!r}: use 'restart' or 'stop'")
        self.on_end: OnEnd = on_end
        self.risk = _limits(risk, self.executor)
        self.limits_history = risk is not None
        """Whether `risk` applies in backtests and replays, too; ``backtest.run(app, risk=False)``
        turns it off."""
        self.middleware = _middleware(middleware)
        self.warm_up = histories_of(warm_up)
        self.components: tuple[Component, ...] = (
            *self.ingestors,
            *self.strategies,
            *(() if self.portfolio is None else (self.portfolio,)),
            *(() if self.executor is None else (self.executor,)),
        )
        self._check()

    def _check(self) -> None:
        if not self.ingestors:
            raise ConfigError(
                "app has no ingestor, so no data would flow: pass App(ingestors=[...])"
            )
        if self.strategies and self.portfolio is None:
            raise ConfigError(
                "app has strategies but no portfolio, so nothing would read their signals: pass "
                "App(portfolio=...), such as ingenium.portfolios.FixedQuantity(10)"
            )
        if self.portfolio is not None and self.executor is None:
            raise ConfigError(
                "app has a portfolio but no executor, so nothing would execute its orders: pass "
                "App(executor=...), such as ingenium.brokers.PaperExecutor()"
            )
        if self.executor is not None and self.portfolio is None:
            raise ConfigError(
                "app has an executor but no portfolio, so nothing would send it orders: pass "
                "App(portfolio=...)"
            )
        if (
            isinstance(self.executor, Executor)
            and handle_of(self.executor).works_at_broker
            and self.historical
        ):
            raise ConfigError(
                f"executor {self.executor.name!r} sends orders to a broker, but the app replays "
                "history: use PaperExecutor in backtests and replays"
            )
        seen: dict[str, Component] = {}
        for component in self.components:
            if component.name == CONDUCTOR:
                raise ConfigError(
                    f"component {type(component).__name__} is named {CONDUCTOR!r}, which is "
                    "reserved for the conductor of a replay: pass another name="
                )
            other = seen.setdefault(component.name, component)
            if sum(each is component for each in self.components) > 1:
                raise ConfigError(
                    f"component {component.name!r} is listed twice: create a second object with "
                    "another name="
                )
            if other is not component:
                raise ConfigError(
                    f"two components are named {component.name!r}, {type(other).__name__} and "
                    f"{type(component).__name__}: pass name= to one of them"
                )
        kinds = {
            handle_of(ingestor).historical
            for ingestor in self.ingestors
            if isinstance(ingestor, Ingestor)
        }
        if len(kinds) > 1:
            raise ConfigError(
                "app mixes historical and live ingestors: pass the historical ones as "
                "App(warm_up=...) to warm up the strategies, or split the app into two apps"
            )
        silent = [c.name for c in self.ingestors if isinstance(c, External) and not c.reports]
        if silent and True in kinds:
            raise ConfigError(
                f"ingestor {', '.join(silent)} is an external program that publishes no "
                "LockstepReport, so its data cannot be synchronized with the historical "
                "ingestors: have it publish LockstepReport and pass reports=True, or use only "
                "live ingestors with it"
            )
        check_warm_up(
            self.warm_up, historical=self.historical, has_strategies=bool(self.strategies)
        )

    def use_ingestors(self, ingestors: Sequence[Ingestor]) -> None:
        """Replace the ingestors, such as live ones by recorded data, and drop the warm-up.

        Raises:
            ConfigError: The app does not fit them, as its executor works at a broker.
        """
        self.components = (*ingestors, *self.components[len(self.ingestors) :])
        self.ingestors = tuple(ingestors)
        self.warm_up = ()
        self._check()

    @property
    def historical(self) -> bool:
        """Whether the app replays history, in lockstep and with an end, or runs on live data."""
        return all(
            handle_of(ingestor).historical if isinstance(ingestor, Ingestor) else ingestor.reports
            for ingestor in self.ingestors
        )

    def component(self, name: str) -> Component:
        """Return the component of that name.

        Raises:
            ConfigError: There is none; the text lists the existing ones.
        """
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components)
        raise ConfigError(f"app {self.name!r} has no component {name!r}: it has {known}")

    def __repr__(self) -> str:
        return f"<App {self.name!r}: {', '.join(c.name for c in self.components)}>"


def _all_of(role: str, argument: str, components: Sequence[_ComponentT]) -> tuple[_ComponentT, ...]:
    if isinstance(components, Component):
        raise ConfigError(f"{argument} is one {type(components).__name__}: pass a list")
    if isinstance(components, type):
        name = components.__name__
        raise ConfigError(f"{argument} is the class {name}: pass a list with an object, [{name}()]")
    if not isinstance(components, Iterable):
        raise ConfigError(
            f"{argument} is of type {type(components).__name__}: pass a list of components"
        )
    for component in components:
        _check_role(role, argument, component)
    return tuple(components)


def _one_of(role: str, component: _ComponentT | None) -> _ComponentT | None:
    if component is not None:
        _check_role(role, role, component)
    return component


def _middleware(middleware: object) -> tuple[Middleware, ...]:
    found = tuple(middleware) if isinstance(middleware, Iterable) else (middleware,)
    for each in found:
        if not isinstance(each, Middleware):
            raise ConfigError(
                f"middleware holds {each!r}: pass a list of objects whose class is a subclass of "
                "ingenium.Middleware, such as [Tracing()]"
            )
    return found


def _limits(risk: object, executor: Component | None) -> RiskLimits:
    if risk is None:
        if isinstance(executor, Executor) and handle_of(executor).is_on_data_time:
            # History comes faster than it happened, and the last price may be ahead of an order.
            return RiskLimits(price_collar=None, max_orders_per_second=None, duplicate_seconds=None)
        return RiskLimits()
    if not isinstance(risk, RiskLimits):
        raise ConfigError(
            f"risk is {risk!r}: pass limits, such as RiskLimits(max_order_quantity=100)"
        )
    return risk


def _check_role(role: str, argument: str, component: object) -> None:
    if isinstance(component, type) and issubclass(component, Component):
        name = component.__name__
        raise ConfigError(f"{argument} holds the class {name}: pass {name}(), not the class")
    kind = _kind_of(component)
    if kind != role:
        what = "an object" if not kind else f"a {kind}"
        raise ConfigError(
            f"{argument} holds {what} of type {type(component).__name__}: pass a {role}"
        )
    if not hasattr(component, "_handle"):
        cls = type(component)
        raise ConfigError(
            f"{cls.__name__}.__init__{line_of(cls.__init__)} does not call that of its base class: "
            "write super().__init__() as its first line"
        )


def _kind_of(component: object) -> str:
    """Return the role of a component; empty for another object."""
    if isinstance(component, External):
        return component.role
    for base in (Ingestor, Strategy, Portfolio, Executor):
        if isinstance(component, base):
            return base.__name__.lower()
    return "component" if isinstance(component, Component) else ""
