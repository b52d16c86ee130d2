"""What runs where: the workloads of an app, before they become manifests or a compose file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingenium.bus.roles import OPERATOR, READER, RECORDER, login_of
from ingenium.components import App, Component, Executor, External, Ingestor
from ingenium.components.app import CONDUCTOR
from ingenium.components.component import role_of
from ingenium.components.handle_of import handle_of
from ingenium.deploy.deploy_settings import DeploySettings, WorkloadSettings
from ingenium.errors import ConfigError

__all__ = [
    "CREDENTIALS",
    "DASHBOARD",
    "DATABASE",
    "DATA_DIRECTORY",
    "HEALTH_PORT",
    "NATS",
    "POSTGRESQL",
    "REPLAY",
    "SECRETS",
    "WORKER",
    "DeployPlan",
    "Form",
    "Workload",
    "plan_app",
    "plan_backtest",
    "sweep_worker",
]

Form = Literal["stateful", "stateless", "once"]
"""Keeps state on a volume; keeps none; or runs to its end."""

NATS, POSTGRESQL, DASHBOARD, WORKER = "nats", "postgresql", "dashboard", "worker"
HEALTH_PORT = 8080
SECRETS = "/run/secrets"
CREDENTIALS = f"{SECRETS}/nats"
"""Folder of the files with credentials, each named after its login."""
DATABASE = "ingenium"
"""Name of the database, and of the user of the recorder, who owns it."""
DATA_DIRECTORY = "/var/lib/ingenium"

_LONGEST = 52
"""Length of the name of a StatefulSet, whose pods have a longer label."""
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$", re.ASCII)
REPLAY = "replay"
"""Login of the only user of a replay."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload: a component, or what an app needs besides.

    Attributes:
        name: Name of the component, or of the part of the infrastructure.
        role: Role of the component, or ``"recorder"``, ``"dashboard"`` and so on.
        form: How it runs.
        image: Its image.
        args: Arguments of the image's program.
        environment: Variables, which hold no secret.
        logins: Users of the NATS server whose credentials it has.
        has_health: Whether it has the health endpoint at `HEALTH_PORT`.
        has_internet: Whether it may reach public addresses on port 443.
        database_user: User of the database that it logs in as; empty for none.
        settings: Its settings.
    """

    name: str
    role: str
    form: Form
    image: str
    args: tuple[str, ...]
    environment: Mapping[str, str]
    logins: tuple[str, ...] = ()
    has_health: bool = True
    has_internet: bool = False
    database_user: str = ""
    settings: WorkloadSettings = field(default_factory=WorkloadSettings)


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """The workloads of an app.

    Attributes:
        app: Name of the app, as in names of objects.
        target: The app as on the command line.
        namespace: Namespace on a cluster.
        workloads: Components first, in the order of the app.
        settings: Settings of the deployment.
        is_historical: Whether the app replays history.
        has_nats: Whether a NATS server is part of it.
        has_postgresql: Whether a database is part of it.
    """

    app: str
    target: str
    namespace: str
    workloads: tuple[Workload, ...]
    settings: DeploySettings
    is_historical: bool
    has_nats: bool
    has_postgresql: bool

    def object_name(self, part: str) -> str:
        """Return the name of an object of a cluster.

        Raises:
            ConfigError: It is too long.
        """
        name = f"{self.app}-{part.replace('_', '-').replace('.', '-')}"
        if len(name) > _LONGEST:
            raise ConfigError(
                f"the name {name!r} has {len(name)} characters, and a cluster takes {_LONGEST}: "
                "give app or component a shorter name"
            )
        return name

    def login_secret(self, login: str) -> str:
        """Return the name of the Secret with the credentials of a user of the NATS server."""
        return f"{self.app}-nats-{login.replace('_', '-').replace('.', '-')}"

    @property
    def needs_tls(self) -> bool:
        """Whether the deployment has certificates of its own."""
        return self.has_nats

    def unpinned(self) -> list[str]:
        """Return the images that are not named by their digest."""
        images = [each.image for each in self.workloads]
        images += [self.settings.nats.image] if self.has_nats else []
        images += [self.settings.postgresql.image] if self.has_postgresql else []
        return [each for each in dict.fromkeys(images) if _DIGEST.search(each) is None]


def plan_app(app: App, target: str, settings: DeploySettings, namespace: str = "") -> DeployPlan:
    """Plan the workloads of an app.

    Args:
        app: The app.
        target: The app as on the command line; a file is named relative to the folder that the
            image is made of.
        settings: Settings of the deployment.
        namespace: Namespace instead of that of the settings.

    Raises:
        ConfigError: A setting does not fit the app; the text names it.
    """
    _check_names(app, settings)
    target = _inner(target)
    image = settings.image or f"{_dns(app.name)}:{app.version or 'latest'}"
    workloads = [_of_component(app, each, target, image, settings) for each in app.components]
    records = settings.recorder.enabled and not app.historical
    if app.historical:
        conductor = ("run", target, "--component", CONDUCTOR)
        workloads.append(
            Workload(
                CONDUCTOR,
                CONDUCTOR,
                "once",
                image,
                conductor,
                _shared(app, settings, REPLAY),
                (REPLAY,),
                settings=_settings_of(CONDUCTOR, settings),
            )
        )
    if records:
        url = _database(app, settings, DATABASE)
        workloads.append(
            Workload(
                RECORDER,
                RECORDER,
                "stateless",
                image,
                ("record", target, "--database", url),
                _shared(app, settings, RECORDER),
                (RECORDER,),
                database_user=DATABASE,
                settings=settings.recorder,
            )
        )
    if settings.dashboard.enabled and not app.historical:
        args = ["dashboard", target, "--port", "8321", "--role", settings.dashboard.role]
        if records:
            args += ["--database", _database(app, settings, READER)]
        workloads.append(
            Workload(
                DASHBOARD,
                DASHBOARD,
                "stateful",
                image,
                tuple(args),
                _shared(app, settings, "{role}"),
                (OPERATOR, READER),
                database_user=READER if records else "",
                settings=settings.dashboard,
            )
        )
    if settings.workers.most:
        if not app.historical:
            raise ConfigError(
                f"[workers] are for backtests, and app {app.name!r} runs on live data: leave them "
                "out here"
            )
        workloads.append(sweep_worker(app, settings))
    plan = DeployPlan(
        _dns(app.name),
        target,
        namespace or settings.namespace or _dns(app.name),
        tuple(workloads),
        settings,
        app.historical,
        has_nats=not settings.nats.url,
        has_postgresql=records and not settings.postgresql.url,
    )
    _check_plan(plan)
    return plan


def plan_backtest(
    app: App, target: str, settings: DeploySettings, namespace: str = ""
) -> DeployPlan:
    """Plan a backtest of an app, as one workload that needs no server.

    Raises:
        ConfigError: The app runs on live data.
    """
    if not app.historical:
        raise ConfigError(
            f"app {app.name!r} runs on live data, so it has no backtest: name an app whose "
            "ingestors read history"
        )
    target = _inner(target)
    image = settings.image or f"{_dns(app.name)}:{app.version or 'latest'}"
    own = _settings_of("backtest", settings)
    work = Workload(
        "backtest",
        "backtest",
        "once",
        image,
        ("backtest", target),
        own.env,
        has_health=False,
        settings=own,
    )
    return DeployPlan(
        _dns(app.name),
        target,
        namespace or settings.namespace or _dns(app.name),
        (work,),
        settings,
        is_historical=True,
        has_nats=False,
        has_postgresql=False,
    )


def sweep_worker(app: App, settings: DeploySettings) -> Workload:
    """Return the workers of sweeps of an app."""
    image = settings.image or f"{_dns(app.name)}:{app.version or 'latest'}"
    args = ("worker", "--workers", "1")
    return Workload(
        WORKER,
        WORKER,
        "stateless",
        image,
        args,
        _shared(app, settings, REPLAY),
        (REPLAY,),
        settings=settings.workers,
    )


def _of_component(
    app: App,
    component: Component,
    target: str,
    image: str,
    settings: DeploySettings,
) -> Workload:
    role = role_of(component)
    own = _settings_of(component.name, settings)
    is_once = app.historical or (role == "ingestor" and app.on_end == "stop")
    login = REPLAY if app.historical else login_of(role, component.name)
    variables = {
        **_shared(app, settings, login),
        "INGENIUM_APP": app.name,
        "INGENIUM_COMPONENT": component.name,
        **own.env,
    }
    if isinstance(component, External):
        if not own.image:
            raise ConfigError(
                f"component {component.name!r} is another program, whose image nothing names: add "
                f'[workloads.{component.name}] with image = "..." to the settings'
            )
        args = tuple((component.command or ())[1:]) if own.args is None else tuple(own.args)
        form: Form = "once" if is_once else "stateless"
        if role in {"portfolio", "executor"} and not is_once:
            form = "stateful"
        variables = {**component.environment, **variables}
    else:
        args = ("run", target, "--component", component.name)
        form = "once" if is_once else "stateless" if isinstance(component, Ingestor) else "stateful"
    if own.replicas != 1 and not (isinstance(component, External) and form == "stateless"):
        raise ConfigError(
            f"[workloads.{component.name}] has replicas = {own.replicas}: a second pod of {role} "
            f"{component.name!r} would send everything twice; use two components with other "
            "symbols and names"
        )
    return Workload(
        component.name,
        role,
        form,
        own.image or image,
        args,
        variables,
        (login,),
        has_health=not isinstance(component, External),
        has_internet=_has_internet(component, own, app),
        settings=own,
    )


def _has_internet(component: Component, settings: WorkloadSettings, app: App) -> bool:
    role = role_of(component)
    if settings.internet is not None:
        if settings.internet and role not in {"ingestor", "executor"}:
            raise ConfigError(
                f"[workloads.{component.name}] has internet = true: only ingestors and executors "
                f"may reach the Internet, and it is a {role}"
            )
        return settings.internet
    if app.historical:
        return False
    if isinstance(component, Executor):
        return handle_of(component).works_at_broker
    return role in {"ingestor", "executor"}


def _shared(app: App, settings: DeploySettings, login: str) -> dict[str, str]:
    """Return the variables of everything that speaks to the NATS server."""
    nats = settings.nats
    url = nats.url or f"tls://{_dns(app.name)}-nats:4222"
    variables = {
        "NATS_SERVER": url,
        "INGENIUM_NATS_CREDENTIALS": f"{CREDENTIALS}/{login}",
        "INGENIUM_STREAM_REPLICAS": str(1 if nats.url or nats.replicas < 3 else 3),
        "INGENIUM_DATA_DIR": DATA_DIRECTORY,
        "INGENIUM_HEALTH_PORT": str(HEALTH_PORT),
        "INGENIUM_LOG_FORMAT": "json",
        "INGENIUM_PREFIX": app.prefix,
    }
    if not nats.url or nats.ca_secret:
        variables["INGENIUM_NATS_CA"] = f"{SECRETS}/nats-ca/ca.crt"
    return variables


def _database(app: App, settings: DeploySettings, user: str) -> str:
    found = settings.postgresql.url or f"postgresql://{user}@{_dns(app.name)}-postgresql/{DATABASE}"
    return f"{found}{'&' if '?' in found else '?'}password_file={SECRETS}/postgresql/{user}"


def _settings_of(name: str, settings: DeploySettings) -> WorkloadSettings:
    return settings.workloads.get(name) or settings.workloads.get("*") or WorkloadSettings()


def _check_names(app: App, settings: DeploySettings) -> None:
    known = {component.name for component in app.components} | {"*", CONDUCTOR, "backtest"}
    if unknown := sorted(set(settings.workloads) - known):
        raise ConfigError(
            f"[workloads.{unknown[0]}] is no component of app {app.name!r}: it has "
            f"{', '.join(each.name for each in app.components)}"
        )
    if settings.nats.replicas not in {1, 3, 5}:
        raise ConfigError(f"[nats] has replicas = {settings.nats.replicas}: use 1, 3 or 5")
    if settings.dashboard.role not in {"read", "operate", "trade"}:
        raise ConfigError(
            f"[dashboard] has role = {settings.dashboard.role!r}: use read, operate or trade"
        )


def _check_plan(plan: DeployPlan) -> None:
    names: dict[str, str] = {}
    for work in plan.workloads:
        name = plan.object_name(work.name)
        if (other := names.setdefault(name, work.name)) != work.name or name in {
            f"{plan.app}-{NATS}",
            f"{plan.app}-{POSTGRESQL}",
        }:
            raise ConfigError(
                f"component {work.name!r} would have the object name {name!r} of {other!r}: "
                "give it another name"
            )
    if len(names) < len(plan.workloads):
        raise ConfigError(
            f"a component has one of the names {RECORDER}, {DASHBOARD} and {WORKER}, which a "
            "deployment uses itself: give it another name"
        )
    for secret, users in _secrets_of(plan):
        if "executor" in {role for role, _ in users} and len(users) > 1:
            raise ConfigError(
                f"the Secret {secret!r} of the executor is also in "
                f"{', '.join(name for role, name in users if role != 'executor')}: keys of a "
                "broker belong to the executor alone"
            )


def _secrets_of(plan: DeployPlan) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    users: dict[str, list[tuple[str, str]]] = {}
    for work in plan.workloads:
        named = set(work.settings.secret_files)
        named |= {e.partition(":")[2] for e in work.settings.env_from if e.startswith("secret:")}
        for secret in sorted(named):
            users.setdefault(secret, []).append((work.role, work.name))
    yield from users.items()


def _inner(target: str) -> str:
    """Return an app's target as it is within the image.

    Raises:
        ConfigError: The file is outside of the working directory.
    """
    place, colon, name = target.partition(":")
    if not place.endswith(".py"):
        return target
    path = Path(place)
    if path.is_absolute() or ".." in path.parts:
        try:
            path = path.resolve().relative_to(Path.cwd())
        except ValueError:
            raise ConfigError(
                f"{place} is outside of {Path.cwd()}, of which the image is made: call the command "
                "in the folder of your project"
            ) from None
    return f"{path.as_posix()}{colon}{name}"


def _dns(name: str) -> str:
    return name.replace("_", "-").strip("-")
