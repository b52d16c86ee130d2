"""Checks of the definition of an app: it loads, and its price files can be read."""

from __future__ import annotations

from ingenium.components import App, Ingestor, load_app
from ingenium.errors import ConfigError, IngeniumError
from ingenium.ingestors import CsvIngestor
from ingenium.operations.doctor.findings import Examination

__all__ = ["check_history_files", "load_checked"]


def load_checked(examination: Examination, target: str) -> App | None:
    """Load an app; ``None`` with a finding if that fails.

    Args:
        examination: Receives the finding.
        target: File or module of the app.
    """
    try:
        return load_app(target)
    except ConfigError as error:
        examination.error("app", str(error), f"correct it, then try ingenium backtest {target}")
    except IngeniumError as error:
        examination.error("app", str(error), "correct the call that the text names")
    return None


def check_history_files(examination: Examination, app: App) -> None:
    """Check that each price file of an app can be read, up to its first bar.

    Args:
        examination: Receives the findings.
        app: The app; its ingestors of files cannot be run afterwards.
    """
    ingestors: list[Ingestor] = [each for each in app.ingestors if isinstance(each, Ingestor)]
    for ingestor in (*ingestors, *app.warm_up):
        # Other ingestors may read from a network.
        if not isinstance(ingestor, CsvIngestor):
            continue
        try:
            first = next(iter(ingestor.read_bars()), None)
        except IngeniumError as error:
            examination.error(
                "history",
                f"ingestor {ingestor.name!r} cannot read its files: {error}",
                "correct the path or the arguments of CsvIngestor; docs/ingesting-csv.md has them",
            )
        else:
            if first is None:
                examination.warning(
                    "history",
                    f"the files of ingestor {ingestor.name!r} have no bars",
                    "put prices into them, or correct the path",
                )
