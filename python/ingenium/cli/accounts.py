"""``ingenium accounts``."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from ingenium.cli.backtest_output import printable
from ingenium.cli.targets import AppTarget
from ingenium.components import load_app
from ingenium.config import Settings
from ingenium.errors import ConfigError

__all__ = ["accounts"]


def accounts(
    app: AppTarget,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            help="Write accounts.conf and a file of credentials for each role into it.",
        ),
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", help="Use nkeys; the server knows only their public keys."),
    ] = False,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix",
            help="Prefix of the account names, to separate apps on one server: 'paper' gives "
            "PAPER_DATA.",
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the NATS accounts of an app, with new secrets, for a NATS server of your own.

    Users and rights are those of live apps on the embedded server: each role has the rights of its
    job and no others.
    """
    from ingenium.deploy.local.access import accounts_of
    from ingenium.nats_server.account_files import make_accounts

    if keys and directory is None and not json:
        raise ConfigError("--keys makes files of credentials: name a folder with --directory")
    settings = Settings.from_environment()
    made = make_accounts(accounts_of(load_app(app), settings, prefix=prefix), with_keys=keys)
    if directory is None:
        answer = {"configuration": made.configuration, "credentials": made.secrets}
        typer.echo(jsonlib.dumps(answer) if json else made.configuration, nl=json)
        return
    files = made.write(directory)
    if json:
        answer = {"configuration": str(directory / "accounts.conf"), "credentials": files}
        typer.echo(jsonlib.dumps(answer))
        return
    typer.echo(
        f"{printable(str(directory / 'accounts.conf'))} is for the server. Components use\n"
        f"  NATS_SERVER=tls://host:4222 INGENIUM_NATS_CREDENTIALS='{printable(files)}'"
    )
