"""Content types of events."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ContentType"]


class ContentType(StrEnum):
    """Encoding of a payload, as stated by the header ``Content-Type``."""

    JSON = "application/json"
    """The documented JSON; also assumed for a message without the header."""
    PROTOBUF = "application/protobuf"
    """Protobuf's binary form of the same schema."""
