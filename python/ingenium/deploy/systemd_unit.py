"""The unit file of a live app, for machines whose programs systemd starts."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from ingenium.components import App
from ingenium.config import Settings
from ingenium.errors import ConfigError

__all__ = ["systemd_unit", "unit_name"]

_HARDENING = """
NoNewPrivileges=yes
CapabilityBoundingSet=
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
""".strip()


def unit_name(app: App) -> str:
    """Return the file name of the unit."""
    return f"ingenium-{app.name}.service"


def systemd_unit(
    app: App,
    target: str,
    settings: Settings,
    *,
    options: Sequence[str] = (),
    of_user: bool = False,
    user: str | None = None,
) -> str:
    """Render the unit of a live app that runs in this directory with this Python.

    systemd starts the app when the machine starts, waits until its components are ready, restarts
    it when it ends with an error or no longer answers, and stops it like Ctrl+C. Variables, such as
    ``NATS_SERVER`` or a broker's keys, are in an environment file beside the unit and not in it.

    Args:
        app: The app.
        target: The app as on the command line.
        settings: Settings with the data folder.
        options: Further options of ``ingenium run``.
        of_user: Whether it is a unit of a user's own manager, ``systemctl --user``.
        user: User to run as; the present one by default.

    Raises:
        ConfigError: The app replays history, which ends by itself.
    """
    if app.historical:
        raise ConfigError(
            f"app {app.name!r} replays history, which ends by itself: a unit is for apps on live "
            "data"
        )
    here = Path.cwd()
    data = (here / settings.data_directory).absolute()
    place, colon, factory = target.partition(":")
    if place.endswith(".py"):
        place = str((here / place).absolute())
    command = [sys.executable, "-m", "ingenium", "run", f"{place}{colon}{factory}", *options]
    file = unit_name(app)
    folder = "~/.config/systemd/user" if of_user else "/etc/systemd/system"
    control = "systemctl --user" if of_user else "sudo systemctl"
    variables = (
        f"%h/.config/ingenium/{app.name}.env" if of_user else f"/etc/ingenium/{app.name}.env"
    )
    name = file.removesuffix(".service")
    lines = [
        f"# {file}, made by: ingenium deploy systemd {target}",
        f"# Put it into {folder}, and then:",
        f"#   {control} daemon-reload && {control} enable --now {name}",
        f"# Variables such as NATS_SERVER, and secrets, go into {variables}, mode 600.",
        "",
        "[Unit]",
        f"Description=Ingenium app {app.name}",
        *(() if of_user else ("Wants=network-online.target", "After=network-online.target")),
        # An app that fails again and again needs a person.
        "StartLimitIntervalSec=600",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=notify",
        *(() if of_user else (f"User={user or getpass.getuser()}",)),
        f"WorkingDirectory={_escaped(str(here))}",
        f"Environment={_quoted(f'INGENIUM_DATA_DIR={data}')}",
        "Environment=PYTHONUNBUFFERED=1",
        f"EnvironmentFile=-{variables}",
        f"ExecStart={' '.join(map(_quoted, command))}",
        # A warm-up takes as long as its history.
        "TimeoutStartSec=infinity",
        "TimeoutStopSec=90",
        "WatchdogSec=60",
        # Ctrl+C reaches the run alone, which stops its components in order.
        "KillMode=mixed",
        "Restart=on-failure",
        "RestartSec=5",
        # Wrong use, such as an app that cannot be loaded: starting it again does not help.
        "RestartPreventExitStatus=2",
        "UMask=0077",
        *(
            ("NoNewPrivileges=yes",)
            if of_user
            else (*_HARDENING.splitlines(), f"ReadWritePaths={_quoted(str(data))}")
        ),
        "",
        "[Install]",
        f"WantedBy={'default' if of_user else 'multi-user'}.target",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Quote a word for a unit file; see systemd.service(5), "Command lines"."""
    if any(letter in text for letter in "\n\r\0"):
        raise ConfigError(f"{text!r} has a line break, which no unit file can hold")
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    plain = escaped.replace("/", "").replace(":", "").replace("-", "").replace(".", "")
    return escaped if plain.replace("_", "").replace("=", "").isalnum() else f'"{escaped}"'
