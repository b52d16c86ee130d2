"""Names of streams and buckets on a server, and subjects of its API, of services and of sweeps."""

from __future__ import annotations

__all__ = [
    "DATA_STREAM_NAME",
    "LEASE_BUCKET",
    "MONEY_STREAM_NAME",
    "STATUS_STREAM_NAME",
    "SWEEP_JOB",
    "SWEEP_JOBS_NAME",
    "SWEEP_RESULT",
    "SWEEP_RESULTS_NAME",
    "ALL_SERVICES",
    "ANSWERS_ACROSS_ACCOUNTS",
    "direct_get_subject",
    "service_subject",
]

MONEY_STREAM_NAME = "INGENIUM"
"""Stream of signals, orders, executions, denials, dead letters and control."""
DATA_STREAM_NAME = "INGENIUM_DATA"
"""Stream of market data of the last day."""
STATUS_STREAM_NAME = "INGENIUM_STATUS"
"""Stream of the last status of each component."""
SWEEP_JOBS_NAME = "INGENIUM_SWEEP_JOBS"
"""Stream of backtests for workers to run."""
SWEEP_RESULTS_NAME = "INGENIUM_SWEEP_RESULTS"
"""Stream of the workers' results."""
LEASE_BUCKET = "ingenium_lease"
"""Bucket of leases."""
SWEEP_JOB = "_ingenium.sweep.job"
"""Subject prefix of a backtest to run; a dot and the name of its sweep follow."""
SWEEP_RESULT = "_ingenium.sweep.result"
"""Subject prefix of a result; a dot and the name of its sweep follow."""


def direct_get_subject(stream: str) -> str:
    """Return the subject on which a server answers with messages of a stream by sequence.

    Args:
        stream: Name of the stream on the server.
    """
    return f"$JS.API.DIRECT.GET.{stream}"


ALL_SERVICES = "$SRV.>"
"""All requests that a NATS micro service answers (ADR-32)."""
ANSWERS_ACROSS_ACCOUNTS = "_R_.>"
"""Where the server has a service answer a request of another account, each at a random name."""


def service_subject(verb: str, name: str = "", instance: str = "") -> str:
    """Return the subject of a request to NATS micro services.

    Args:
        verb: ``"PING"``, ``"INFO"`` or ``"STATS"``, or ``"*"`` for each.
        name: Name of a service; all services when left out.
        instance: Id of one instance of it, or ``"*"``; all instances when left out.
    """
    return ".".join(filter(None, ("$SRV", verb, name, instance)))
