"""Converts an exception of a running component into one error."""

from __future__ import annotations

from ingenium.components import Component
from ingenium.components.blame import text_of
from ingenium.errors import ComponentError, IngeniumError

__all__ = ["failure_of"]


def failure_of(component: Component, error: BaseException) -> BaseException:
    """Return the error to raise: Ingenium's own unchanged, others with the component's name."""
    if isinstance(error, IngeniumError) or not isinstance(error, Exception):
        return error
    name = f"{component}"
    if isinstance(error, MemoryError):
        return ComponentError(
            f"{name} ran out of memory: start it again, and it resumes from its saved state"
        )
    return ComponentError(f"{name} failed: {text_of(error)}")
