"""The pages of the dashboard, from the package's own files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

__all__ = ["ASSETS", "StaticFiles"]

ASSETS = Path(__file__).with_name("assets")
"""Folder of the built pages: ``index.html``, and everything else in ``assets/``."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
_MISSING = "the pages are not built here: see docs/control.md\n"


class StaticFiles:
    """Files below one folder, by allowed kinds.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path = ASSETS) -> None:
        self._root = root.resolve()

    def find(self, path: str) -> Path | None:
        """Return the file for the path of a URL; ``None`` if there is none.

        A path without a suffix is a view of the page, so it gets the page.
        """
        name = path.lstrip("/")
        if "\\" in name or "\0" in name:
            return None
        if "." not in name.rpartition("/")[2]:
            name = "index.html"
        found = (self._root / name).resolve()
        if not found.is_relative_to(self._root) or found.suffix not in _TYPES:
            return None
        return found if found.is_file() else None

    async def send(self, path: str, method: str, send: Callable[[Any], Awaitable[None]]) -> None:
        """Answer a request for a file."""
        found = self.find(path)
        status = 200
        if found is None:
            status, kind = 404, _TYPES[".txt"]
            is_page = "." not in path.rpartition("/")[2]
            body = (_MISSING if is_page else "no such file\n").encode()
        else:
            kind, body = _TYPES[found.suffix], found.read_bytes()
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            # Names of built files stay the same, so a browser has to ask after an upgrade.
            (b"cache-control", b"no-cache"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
