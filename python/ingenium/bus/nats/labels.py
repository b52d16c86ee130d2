"""Descriptions and metadata of streams and consumers, for NATS tools."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_LABELS", "Labels"]


@dataclass(frozen=True, slots=True)
class Labels:
    """Owner of a stream or consumer.

    Attributes:
        app: Name of the app; empty if unknown.
        component: Name of the component; empty for something shared by all.
        role: Role of the component.
    """

    app: str = ""
    component: str = ""
    role: str = ""

    def metadata(self, purpose: str) -> dict[str, str]:
        """Return metadata of a stream or consumer: ``app``, ``component``, ``role``, ``purpose``.

        Servers before 2.10 ignore metadata.
        """
        labels = {"app": self.app, "component": self.component, "role": self.role}
        return {name: text for name, text in labels.items() if text} | {"purpose": purpose}

    def describe(self, text: str) -> str:
        """Return a description with owner and purpose."""
        who = " ".join(filter(None, (self.role, self.component)))
        if self.app:
            who = f"{who} of app {self.app}" if who else f"app {self.app}"
        return f"{who}: {text}" if who else text


NO_LABELS = Labels()
