"""Runs an app on this machine: in one process, or each component in its own."""

from ingenium.deploy.local.run_app import run_app, run_component

__all__ = ["run_app", "run_component"]
