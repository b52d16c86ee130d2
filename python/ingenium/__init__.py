"""Ingenium: event-driven trading systems out of parts that meet on NATS."""

from ingenium._version import __version__

__all__ = ["__version__"]
