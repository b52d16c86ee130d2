"""Findings of an examination, each with its cure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Examination", "DoctorFinding", "Severity"]


class Severity(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    """The app does not run, or may lose or repeat orders."""
    WARNING = "warning"
    """The app runs, and is likely to fail or to lose data under some condition."""
    NOTE = "note"
    """Nothing is wrong: something was not examined, or is not in use."""


class DoctorFinding(msgspec.Struct, frozen=True):
    """One finding.

    Attributes:
        check: Name of the check, ``"clock"``.
        severity: How serious it is.
        problem: The problem, with the values found.
        cure: What to do about it.
    """

    check: str
    severity: Severity
    problem: str
    cure: str


class Examination(msgspec.Struct):
    """All findings about an app.

    Attributes:
        app: Name of the app; empty if none is known.
        server: Address of its server, without credentials; empty if none was reached.
        version: Version of that server; empty if unknown.
        findings: The findings, in the order of the checks.
    """

    app: str = ""
    server: str = ""
    version: str = ""
    findings: list[DoctorFinding] = []

    def error(self, check: str, problem: str, cure: str) -> None:
        """Add an error."""
        self.findings.append(DoctorFinding(check, Severity.ERROR, problem, cure))

    def warning(self, check: str, problem: str, cure: str) -> None:
        """Add a warning."""
        self.findings.append(DoctorFinding(check, Severity.WARNING, problem, cure))

    def note(self, check: str, problem: str, cure: str) -> None:
        """Add a note."""
        self.findings.append(DoctorFinding(check, Severity.NOTE, problem, cure))

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)
