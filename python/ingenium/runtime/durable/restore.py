"""Restores the stored state of a component."""

from __future__ import annotations

from ingenium.components import Component
from ingenium.components.blame import text_of
from ingenium.components.handle_of import handle_of
from ingenium.errors import ComponentError, IngeniumError
from ingenium.runtime.durable.store import STATE_CURE, Store
from ingenium.runtime.durable.warm_start import check_state, say_refused
from ingenium.runtime.warm_up import WarmUp

__all__ = ["restore"]


def restore(component: Component, store: Store, warm_up: WarmUp | None) -> None:
    """Restore a fresh component from its file.

    Raises:
        ComponentError: The stored state does not fit the component.
        StoreError: The file cannot be read.
    """
    handle = handle_of(component)
    handle = handle_of(component)
    try:
        for kind, count in handle.log_kept.items():
            handle.restore_log([(kind, i, v) for i, v in store.log(kind, count)])
        rows = store.rows()
        check_state(component, rows, warm_up)
        handle.restore_rows(rows)
        say_refused(component, warm_up)
    except ComponentError as error:
        raise ComponentError(f"{store.name}, table state: {error}: {STATE_CURE}") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        if isinstance(error, IngeniumError):
            raise
        raise ComponentError(
            f"{store.name}, table state: {component} cannot restore it: {text_of(error)}: "
            f"{STATE_CURE}"
        ) from error
