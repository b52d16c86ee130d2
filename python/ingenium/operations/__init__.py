"""What operators do with an app that runs: halt and release it, look after it, check its books."""

from ingenium.operations.apps import Place, find_places
from ingenium.operations.halt_resume import Switched, release, restrict

__all__ = ["Place", "Switched", "find_places", "release", "restrict"]
