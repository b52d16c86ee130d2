"""What operators do with an app that runs: halt and release it, look after it, check its books."""

from ingenium.operating.places import Place, find_places
from ingenium.operating.switching import Switched, release, restrict

__all__ = ["Place", "Switched", "find_places", "release", "restrict"]
