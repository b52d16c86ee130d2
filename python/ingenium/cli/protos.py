"""``ingenium protos``."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from ingenium.cli.backtest_output import printable
from ingenium.errors import ConfigError
from ingenium.protos import FOLDER, LANGUAGES, write_protos

__all__ = ["protos"]


def protos(
    directory: Annotated[
        Path | None, typer.Argument(help="Folder of your project; created if missing.")
    ] = None,
    language: Annotated[
        str,
        typer.Option("--language", help=f"Write a buf.gen.yaml as well: {', '.join(LANGUAGES)}."),
    ] = "",
    module: Annotated[
        str, typer.Option("--module", help="Name of your Go module, if there is no go.mod.")
    ] = "",
    path: Annotated[
        bool, typer.Option("--path", help="Print the folder of the .proto files, for protoc -I.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the .proto files of the bus and a buf.yaml into a project, to generate code from.

    An existing buf.yaml or buf.gen.yaml is not changed.
    """
    if path:
        typer.echo(jsonlib.dumps({"path": str(FOLDER)}) if json else str(FOLDER))
        return
    if directory is None:
        raise ConfigError("no folder is named: pass one, such as `ingenium protos . --language go`")
    done = write_protos(directory, language, module)
    if json:
        answer = {"written": [*map(str, done.written)], "kept": [*map(str, done.kept)]}
        typer.echo(jsonlib.dumps(answer))
        return
    for file in done.written:
        typer.echo(f"wrote {printable(str(file))}")
    for file in done.kept:
        typer.echo(f"left  {printable(str(file))} as it is")
