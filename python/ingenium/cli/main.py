"""Entry point of the ``ingenium`` command: commands, exit codes and error output."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from json import dumps
from types import FrameType
from typing import Annotated

import typer

from ingenium._native import is_compiled, stale_sources
from ingenium._version import __version__
from ingenium.cli.accounts import accounts
from ingenium.cli.backtest import backtest
from ingenium.cli.backtest_output import print_error
from ingenium.cli.components import COMMANDS, components
from ingenium.cli.dashboard import dashboard
from ingenium.cli.deadletters import deadletters
from ingenium.cli.deploy import DEPLOY_COMMANDS
from ingenium.cli.deploy_systemd import systemd
from ingenium.cli.doctor import doctor
from ingenium.cli.export import export
from ingenium.cli.help_text import help_of
from ingenium.cli.local_apps import logs, ps, stop
from ingenium.cli.parity import parity
from ingenium.cli.protos import protos
from ingenium.cli.record import record
from ingenium.cli.recorded import events, order, pnl, positions, runs, transactions
from ingenium.cli.replay import replay
from ingenium.cli.run import run
from ingenium.cli.status import status
from ingenium.cli.stop import INTERRUPTED
from ingenium.cli.sweep import sweep
from ingenium.cli.switching import halt, reduce, resume
from ingenium.cli.tap import tap
from ingenium.cli.top import top
from ingenium.cli.trace import trace
from ingenium.cli.verify import verify
from ingenium.cli.worker import worker
from ingenium.errors import ConfigError, IngeniumError, MissingDependencyError, SubjectError

__all__ = ["main"]

_FAILED = 1
_WRONG_USE = 2

application = typer.Typer(
    name="ingenium",
    help="Build, backtest and run event-driven trading systems on NATS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text, so that user text is never parsed as markup or emoji, in errors too.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run,
    ps,
    logs,
    stop,
    backtest,
    sweep,
    worker,
    tap,
    accounts,
    protos,
    halt,
    reduce,
    resume,
    status,
    components,
    top,
    dashboard,
    deadletters,
    doctor,
    verify,
    record,
    transactions,
    positions,
    pnl,
    order,
    events,
    trace,
    runs,
    export,
    replay,
    parity,
):
    text = help_of(command)
    application.command(help=text, short_help=text.partition("\n")[0])(command)

to_component = typer.Typer(
    name="component",
    help="Pause, resume or stop one component, or set the level of its log.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for name, one in COMMANDS.items():
    text = help_of(one)
    to_component.command(name, help=text, short_help=text.partition("\n")[0])(one)
application.add_typer(to_component)

to_deploy = typer.Typer(
    name="deploy",
    help="Render an app for what starts it: Kubernetes, compose, systemd; and build its image.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for name, one in {**DEPLOY_COMMANDS, "systemd": systemd}.items():
    text = help_of(one)
    to_deploy.command(name, help=text, short_help=text.partition("\n")[0])(one)
application.add_typer(to_deploy)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(_version())
        raise typer.Exit


def _version() -> str:
    if stale := stale_sources():
        return (
            f"ingenium {__version__}, stale: {', '.join(stale)} changed since it was compiled, so "
            "the sources run, slower: make compile"
        )
    return f"ingenium {__version__}, {'compiled' if is_compiled() else 'not compiled'}"


@application.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Handle options given before the command."""


@application.command(short_help="Print the version, and whether backtests are compiled.")
def version(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the version, and whether the inner loop of backtests is compiled."""
    if json:
        typer.echo(
            dumps({"version": __version__, "compiled": is_compiled(), "stale": stale_sources()})
        )
    else:
        typer.echo(_version())


def main() -> None:
    """Run the command line; errors become one line on standard error and an exit code.

    The exit code is 0 on success, 1 on failure, 2 on wrong usage and 130 after Ctrl+C.
    """
    try:
        # asyncio replaces the default handler with one that waits for the next await, and user
        # code, such as reading a file, may run long without one. An interrupt may come right here.
        signal.signal(signal.SIGINT, _interrupt)
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    # From here on an interrupt would only cut the exit short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code == INTERRUPTED:
        _discard_output()
        # Do not wait for threads, which may never end.
        os._exit(code)
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run() -> int:
    code = 0
    try:
        application()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except IngeniumError as error:
        print_error(error)
        wrong = isinstance(error, ConfigError | SubjectError | MissingDependencyError)
        code = _WRONG_USE if wrong else _FAILED
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe.
        _discard_output()
    except OSError as error:
        # For example a full disk under standard output.
        name = f"{error.filename}: " if error.filename else ""
        print_error(error if error.strerror is None else f"{name}{error.strerror}")
        _discard_output()
        code = _FAILED
    return code or _flush()


def _flush() -> int:
    """Flush standard output, whose disk may be full."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except (OSError, ValueError) as error:
        print_error(f"standard output: {getattr(error, 'strerror', None) or error}")
        _discard_output()
        return _FAILED
    return 0


def _discard_output() -> None:
    """Flush the output streams, and discard output that cannot be flushed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
