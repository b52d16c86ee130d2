"""What operators do with an app that runs: halt and release it, look after it, check its books."""

from ingenium.operations.apps import LocalApp, find_apps
from ingenium.operations.halt_resume import SwitchResult, release, restrict

__all__ = ["LocalApp", "SwitchResult", "find_apps", "release", "restrict"]
