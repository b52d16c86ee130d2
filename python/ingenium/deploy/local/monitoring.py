"""Requests to the monitoring endpoints of a NATS server."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import urlopen

__all__ = ["ask_page"]


def ask_page(url: str, timeout_seconds: float = 2.0) -> dict[str, Any]:
    """Return the JSON object of an endpoint; empty if the answer is not an object.

    Raises:
        OSError: The server does not answer; `urllib.error.HTTPError` when it answers with an error.
        ValueError: The answer is not JSON.
    """
    with urlopen(url, timeout=timeout_seconds) as answer:  # noqa: S310 - our own server's
        found = json.load(answer)
    return found if isinstance(found, dict) else {}
