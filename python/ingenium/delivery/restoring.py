"""Gives a component back what it had written down."""

from __future__ import annotations

from ingenium.components import Component
from ingenium.components.blame import text_of
from ingenium.delivery.store import STATE_CURE, Store
from ingenium.errors import ComponentError, IngeniumError

__all__ = ["restore"]


def restore(component: Component, store: Store) -> None:
    """Restore a fresh component from its file.

    Raises:
        ComponentError: What is there does not fit the component.
        StoreError: The file cannot be read.
    """
    try:
        for kind, count in component.log_kept.items():
            component.restore_log([(kind, i, v) for i, v in store.log(kind, count)])
        component.restore_rows(store.rows())
    except ComponentError as error:
        raise ComponentError(f"{store.name}, table state: {error}: {STATE_CURE}") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        if isinstance(error, IngeniumError):
            raise
        raise ComponentError(
            f"{store.name}, table state: {component.role} {component.name!r} cannot take it "
            f"back: {text_of(error)}: {STATE_CURE}"
        ) from error
