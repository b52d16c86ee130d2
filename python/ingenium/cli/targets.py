"""Resolve the app of a command: a name, or a file that defines the app."""

from __future__ import annotations

import getpass
import re
import socket
from typing import Annotated

import typer

from ingenium.components import load_app
from ingenium.components.component import role_of
from ingenium.config import Settings

__all__ = [
    "AppName",
    "AppTarget",
    "JsonFlag",
    "ServerOption",
    "app_and_roster",
    "app_name",
    "is_app_name",
    "person",
    "settings_with",
]

AppTarget = Annotated[
    str, typer.Argument(metavar="APP", help="file.py, file.py:name or package.module:name")
]
AppName = Annotated[
    str | None,
    typer.Argument(
        metavar="APP",
        help="Name of the app, or the file or module that defines it; optional if only one app "
        "has run in this directory.",
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Server, instead of NATS_SERVER."),
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


def is_app_name(target: str) -> bool:
    """Return whether a target is the name of an app, and no file or module."""
    return _NAME.fullmatch(target) is not None


def app_name(target: str | None) -> str | None:
    """Return the name of an app.

    Args:
        target: A name, which is used as given, so that a halt never fails because of an error in
            the app's code; or a target of ``ingenium run``.

    Raises:
        ConfigError: There is no such app.
    """
    if target is None or is_app_name(target):
        return target
    return load_app(target).name


def app_and_roster(target: str | None) -> tuple[str | None, dict[str, str]]:
    """Return the name of an app, and the roles of its components by name.

    Args:
        target: As for `app_name`; a name alone gives no components.

    Raises:
        ConfigError: There is no such app.
    """
    if target is None or is_app_name(target):
        return target, {}
    app = load_app(target)
    return app.name, {component.name: role_of(component) for component in app.components}


def settings_with(server: str | None) -> Settings:
    """Return the settings with the server of the command line."""
    settings = Settings.from_environment()
    return settings.at_server(server) if server else settings


def person() -> str:
    """Return user and host of the caller: ``"ann@trader-1"``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # The user id has no name, as in some containers.
        user = "somebody"
    return f"{user}@{socket.gethostname() or 'here'}"
