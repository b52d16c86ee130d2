"""Subjects that a program in another language must subscribe to and publish on, by role."""

from __future__ import annotations

from ingenium.components import External
from ingenium.subjects.names import DATA, EXECUTION, ORDER, SIGNAL, data_subject

__all__ = ["described", "output_of", "subjects_needed"]

_ANY_SYMBOL = "ingenium-probe"
_OUTPUTS = {
    "ingestor": f"{DATA}.>",
    "strategy": SIGNAL,
    "portfolio": ORDER,
    "executor": EXECUTION,
}


def subjects_needed(program: External) -> list[str]:
    """Return the subjects that a program must subscribe to; none for an ingestor.

    For a strategy of all symbols, a subject that only a wildcard matches.
    """
    if program.role == "strategy":
        symbols = (_ANY_SYMBOL,) if program.symbols is None else program.symbols
        return list(dict.fromkeys(map(data_subject, symbols)))
    if program.role == "portfolio":
        return [SIGNAL, EXECUTION]
    return [ORDER] if program.role == "executor" else []


def described(subject: str) -> str:
    """Return a required subject, or its name on the server, for display."""
    return f"{subject.removesuffix(_ANY_SYMBOL)}>" if subject.endswith(_ANY_SYMBOL) else subject


def output_of(program: External) -> str:
    """Return the subject that a program publishes to."""
    return _OUTPUTS[program.role]
