"""Operator actions on a live app: halt and resume, status, dead letters, verify."""

from ingenium.operations.apps import LocalApp, find_apps
from ingenium.operations.halt_resume import SwitchResult, release, restrict

__all__ = ["LocalApp", "SwitchResult", "find_apps", "release", "restrict"]
