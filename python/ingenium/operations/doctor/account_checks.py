"""Checks of the parts of an app on its server: their rights, who else is there, and versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ingenium import _version
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.credentials import options_for
from ingenium.components import App, Executor
from ingenium.components.component import role_of
from ingenium.config import Settings
from ingenium.deploy.local.access import accounts_of
from ingenium.deploy.local.server_connections import Connection, foreign_readers
from ingenium.errors import IngeniumError
from ingenium.nats_server.identity import ServerIdentity, identify
from ingenium.operations.doctor.findings import Examination
from ingenium.operations.live_view import read_live_view
from ingenium.subjects.grammar import matches
from ingenium.subjects.names import ORDER

__all__ = ["check_readers", "check_rights", "check_versions"]

_CONNECT_SECONDS = 3.0
_LISTED = 4
_PRINT = (
    "print the accounts of this app with ingenium accounts, and include them in the server's "
    "configuration"
)
_OWN_TOOLS = ("operator of ", "recorder of ", "ingenium tap")
"""Beginnings of the names of our connections that read orders and work none."""


async def check_rights(examination: Examination, app: App, settings: Settings) -> None:
    """Connect as each component of an app, and compare its rights with those it needs.

    Nothing is published.

    Args:
        examination: Receives the findings.
        app: The app.
        settings: Settings with the server and the credentials of the roles.
    """
    accounts = accounts_of(app, settings)
    for component in app.components:
        role, name = role_of(component), component.name
        own = settings.for_role(role, name)
        try:
            options = options_for(
                own,
                role,
                NatsOptions(connect_timeout_seconds=_CONNECT_SECONDS),
                component=name,
            )
            bus = await NatsBus.connect(
                own.nats_server, name=f"operator of {app.name}", options=options
            )
        except IngeniumError as error:
            examination.error(
                "accounts",
                f"{role} {name!r} cannot connect: {error}",
                f"{_PRINT}, and set INGENIUM_NATS_CREDENTIALS to the files",
            )
            continue
        try:
            identity = await identify(bus)
        finally:
            await bus.close()
        if identity is not None:
            _check_rights_of(
                examination, f"{role} {name!r}", identity, accounts.permissions_of(role, name)
            )


def _check_rights_of(
    examination: Examination,
    who: str,
    identity: ServerIdentity,
    wanted: Mapping[str, Mapping[str, list[str]]],
) -> None:
    found = identity.data.permissions
    for verb, rights, needed in (
        ("publish on", found.publish, wanted["publish"]["allow"]),
        ("subscribe to", found.subscribe, wanted["subscribe"]["allow"]),
    ):
        missing = [
            subject
            for subject in needed
            if not _covers(rights.allow, subject)
            or any(matches(denied, subject) for denied in rights.deny or ())
        ]
        if not missing:
            continue
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        problem = (
            f"{who}, as user {identity.data.user!r} of account {identity.data.account}, may not "
            f"{verb} {', '.join(missing[:_LISTED])}{more}"
        )
        # A component finds out about events at once; not each call to JetStream is always needed.
        if all(subject.startswith("$") for subject in missing):
            examination.warning("accounts", problem, _PRINT)
        else:
            examination.error("accounts", problem, _PRINT)


def _covers(allowed: Sequence[str] | None, subject: str) -> bool:
    """Return whether patterns allow all of a pattern."""
    if allowed is None:
        return True
    return any(
        matches(pattern, subject) and (pattern.endswith(">") or not subject.endswith(">"))
        for pattern in allowed
    )


def check_readers(
    examination: Examination, app: App, connections: Sequence[Connection], order: str = ORDER
) -> None:
    """Check that no other program subscribes to the orders of an app.

    Args:
        examination: Receives the findings.
        app: The app; one whose executor is another program is not checked.
        connections: Connections of its server.
        order: Subject of orders on the server.
    """
    if not isinstance(app.executor, Executor):
        return
    own = {component.name for component in app.components} | {f"ingenium {app.name}"}
    for connection in foreign_readers(connections, own, order):
        if connection.name.startswith(_OWN_TOOLS):
            continue
        subjects = [each for each in connection.subjects if matches(each, order)]
        name = connection.name or "a program without a name"
        user = f", user {connection.user}" if connection.user else ""
        problem = f"{name} ({connection.where}{user}) subscribes to {', '.join(subjects)}"
        cure = f"stop it if it works orders: each one would be worked by {app.executor.name!r} too"
        if all(subject.endswith(">") for subject in subjects):
            examination.warning("subscribers", problem, cure)
        else:
            examination.error("subscribers", problem, cure)


async def check_versions(examination: Examination, bus: NatsBus, app: str) -> None:
    """Check that all components in Python that run are of one version, this one.

    Only the version of the Python SDK says which schemas a component has: a program in another
    language may state its own version instead.

    Args:
        examination: Receives the finding.
        bus: Connection with operator rights.
        app: Name of the app.
    """
    view = await read_live_view(bus, app)
    found: dict[str, list[str]] = defaultdict(list)
    for name, heard in sorted(view.said.items()):
        if (
            heard.status.language == "python"
            and heard.status.version
            and (heard.answered or name in view.connected)
        ):
            found[heard.status.version].append(name)
    others = {version: names for version, names in found.items() if version != _version.__version__}
    if not others:
        return
    words = [f"{', '.join(names)} of {version}" for version, names in sorted(others.items())]
    own = found.get(_version.__version__)
    examination.error(
        "versions",
        f"components have schemas of other versions of Ingenium: {'; '.join(words)}, and "
        f"{', '.join(own) if own else 'this command'} of {_version.__version__}",
        f"pip install ingenium=={_version.__version__} on each machine, and restart the components",
    )
