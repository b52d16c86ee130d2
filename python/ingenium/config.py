"""Settings, read from the environment; nothing else in the package looks there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["Settings"]

_SERVER = "NATS_SERVER"
_DATA_DIRECTORY = "INGENIUM_DATA_DIR"
_APP = "INGENIUM_APP"
_COMPONENT = "INGENIUM_COMPONENT"
_STOP_WITH_INPUT = "INGENIUM_STOP_WITH_INPUT"
_DATA_SUBJECTS = "INGENIUM_DATA_SUBJECTS"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says.

    Attributes:
        nats_server: ``NATS_SERVER``, the URL of the server to use; empty for an embedded one.
        data_directory: ``INGENIUM_DATA_DIR``, where an embedded server keeps its store and
            components keep theirs; ``.ingenium`` in the working directory when not set.
        stop_with_input: ``INGENIUM_STOP_WITH_INPUT``, set for a child whose standard input is a
            pipe of its parent's: when that ends, the parent is gone.
        data_subjects: ``INGENIUM_DATA_SUBJECTS``, with commas between them: further subjects that
            ingestors publish and every component may read, such as ``acme.news.>``.
        environment: All variables, to hand on to children.
    """

    nats_server: str = field(default="", repr=False)
    data_directory: Path = Path(".ingenium")
    stop_with_input: bool = False
    data_subjects: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Args:
            environment: Variables; those of the process when left out.
        """
        variables = dict(os.environ if environment is None else environment)
        return cls(
            nats_server=variables.get(_SERVER, "").strip(),
            data_directory=Path(variables.get(_DATA_DIRECTORY, "").strip() or ".ingenium"),
            stop_with_input=variables.get(_STOP_WITH_INPUT, "") == "1",
            data_subjects=_list(variables.get(_DATA_SUBJECTS, "")),
            environment=variables,
        )

    def with_server(self, url: str) -> Settings:
        """Return these settings with another server."""
        return replace(self, nats_server=url)

    def for_child(self, *, app: str, component: str) -> dict[str, str]:
        """Return the environment of a program that plays a component.

        Args:
            app: Name of the app.
            component: Name of the component.
        """
        return {
            **self.environment,
            _SERVER: self.nats_server,
            _APP: app,
            _COMPONENT: component,
            _STOP_WITH_INPUT: "1",
            # A component's prints are shown as they come, not when a buffer is full.
            "PYTHONUNBUFFERED": "1",
        }


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
