"""The ``ingenium`` command and its errors."""

from __future__ import annotations

import sys
from json import dumps
from typing import Annotated

import typer

from ingenium._native import is_compiled
from ingenium._version import __version__
from ingenium.cli.accounts import accounts
from ingenium.cli.backtest import backtest
from ingenium.cli.deadletters import deadletters
from ingenium.cli.output import print_error
from ingenium.cli.protos import protos
from ingenium.cli.run import run
from ingenium.cli.status import status
from ingenium.cli.sweep import sweep
from ingenium.cli.switching import halt, reduce, resume
from ingenium.cli.tap import tap
from ingenium.cli.verify import verify
from ingenium.cli.worker import worker
from ingenium.errors import ConfigError, IngeniumError, MissingDependencyError, SubjectError

__all__ = ["main"]

_FAILED = 1
_WRONG_USE = 2
_INTERRUPTED = 130

application = typer.Typer(
    name="ingenium",
    help="Event-driven trading systems out of parts that meet on NATS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
application.command()(run)
application.command()(backtest)
application.command()(sweep)
application.command()(worker)
application.command()(tap)
application.command()(accounts)
application.command()(protos)
application.command()(halt)
application.command()(reduce)
application.command()(resume)
application.command()(status)
application.command()(deadletters)
application.command()(verify)


@application.command()
def version(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the version, and whether the inner loop of backtests is compiled."""
    compiled = is_compiled()
    if json:
        typer.echo(dumps({"version": __version__, "compiled": compiled}))
    else:
        typer.echo(f"ingenium {__version__}{', compiled' * compiled}")


def main() -> None:
    """Run the command line; errors become one line on standard error and an exit code.

    The code is 0 when all went well, 1 when a run failed, 2 when it was asked for wrongly.
    """
    try:
        application()
    except IngeniumError as error:
        print_error(error)
        wrong = isinstance(error, ConfigError | SubjectError | MissingDependencyError)
        sys.exit(_WRONG_USE if wrong else _FAILED)
    except OSError as error:
        # Such as a full disk below standard output.
        name = f"{error.filename}: " if error.filename else ""
        print_error(error if error.strerror is None else f"{name}{error.strerror}")
        sys.exit(_FAILED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
