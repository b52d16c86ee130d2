"""``ingenium replay``."""

from __future__ import annotations

import json as jsonlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ingenium.cli.backtest_output import make_console, print_result, result_as_json
from ingenium.cli.data_notes import print_notes
from ingenium.cli.day_options import SinceOption, UntilOption, time
from ingenium.cli.recorded import RunOption
from ingenium.cli.run import hide_logged_denials, print_final_money, run_whole, watch_of
from ingenium.cli.targets import AppTarget
from ingenium.components import check_handlers, collect_notes, load_app
from ingenium.config import Settings
from ingenium.errors import ConfigError, LockstepError

__all__ = ["replay"]

_PACES = ("lockstep", "paced", "fast")


def replay(
    app: AppTarget,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Database, or folder of an export; record.db in the app's folder when left out.",
        ),
    ] = None,
    run: RunOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    pace: Annotated[
        str,
        typer.Option(
            "--pace",
            metavar="lockstep|paced|fast",
            help="Instant by instant, as history; or as live data, by the clock or without pauses.",
        ),
    ] = "lockstep",
    speed: Annotated[
        float,
        typer.Option("--speed", min=0.001, help="Seconds of the data in a second, if paced."),
    ] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Put recorded market data on a bus of its own, and run the app on it.

    The app has a server and a folder for this run only, so its real streams, positions and journal
    are not touched. An executor that works at a broker is refused.
    """
    from ingenium.recorder import require

    require()
    from ingenium.recorder.live_recording import default_url
    from ingenium.recorder.recorded_data import RecordedFeed, RecordedIngestor, RecordedWindow

    if pace not in _PACES:
        raise ConfigError(f"--pace {pace!r} is not known: use {', '.join(_PACES)}")
    loaded = load_app(app)
    settings = Settings.from_environment()
    window = RecordedWindow(
        place or default_url(settings, loaded.name),
        run or loaded.name,
        time("since", since),
        time("until", until),
    )
    # The app has to be fit for history at any pace: old prices must not reach a broker.
    loaded.use_ingestors([RecordedIngestor(window)])
    if pace != "lockstep":
        loaded.use_ingestors([RecordedFeed(window, speed if pace == "paced" else 0)])
        loaded.on_end = "stop"
    check_handlers(loaded)
    console = make_console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="ingenium-replay-") as folder:
        settings = replace(settings, nats_server="", data_directory=Path(folder))
        if pace == "lockstep":
            result = run_whole(
                loaded, app, settings, None, processes=False, adopt=False, console=console
            )
        else:
            hide_logged_denials()
            watch = watch_of(loaded, console, quiet=True)
            result = None
            try:
                run_whole(
                    loaded, app, settings, watch.watch, processes=False, adopt=False,
                    console=console,
                )  # fmt: skip
            finally:
                if watch.money is not None:
                    print_final_money(loaded, watch.money, as_json=json)
    if result is None:
        return
    if json:
        typer.echo(jsonlib.dumps(result_as_json(result)))
    else:
        print_result(make_console(), result, trades=0)
        print_notes(make_console(), collect_notes(loaded.ingestors))
    if result.hopeless:
        raise LockstepError(f"nothing could come of this run: {result.hopeless}")
