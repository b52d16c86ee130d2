"""An app to examine, and what an examination has found in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.live_app import APP

from ingenium.config import Settings
from ingenium.operations.doctor import Examination, Severity, examine
from ingenium.operations.doctor.machine_checks import Machine, read_machine

__all__ = ["Patient", "found_in", "well_machine"]


def well_machine(folder: Path) -> Machine:
    """This machine, as it is with room on its disk, whoever runs the tests."""
    return replace(
        read_machine(folder, {}),
        stale=(),
        free_bytes=2**40,
        descriptors=(65_536, 65_536),
    )


class Patient:
    """The app ``live`` in a folder, whose definition is ``desk_app.py``."""

    def __init__(self, folder: Path, server: str = "") -> None:
        self.folder = folder
        self.file = folder / "desk_app.py"
        self.file.write_text(APP)
        self.target = f"{self.file}:app"
        self.environment: dict[str, str] = {}
        self.server = server
        self.directory = folder / ".ingenium" / "live"
        self.state = self.directory / "state"

    @property
    def settings(self) -> Settings:
        variables = self.environment | {"INGENIUM_DATA_DIR": str(self.folder / ".ingenium")}
        return Settings.from_environment(variables | {"NATS_SERVER": self.server})

    async def examine(self, **options: object) -> Examination:
        """Examine the app on a machine that is well."""
        given = {"machine": well_machine(self.folder)} | options
        return await examine(self.target, self.settings, **given)  # type: ignore[arg-type]


def found_in(examination: Examination, least: Severity = Severity.WARNING) -> list[str]:
    """Return each finding but notes as ``"error check: problem: cure"``."""
    order = list(Severity)
    return [
        f"{each.severity} {each.check}: {each.problem}: {each.cure}"
        for each in examination.findings
        if order.index(each.severity) <= order.index(least)
    ]
