"""A real Chromium for tests of the dashboard."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from support.tools import need_program

__all__ = ["axe_script", "chromium"]

WEB = Path(__file__).parents[2] / "web"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium; skip the test without it, or fail it when run by CI."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or need_program("chromium")
    # Inside of containers the tests run as root, which Chromium's sandbox refuses.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def axe_script() -> str:
    """Return the source of axe-core, as `web/package-lock.json` pins it."""
    path = WEB / "node_modules" / "axe-core" / "axe.min.js"
    lock = Path(tempfile.gettempdir()) / f"ingenium-npm-{zlib.crc32(str(WEB).encode())}"
    with lock.open("w") as held:
        # Two processes that install into one folder remove each other's files.
        fcntl.flock(held, fcntl.LOCK_EX)
        if not path.exists():
            install = [need_program("npm"), "ci", "--silent"]
            subprocess.run(install, cwd=WEB, check=True, timeout=100)
        return path.read_text()
