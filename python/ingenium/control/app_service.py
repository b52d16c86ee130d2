"""Lists apps and their parameters."""

from __future__ import annotations

from typing import Any

from connectrpc.request import RequestContext
from protobuf import Oneof

from ingenium.control._gen.ingenium.control.v1 import apps_pb as pb
from ingenium.control._gen.ingenium.control.v1 import common_pb
from ingenium.control._gen.ingenium.control.v1.apps_connect import AppService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.registered_app import NEEDS_HISTORY, AppParameter, Value

__all__ = ["AppCalls", "parameter_value", "value_of"]

Context = RequestContext[Any, Any]

_KINDS = {
    "integer": pb.ParameterKind.INTEGER,
    "number": pb.ParameterKind.NUMBER,
    "text": pb.ParameterKind.TEXT,
    "boolean": pb.ParameterKind.BOOLEAN,
    "choice": pb.ParameterKind.CHOICE,
}


def parameter_value(value: Value) -> common_pb.ParameterValue:
    """Return a value as a message."""
    # A bool is an int as well, so the order counts.
    kinds: tuple[tuple[type, Any], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "text"),
    )
    name = next(name for kind, name in kinds if isinstance(value, kind))
    kind: Any = Oneof(name, value)
    return common_pb.ParameterValue(kind=kind)


def value_of(message: common_pb.ParameterValue) -> Value:
    """Return the value of a message; an empty text if it has none."""
    return "" if message.kind is None else message.kind.value


class AppCalls(AppService):
    """Implements AppService.

    Args:
        catalog: The apps.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog

    async def list_apps(self, _request: pb.ListAppsRequest, _: Context, /) -> pb.ListAppsResponse:
        """Return all apps."""
        return pb.ListAppsResponse(apps=[self._app(name) for name in self._catalog.names()])

    async def get_app(self, request: pb.GetAppRequest, _: Context, /) -> pb.GetAppResponse:
        """Return one app with its parameters."""
        name = self._catalog.resolve(request.app)
        registered = self._catalog.registered.get(name)
        parameters = () if registered is None else registered.parameters
        return pb.GetAppResponse(
            app=self._app(name), parameters=[_parameter(each) for each in parameters]
        )

    def _app(self, name: str) -> pb.App:
        registered = self._catalog.registered.get(name)
        environment, why = pb.Environment.UNSPECIFIED, ""
        if registered is None:
            why = "its definition is not at hand: start ingenium dashboard with its file"
        elif registered.is_historical:
            environment = pb.Environment.REPLAY
        else:
            why = f"it {NEEDS_HISTORY}"
            is_paper = registered.is_paper
            environment = pb.Environment.PAPER if is_paper else pb.Environment.LIVE
        return pb.App(
            name=name,
            environment=environment,
            is_live=name in self._catalog.live_names(),
            is_backtestable=not why,
            is_recorded=self._catalog.is_recorded(name),
            components=[
                pb.DefinedComponent(name=each, role=role)
                for each, role in self._catalog.roster(name).items()
            ],
            why_not_backtestable=why,
        )


def _parameter(each: AppParameter) -> pb.Parameter:
    return pb.Parameter(
        name=each.name,
        kind=_KINDS[each.kind],
        default_value=None if each.default is None else parameter_value(each.default),
        minimum=each.minimum,
        maximum=each.maximum,
        choices=list(each.choices),
        unit=each.unit,
        description=each.description,
    )
