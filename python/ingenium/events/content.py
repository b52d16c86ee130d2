"""The forms in which events travel."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ContentType"]


class ContentType(StrEnum):
    """How a payload is written, as the header ``Content-Type`` says."""

    JSON = "application/json"
    """The documented JSON; a message without the header is this, too."""
    PROTOBUF = "application/protobuf"
    """Protobuf's binary form of the same schema."""
