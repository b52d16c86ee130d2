"""``ingenium run``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import logging
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.backtest import replay
from ingenium.cli.backtest_output import (
    make_console,
    print_error,
    print_result,
    result_as_json,
)
from ingenium.cli.component_lines import ComponentLines
from ingenium.cli.dashboard import dashboard_beside
from ingenium.cli.data_notes import notes_as_json, print_notes
from ingenium.cli.keep_options import ArchiveOption, KeepOption
from ingenium.cli.log_options import LogFormatOption, LogLevelOption, start_logs
from ingenium.cli.money import denial_line, fill_line, print_money
from ingenium.cli.progress_bar import StepProgress
from ingenium.cli.record import DatabaseOption
from ingenium.cli.run_local import (
    DetachOption,
    ReloadOption,
    check_local_options,
    make_reloader,
    run_detached,
    start_again,
)
from ingenium.cli.run_record import (
    Attend,
    check_record_options,
    recorded_replay,
    recorded_too,
)
from ingenium.cli.stop import INTERRUPTED
from ingenium.cli.targets import AppTarget
from ingenium.components import (
    App,
    External,
    check_handlers,
    collect_notes,
    load_app,
    missing_handlers,
)
from ingenium.config import Settings
from ingenium.errors import ConfigError, FeedError, LockstepError
from ingenium.runtime.app_telemetry import exported, observed
from ingenium.runtime.replay import OnLines, ReplayResult

if TYPE_CHECKING:
    from ingenium.deploy.local.reloader import Reloader
    from ingenium.operations.account_money import AppMoney
    from ingenium.operations.run_watch import RunWatch

__all__ = ["hide_logged_denials", "print_final_money", "run", "run_whole", "watch_of"]


def run(
    app: AppTarget,
    processes: Annotated[
        bool, typer.Option("--processes", help="Run each component in its own process.")
    ] = False,
    component: Annotated[
        str | None,
        typer.Option(
            "--component",
            metavar="NAME",
            help="Run only this component, on the server that NATS_SERVER names. 'conductor' is "
            "the process that keeps a replay in lockstep.",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Repeat the replay in one process, without a server, and compare the digests.",
        ),
    ] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Refuse a replay whose result may depend on the speed of a program without "
            "lockstep reports.",
        ),
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Live: accept the present state after a manual check. Continue with a stream "
            "that has lost messages, adopt the positions of the broker, and unblock symbols.",
        ),
    ] = False,
    all_output: Annotated[
        bool,
        typer.Option(
            "--all-output",
            help="Show all output of programs in other languages, instead of the first lines and "
            "ten every five seconds.",
        ),
    ] = False,
    trades: Annotated[
        int | None,
        typer.Option(
            "--trades",
            min=0,
            help="History: number of recent trades to print; 10 if omitted.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Live: do not print a line per fill and denial.")
    ] = False,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Record every event in a database; with live data see --keep."
        ),
    ] = False,
    database: DatabaseOption = None,
    dashboard: Annotated[
        bool,
        typer.Option("--dashboard", help="Live: start the control plane too, and print its URL."),
    ] = False,
    keep: KeepOption = None,
    archive: ArchiveOption = None,
    detach: DetachOption = False,
    reload: ReloadOption = False,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the result, or the final account of a live app, as JSON."
        ),
    ] = False,
) -> None:
    """Run an app over NATS: history to its end, live data until Ctrl+C.

    On live data each fill and denial is printed as it arrives, and the account at the end. The
    server is the one that NATS_SERVER names, or an embedded one. Ctrl+C or SIGTERM drains the app;
    the exit code is then 0 for a live app and 130 for incomplete history. A second Ctrl+C exits at
    once.
    """
    loaded = load_app(app)
    check_handlers(loaded)
    _check_flags(
        loaded,
        of_history={"--verify": verify, "--exact": exact, "--trades": trades is not None},
        of_live={
            "--adopt": adopt,
            "--quiet": quiet,
            "--dashboard": dashboard,
            "--keep": keep is not None,
            "--archive": archive is not None,
            "--detach": detach,
            "--reload": reload,
        },
        of_whole=(
            {}
            if component is None
            else {
                "--quiet": quiet,
                "--json": json,
                "--record": record,
                "--dashboard": dashboard,
                "--detach": detach,
                "--reload": reload,
            }
        ),
    )
    if component is not None and record:
        raise ConfigError(
            f"--record does nothing with --component {component}: ingenium run without --component "
            "records history, and ingenium record a live app"
        )
    check_local_options(detach=detach, json=json)
    policy = check_record_options(database, keep, archive, record=record)
    if exact:
        _check_exact(loaded)
    settings = Settings.from_environment()
    if all_output:
        settings = replace(settings, all_output=True)
    messages, of_logs = start_logs(log_format, log_level, component or "")
    settings = replace(settings, environment={**settings.environment, **of_logs})
    if detach:
        run_detached(loaded, settings, messages)
        return
    reloader = make_reloader(app, messages) if reload else None
    processes = processes or reload
    if component is not None:
        if processes:
            raise ConfigError("--component and --processes exclude each other: use one of them")
        result = _run_component(loaded, component, settings, adopt=adopt, console=messages)
        verify = False
        if result is None and loaded.historical:
            # A child process: the parent forwards its output.
            print_notes(messages, collect_notes([loaded.component(component)]))
    else:
        if not loaded.historical:
            hide_logged_denials()
        watch = None if loaded.historical else watch_of(loaded, messages, quiet=quiet)
        attend: Attend | None = None if watch is None else watch.watch
        try:
            with ExitStack() as stack:
                if record and attend is not None:
                    # The recorder is in this process; the components may export in their own.
                    own = exported(f"{loaded.name}-recorder", settings.environment)
                    metrics = stack.enter_context(own) if processes else None
                    attend = recorded_too(
                        loaded, app, settings, database, policy, attend, messages, metrics
                    )
                if dashboard:
                    stack.enter_context(dashboard_beside(app, settings, database))
                recording = None
                if record and loaded.historical:
                    recording = stack.enter_context(
                        recorded_replay(loaded, settings, database, messages)
                    )
                result = run_whole(
                    loaded,
                    app,
                    settings,
                    attend,
                    processes=processes,
                    adopt=adopt,
                    console=messages,
                    on_lines=None if recording is None else recording.add,
                    reloader=reloader,
                )
                if recording is not None and result is not None:
                    recording.end_replay(result, loaded, app)
        finally:
            if watch is not None and watch.money is not None:
                print_final_money(loaded, watch.money, as_json=json)
    if reloader is not None and reloader.wants_restart:
        start_again()
    if result is None:
        return
    same = _verify(app, result, messages) if verify and result.complete else None
    if json:
        answer = result_as_json(result)
        if same is not None:
            answer["verified"] = same
        if not processes and component is None:
            answer["data_notes"] = notes_as_json(collect_notes(loaded.ingestors))
        typer.echo(jsonlib.dumps(answer))
        if result.hopeless:
            raise LockstepError(f"nothing could come of this run: {result.hopeless}")
        _exit_if_stopped(result)
        return
    if result.hopeless:
        raise LockstepError(f"nothing could come of this run: {result.hopeless}")
    print_result(make_console(), result, trades=10 if trades is None else trades)
    print_notes(make_console(), collect_notes(loaded.ingestors))
    if not result.complete:
        messages.print("[yellow]stopped before the end of history: the result covers a part[/]")
    if same:
        messages.print("[green]equal[/] to the same app in one process, without a server")
    _exit_if_stopped(result)


def _exit_if_stopped(result: ReplayResult) -> None:
    if not result.complete:
        raise typer.Exit(INTERRUPTED)


def _check_flags(
    app: App,
    *,
    of_history: Mapping[str, bool],
    of_live: Mapping[str, bool],
    of_whole: Mapping[str, bool],
) -> None:
    """Refuse flags that have no effect in this run."""
    others, kind, other = of_live, "history", "live data"
    if not app.historical:
        others, kind, other = of_history, "live data", "history"
        if given := [flag for flag, is_given in of_whole.items() if is_given]:
            raise ConfigError(
                f"{', '.join(given)} does nothing with --component: the run of the whole app shows "
                "fills, denials and the account; see ingenium status as well"
            )
    if given := [flag for flag, is_given in others.items() if is_given]:
        raise ConfigError(
            f"{', '.join(given)} is for apps on {other}, and {app.name!r} runs on {kind}: leave it "
            "out"
        )


def hide_logged_denials() -> None:
    """Drop log lines about denials, since the run prints each denial."""
    for name in ("ingenium.portfolio", "ingenium.executor", "ingenium.brokers"):
        logging.getLogger(name).addFilter(lambda record: " is denied" not in record.getMessage())


def watch_of(app: App, console: Console, *, quiet: bool) -> RunWatch:
    """Return a task that prints fills and denials while a live app runs."""
    from ingenium.operations.run_watch import RunWatch

    def say(text: str) -> None:
        if not quiet:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    return RunWatch(app, lambda fill: say(fill_line(fill)), lambda denial: say(denial_line(denial)))


def print_final_money(app: App, money: AppMoney, *, as_json: bool) -> None:
    """Print the account of a live app at its end."""
    import msgspec

    if as_json:
        typer.echo(jsonlib.dumps({"app": app.name, "money": msgspec.to_builtins(money)}))
    else:
        console = make_console()
        console.print(f"{app.name} has stopped", markup=False, highlight=False)
        print_money(console, money)


def _check_exact(app: App) -> None:
    silent = [c for c in app.components if isinstance(c, External) and not c.reports]
    if silent and app.historical:
        names = ", ".join(component.name for component in silent)
        raise ConfigError(
            f"the result would not be exact: {names} cannot say when an instant is handled, so the "
            f"replay waits {max(c.settle_seconds for c in silent):g} s; have the program publish "
            "LockstepReport and pass reports=True, or leave --exact out"
        )


def _run_component(
    app: App, component: str, settings: Settings, *, adopt: bool, console: Console
) -> ReplayResult | None:
    from ingenium.deploy.local import run_component
    from ingenium.deploy.local.supervisor import FEED_FAILED

    if settings.stop_with_input and not app.historical:
        hide_logged_denials()

    def on_ready(text: str) -> None:
        # The parent process reports this once for all components.
        if not settings.stop_with_input:
            console.print(text, style="green", markup=False, highlight=False, soft_wrap=True)

    try:
        with observed(app, settings.environment, with_log_context=_has_logs(settings)):
            return asyncio.run(
                run_component(app, component, settings, adopt=adopt, on_ready=on_ready)
            )
    except FeedError as error:
        # The exit code tells a supervisor that a restart does not help.
        print_error(error)
        raise typer.Exit(FEED_FAILED) from error


def run_whole(
    app: App,
    target: str,
    settings: Settings,
    attend: Attend | None,
    *,
    processes: bool,
    adopt: bool,
    console: Console,
    on_lines: OnLines | None = None,
    reloader: Reloader | None = None,
) -> ReplayResult | None:
    """Run all components of an app, and show its progress and notices.

    Args:
        app: The app.
        target: The app, as on the command line.
        settings: Settings of the command.
        attend: Watches a live app.
        processes: Whether each component runs in its own process.
        adopt: Whether live components accept the present state.
        console: For progress and notices.
        on_lines: Called with the events of a replay as they are digested.
        reloader: Restarts components of a live app whose code changes.

    Returns:
        The result of a replay; ``None`` for live data.
    """
    from ingenium.deploy.local import run_app

    def on_line(name: str, line: str) -> None:
        if is_json and line.startswith("{"):
            typer.echo(line, err=True)  # A child has written a record.
            return
        console.print(shown.line(name, line), soft_wrap=True)

    def on_stop() -> None:
        console.print("[yellow]stopping after what is under way; once more stops at once[/]")

    def on_notice(text: str) -> None:
        console.print(text, style="bold red", highlight=False, soft_wrap=True)

    def on_ready(text: str) -> None:
        console.print(text, style="green", markup=False, highlight=False, soft_wrap=True)

    shown = ComponentLines(component.name for component in app.components)
    is_json = settings.environment.get("INGENIUM_LOG_FORMAT") == "json"
    where = "each component in its own process" if processes else "in one process"
    if not app.historical:
        for line in missing_handlers(app):
            on_notice(line)
        console.print(
            f"[bold]{app.name}[/] runs on live data, {where}; Ctrl+C stops it", highlight=False
        )
    with (
        nullcontext()
        if processes
        else observed(app, settings.environment, with_log_context=_has_logs(settings)),
        StepProgress(console, f"{app.name}, {where}") as progress,
    ):
        return asyncio.run(
            run_app(
                app,
                target,
                settings,
                processes=processes,
                adopt=adopt,
                on_step=progress.on_step,
                on_line=on_line,
                on_stop=on_stop,
                on_notice=on_notice,
                on_ready=on_ready,
                attend=attend,
                on_lines=on_lines,
                reloader=reloader,
            )
        )


def _has_logs(settings: Settings) -> bool:
    return "INGENIUM_LOG_FORMAT" in settings.environment


def _verify(target: str, result: ReplayResult, console: Console) -> bool | None:
    """Compare a result with the same app in one process.

    Returns:
        ``True``; ``None`` when the app cannot run in one process.

    Raises:
        LockstepError: They differ.
    """
    # Components keep their state, so the second run needs new ones.
    app = load_app(target)
    if any(isinstance(component, External) for component in app.components):
        console.print("[yellow]not compared:[/] a component is another program")
        return None
    with StepProgress(console, f"{app.name}, once more without a server") as progress:
        again = replay(app, on_step=progress.on_step)
    if again.events_digest != result.events_digest:
        raise LockstepError(
            f"the run over the bus gave events {result.events_digest}, the same app in one process "
            f"{again.events_digest}: a component depends on more than its events, such "
            "as the time of day, a random number or the order of a set"
        )
    return True
