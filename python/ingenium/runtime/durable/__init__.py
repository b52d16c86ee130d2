"""Durable runners: state, inbox and outbox of live components that survive a crash."""

from ingenium.runtime.durable.durable_runner import DurableRunner
from ingenium.runtime.durable.rebuild import rebuild
from ingenium.runtime.durable.store import Change, Outgoing, Store, StreamPosition

__all__ = ["Change", "DurableRunner", "Outgoing", "StreamPosition", "Store", "rebuild"]
