"""Names of the streams and buckets on a server, and the subjects of sweeps; their only home."""

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
]

MONEY_STREAM_NAME = "INGENIUM"
"""Stream of signals, orders, executions, denials, dead letters and control."""
DATA_STREAM_NAME = "INGENIUM_DATA"
"""Stream of market data of the last day."""
STATUS_STREAM_NAME = "INGENIUM_STATUS"
"""Stream of the last status of each component."""
SWEEP_JOBS_NAME = "INGENIUM_SWEEP_JOBS"
"""Stream of backtests that workers are to run."""
SWEEP_RESULTS_NAME = "INGENIUM_SWEEP_RESULTS"
"""Stream of what workers have run."""
LEASE_BUCKET = "ingenium_lease"
"""Bucket of leases."""
SWEEP_JOB = "_ingenium.sweep.job"
"""Subject of a backtest to run, with a dot and the name of its sweep behind it."""
SWEEP_RESULT = "_ingenium.sweep.result"
"""Subject of a result, likewise."""
