"""The control plane under hypercorn, run as a program: the server to fall back to."""

from __future__ import annotations

import asyncio

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ingenium.config import Settings
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.callers import AccessRole
from ingenium.control.control_server import ControlPlane
from ingenium.deploy.local.signals import stop_signals


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    catalog = AppCatalog(Settings.from_environment())
    plane = ControlPlane.bind(catalog, "ann@trader-1", AccessRole.TRADE, 0)
    config = Config()
    config.bind = [f"fd://{plane.listener.fileno()}"]
    config.include_server_header = False
    config.graceful_timeout = 1
    with stop_signals() as stop:
        stop.on_ask(plane.services.close)
        async with plane.opened():
            print(plane.login_url(), flush=True)
            await serve(plane.gate, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main())
