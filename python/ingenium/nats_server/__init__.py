"""Embedded nats-server, its files, accounts and users."""

from ingenium.nats_server.embedded import EmbeddedServer, running_servers

__all__ = ["EmbeddedServer", "running_servers"]
