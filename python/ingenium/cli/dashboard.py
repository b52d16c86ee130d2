"""``ingenium dashboard``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ingenium.cli.log_options import LogFormatOption, LogLevelOption, start_logs
from ingenium.cli.record import DatabaseOption
from ingenium.cli.targets import ServerOption, is_app_name, person, settings_with
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.control.control_server import ControlPlane

__all__ = ["dashboard", "dashboard_beside"]

_END_SECONDS = 5.0


def dashboard(
    apps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="APP",
            help="Names of apps, or the files or modules that define them, which can be "
            "backtested; all that have run in this directory when left out.",
        ),
    ] = None,
    server: ServerOption = None,
    database: DatabaseOption = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port; 8321 or a free one when left out."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            help="Name or address by which other machines reach this one; needs a certificate and "
            "a password. Only this machine when left out.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="Certificate for --host, as PEM."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="Its private key, if that is not in the same file."
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            metavar="FILE",
            help="File with the password for --host, of at least 12 characters, which only its "
            "owner may read.",
        ),
    ] = None,
    role: Annotated[
        Literal["read", "operate", "trade"],
        typer.Option(
            "--role",
            help="What the page may do: look, halt and run backtests, or also resume trading.",
        ),
    ] = "trade",
    url: Annotated[
        bool, typer.Option("--url", help="Print another URL of the server that runs, and end.")
    ] = False,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """See, launch and stop apps in a browser, until Ctrl+C.

    Prints one URL, which opens one session. The server listens on this machine only, unless --host
    says otherwise, and answers gRPC and JSON as well: .ingenium/control.json has its tokens.
    """
    from ingenium.control import require_dashboard

    settings = settings_with(server)
    if url:
        typer.echo(_another_url(settings.data_directory))
        return
    require_dashboard()
    from ingenium.control.app_catalog import AppCatalog
    from ingenium.control.callers import AccessRole
    from ingenium.control.control_server import ControlPlane
    from ingenium.control.network_access import NetworkAccess
    from ingenium.control.registered_app import register

    access = NetworkAccess.checked(host, certificate, key, password_file)
    console, _ = start_logs(log_format, log_level, "dashboard")
    given = apps or []
    registered = [register(each) for each in given if not is_app_name(each)]
    names = [each for each in given if is_app_name(each)]
    if len(names) > 1 or (names and registered):
        raise ConfigError("name one app, or the files of several")
    only = names[0] if names else None
    catalog = AppCatalog(settings, registered, database, only)
    plane = ControlPlane.bind(catalog, person(), AccessRole[role.upper()], port, access)
    # Not by the console, which may log it.
    typer.echo(plane.login_url())
    console.print(
        f"open it in a browser, once; role {role}; Ctrl+C ends it",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if not access.is_local:
        console.print(
            f"other machines can reach {plane.url}: whoever has its password has the role {role}",
            markup=False,
            highlight=False,
            soft_wrap=True,
            style="bold red",
        )
    asyncio.run(_serve(plane, settings))


async def _serve(plane: ControlPlane, settings: Settings) -> None:
    from ingenium.deploy.health_endpoint import serve_health
    from ingenium.deploy.local.signals import stop_signals, stop_when_input_ends

    with stop_signals() as stop:
        ends = settings.stop_with_input
        tasks = [asyncio.create_task(stop_when_input_ends(stop))] if ends else []
        try:
            async with serve_health(settings.health_port, lambda: ""):
                await plane.serve(stop)
        finally:
            for task in tasks:
                task.cancel()


@contextmanager
def dashboard_beside(target: str, settings: Settings, database: str | None) -> Iterator[None]:
    """Run the control plane of an app in a process of its own, which ends with this one.

    Args:
        target: The app, as on the command line.
        settings: Settings of the app.
        database: Database of its recording; that of the app when ``None``.

    Raises:
        MissingDependencyError: Its libraries are not installed.
    """
    from ingenium.control import require_dashboard

    require_dashboard()
    command = [sys.executable, "-m", "ingenium", "dashboard", target]
    if database is not None:
        command += ["--database", database]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        env={**settings.environment, "INGENIUM_STOP_WITH_INPUT": "1"},
        # Ctrl+C is for the app, which closes the pipe at its end.
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _another_url(folder: Path) -> str:
    from ingenium.control.access_file import access_file

    try:
        found = jsonlib.loads(access_file(folder).read_text("utf-8"))
        request = urllib.request.Request(  # noqa: S310 - a URL of ours
            found["create_login"],
            data=b"{}",
            headers={
                "content-type": "application/json",
                "authorization": f"Bearer {list(found['tokens'].values())[-1]}",
            },
        )
        trusted = found.get("certificate")
        context = ssl.create_default_context(cafile=trusted) if trusted else None
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310
            return str(jsonlib.load(answer)["url"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"no control plane runs with the data folder {folder}: start one with ingenium "
            f"dashboard ({error})"
        ) from error
