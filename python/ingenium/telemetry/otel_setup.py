"""What traces and metrics share when the OpenTelemetry SDK exports them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from threading import Thread
from typing import Any

from opentelemetry.sdk.resources import SERVICE_NAME, Resource

from ingenium.errors import ConfigError

__all__ = ["CLOSE_SECONDS", "apply_file", "exporters_of", "file_of", "resource_of", "shut_down"]

CLOSE_SECONDS = 1.5
"""Time that a stop waits for a collector; with the rest of a stop it stays below 2 s."""

_OTLP = {"": "otlp_proto_http", "http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}

_log = logging.getLogger("ingenium.telemetry")


def file_of(environment: Mapping[str, str]) -> str:
    """Return the path of a declarative configuration; empty if there is none."""
    return environment.get("OTEL_CONFIG_FILE", "").strip()


@cache
def apply_file(path: str) -> None:
    """Set up the providers of the process as a declarative configuration says, once.

    Raises:
        ConfigError: The file cannot be used.
    """
    from opentelemetry.configuration import configure_sdk, load_config_file

    try:
        configure_sdk(load_config_file(path))
    except Exception as error:
        # Its errors have no common base, and each is one of the file.
        raise ConfigError(f"OTEL_CONFIG_FILE {path!r} cannot be used: {error}") from error


def resource_of(environment: Mapping[str, str], service: str) -> Resource:
    """Return the resource that variables describe.

    Args:
        environment: Variables of the process.
        service: ``service.name`` where no variable sets it.
    """
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = environment.get("OTEL_SERVICE_NAME", "").strip() or "service.name=" in attributes
    return Resource.create({} if is_named else {SERVICE_NAME: service})


def exporters_of(environment: Mapping[str, str], signal: str) -> list[Any]:
    """Return the exporters that variables ask for; OTLP if they name none.

    Args:
        environment: Variables of the process.
        signal: ``"traces"``, ``"metrics"`` or ``"logs"``.

    Raises:
        ConfigError: An exporter is not installed, or the protocol is unknown.
    """
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    found = []
    for text in (environment.get(variable, "").strip() or "otlp").split(","):
        asked = text.strip()
        if asked in ("none", "prometheus"):
            continue
        name = _otlp_name(environment, signal) if asked == "otlp" else asked
        entries = list(entry_points(group=f"opentelemetry_{signal}_exporter", name=name))
        if not entries:
            raise ConfigError(
                f"{variable} asks for {name!r}, which is not installed: pip install "
                f"opentelemetry-exporter-{name.replace('_', '-')}"
            )
        found.append(entries[0].load()())
    return found


def _otlp_name(environment: Mapping[str, str], signal: str) -> str:
    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "").strip()
    protocol = own or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()
    if protocol not in _OTLP:
        raise ConfigError(
            f"OTLP protocol {protocol!r} is unknown: use http/protobuf or grpc in "
            "OTEL_EXPORTER_OTLP_PROTOCOL"
        )
    return _OTLP[protocol]


def shut_down(shutdown: Callable[[], object], what: str) -> None:
    """Call the shutdown of a provider, and wait for it for at most `CLOSE_SECONDS`.

    Args:
        shutdown: Exports what is left. With a dead collector it takes longer than a component may
            take to stop.
        what: What it exports, for the log.
    """
    thread = Thread(target=shutdown, name="telemetry-close", daemon=True)
    thread.start()
    thread.join(CLOSE_SECONDS)
    if thread.is_alive():
        _log.warning(
            "the collector has not taken all %s within %g s: the rest is dropped",
            what,
            CLOSE_SECONDS,
        )
