"""Accounts of an app on a server: data, strategies, money and readers.

Permissions alone are no boundary. A user who may read a stream can make the server publish messages
on any subject of the same account, by naming that subject as the reply subject. Components that
must not reach orders are therefore in other accounts, and only exported subjects cross:

* ``DATA`` has the ingestors. Market data goes from it to all others.
* ``STRAT`` has the strategies. Signals go from it to ``MONEY``, as a service, so that the stream
  there acknowledges them.
* ``MONEY`` has portfolio, executor and operator, and the stream of signals, orders and executions.
* ``READ`` can subscribe to everything and publish no event. It may read both streams of ``MONEY``
  by sequence, through a service that ``MONEY`` exports: the server sends the answers into ``READ``
  alone, whatever subject the request names for them.

Each component is a NATS micro service. The accounts of the others export requests to services, and
the commands to their components, to ``MONEY`` alone: an operator sees and commands all of them.

Each role has a user, and each component has its own user, which may send reports, dead letters and
its status in its own name only, and receives no replies to others. Permissions within an account
are a second layer, against mistakes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingenium.bus.roles import (
    COMPONENT_ROLES,
    OPERATOR,
    READER,
    RECORDER,
    ROLES,
    inbox_of,
    login_of,
)
from ingenium.errors import ConfigError
from ingenium.nats_server.account_limits import DATA as _DATA
from ingenium.nats_server.account_limits import MONEY as _MONEY
from ingenium.nats_server.account_limits import READ as _READ
from ingenium.nats_server.account_limits import STRAT as _STRAT
from ingenium.nats_server.account_limits import limits_of
from ingenium.nats_server.account_rights import Subjects, permissions, service_subjects
from ingenium.subjects.grammar import check_pattern
from ingenium.subjects.names import (
    ALL_EVENTS,
    CONTROL,
    DATA,
    DEAD_LETTER,
    DENIAL,
    EXECUTION,
    PORTFOLIO_TREE,
    ROOTS,
    SIGNAL,
    ask_subject,
    command_subject,
    dead_letter_subject,
    observed_subject,
    own_report_subject,
    report_subject,
    role_report_subject,
    status_subject,
)
from ingenium.subjects.server_names import (
    ALL_SERVICES,
    DATA_STREAM_NAME,
    MONEY_STREAM_NAME,
    direct_get_subject,
)
from ingenium.subjects.space import DOCUMENTED, SubjectSpace

__all__ = ["OPERATOR", "READER", "ROLES", "Accounts", "inbox_of"]

_ACCOUNT_OF = {
    "ingestor": _DATA,
    "strategy": _STRAT,
    "portfolio": _MONEY,
    "executor": _MONEY,
    OPERATOR: _MONEY,
    READER: _READ,
    RECORDER: _READ,
}
# Accounts whose components are not trusted with money, and their role.
_OUTER = {_DATA: "ingestor", _STRAT: "strategy"}
_PREFIX_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of one app.

    Attributes:
        app: Its name.
        components: Component names by role; each may send dead letters and reports in its own name.
        data_subjects: Further subjects that ingestors publish and all may read, such as
            ``"acme.news.>"``.
        prefix: Separates sets of accounts on one server: ``"paper"`` gives the account
            ``PAPER_DATA`` and the user ``paper-ingestor``.
        space: Subject space of the app; by default the documented subjects.
        programs: Names of the components that are external programs, which may report on the
            shared subject, in the name of any program of their role.

    Raises:
        ConfigError: A role, a prefix or a subject is invalid.
    """

    app: str
    components: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_subjects: Sequence[str] = ()
    prefix: str = ""
    space: SubjectSpace = DOCUMENTED
    programs: Collection[str] = ()

    def __post_init__(self) -> None:
        """Validate the arguments."""
        for role in self.components:
            if role not in ROLES:
                raise ConfigError(f"role {role!r} is unknown: use one of {', '.join(ROLES)}")
        if not set(self.prefix) <= _PREFIX_LETTERS:
            raise ConfigError(
                f"prefix {self.prefix!r} does not fit: use lower-case letters, digits, - and _"
            )
        for subject in self.data_subjects:
            check_pattern(subject)
            if subject.split(".")[0] in {"*", ">", *ROOTS, "_INBOX", "_R_"} or (
                subject.startswith("$")
            ):
                raise ConfigError(
                    f"data subject {subject!r} may cover orders or the server's own subjects: "
                    "use one that begins with a name of your own, such as 'acme.news.>'"
                )

    @property
    def logins(self) -> dict[str, tuple[str, str]]:
        """Role and component of each user: one per role, and one per component."""
        found = {login_of(role): (role, "") for role in ROLES}
        for role in COMPONENT_ROLES:
            for name in self.components.get(role, ()):
                found[login_of(role, name)] = (role, name)
        return found

    def user(self, role: str, component: str = "") -> str:
        """Return the name of the user of a role, or of a component.

        Args:
            role: One of `ROLES`.
            component: Name of the component; an unknown one gets the user of its role.

        Raises:
            ConfigError: There is no such role.
        """
        if role not in ROLES:
            raise ConfigError(f"role {role!r} is unknown: use one of {', '.join(ROLES)}")
        login = login_of(role, component)
        login = login if login in self.logins else role
        return f"{self.prefix}-{login}" if self.prefix else login

    def configuration(
        self, *, passwords: Mapping[str, str] | None = None, nkeys: Mapping[str, str] | None = None
    ) -> str:
        """Return the configuration of the accounts, for use within ``accounts { }``.

        Args:
            passwords: Passwords by login; see `logins`. Components without a password get no user.
            nkeys: Public keys by login, instead of passwords.

        Returns:
            Text to include, as a file or inline; several may be combined.
        """
        secrets = (passwords or {}) if nkeys is None else nkeys
        logins = self.logins
        users: dict[str, list[dict[str, Any]]] = {}
        for login, (role, component) in logins.items():
            if component and login not in secrets:
                continue
            proof = (
                {"nkey": secrets[login]}
                if nkeys is not None
                else {"user": self.user(role, component), "password": secrets[login]}
            )
            allowed = {"permissions": self.permissions_of(role, component)}
            users.setdefault(_ACCOUNT_OF[role], []).append(proof | allowed)
        accounts = {
            self._account(name): {"users": users[name]}
            | limits_of(name, self._count(name))
            | self._borders(name)
            for name in (_DATA, _STRAT, _MONEY, _READ)
        }
        # The server's format accepts JSON, whose quoting no value can escape.
        return json.dumps(accounts, indent=2, ensure_ascii=False)[2:-1]

    def _account(self, name: str) -> str:
        return f"{self.prefix.upper()}_{name}" if self.prefix else name

    def _count(self, account: str) -> int:
        return sum(
            len(names) for role, names in self.components.items() if _ACCOUNT_OF[role] == account
        )

    def _borders(self, name: str) -> dict[str, Any]:
        """Return exports and imports of an account."""
        data = self._data
        signal = self.space.to_server(SIGNAL)
        all_data = [self._import("stream", _DATA, subject) for subject in data]
        # Messages in a component's own name: dead letters and status.
        own = {
            account: [*self._letters(role), *self._statuses(role)]
            for account, role in _OUTER.items()
        }
        asks = self._on_server(ask_subject(self.app), ask_subject(self.app, "*"))
        if name == _DATA:
            return {
                "exports": [
                    *(self._export("stream", subject, _STRAT, _MONEY, _READ) for subject in data),
                    *(self._export("stream", subject, _READ) for subject in own[_DATA]),
                    *self._service_exports("ingestor"),
                ],
                "imports": [
                    *(self._import("service", _MONEY, subject) for subject in own[_DATA]),
                    *self._report_imports("ingestor"),
                    *(self._import("stream", _MONEY, subject) for subject in asks),
                ],
            }
        if name == _STRAT:
            return {
                # For readers: an account does not export as a stream what it imported as a service.
                "exports": [
                    *(self._export("stream", subject, _READ) for subject in (signal, *own[_STRAT])),
                    *self._service_exports("strategy"),
                ],
                "imports": [
                    *all_data,
                    *(
                        self._import("service", _MONEY, subject)
                        for subject in (signal, *own[_STRAT])
                    ),
                    *self._report_imports("strategy"),
                    *(self._import("stream", _MONEY, subject) for subject in asks),
                ],
            }
        shown = self._on_server(
            SIGNAL,
            PORTFOLIO_TREE,
            EXECUTION,
            DENIAL,
            f"{DEAD_LETTER}.>",
            f"{CONTROL}.>",
            status_subject(self.app, "*"),
            observed_subject(self.app, "*"),
        )
        if name == _MONEY:
            return {
                "imports": [*all_data, *self._service_imports()],
                "exports": [
                    self._export("service", signal, _STRAT),
                    *(
                        self._export("service", subject, account)
                        for account, role in _OUTER.items()
                        for subject in (*own[account], *self._reports_from(role))
                    ),
                    *(self._export("stream", subject, _DATA, _STRAT) for subject in asks),
                    *(self._export("stream", subject, _READ) for subject in shown),
                    # Many messages answer one request.
                    *(
                        self._export("service", subject, _READ) | {"response_type": "stream"}
                        for subject in self._direct_gets()
                    ),
                ],
            }
        return {
            "exports": self._service_exports(RECORDER),
            "imports": [
                *all_data,
                *(self._import("service", _MONEY, subject) for subject in self._direct_gets()),
                *(self._import("stream", _MONEY, subject) for subject in shown),
                *(self._import("stream", _STRAT, subject) for subject in (signal, *own[_STRAT])),
                *(self._import("stream", _DATA, subject) for subject in own[_DATA]),
            ],
        }

    def _service_exports(self, role: str) -> list[dict[str, Any]]:
        """Return what lets an operator see the components of a role, and command them."""
        return [
            # Each component answers, so one request has many answers.
            self._export("service", ALL_SERVICES, _MONEY) | {"response_type": "stream"},
            *(self._export("service", subject, _MONEY) for subject in self._commands(role)),
        ]

    def _service_imports(self) -> list[dict[str, Any]]:
        """Return the other halves of `_service_exports` in the operator's account."""
        return [
            self._import("service", account, subject)
            for account, role in (*_OUTER.items(), (_READ, RECORDER))
            for subject in (ALL_SERVICES, *self._commands(role))
        ]

    def _commands(self, role: str, component: str = "") -> list[str]:
        """Return the subjects on which components of a role take commands."""
        names = [component] if component else self._service_names(role)
        return self._on_server(*(command_subject(self.app, name) for name in names))

    def _service_names(self, role: str) -> Sequence[str]:
        return (RECORDER,) if role == RECORDER else self.components.get(role, ())

    def _direct_gets(self) -> list[str]:
        """Return where messages of the streams are asked for by sequence."""
        return [
            direct_get_subject(self.space.stream(name))
            for name in (MONEY_STREAM_NAME, DATA_STREAM_NAME)
        ]

    def _on_server(self, *subjects: str) -> list[str]:
        return [self.space.to_server(subject) for subject in subjects]

    @property
    def _data(self) -> list[str]:
        return self._on_server(f"{DATA}.>", *self.data_subjects)

    def permissions_of(self, role: str, component: str = "") -> dict[str, Any]:
        """Return the permissions of a user within its account, in the server's format."""
        named = [
            *self._reports_of(role, component),
            *self._letters(role, component),
            *self._statuses(role, component),
        ]
        asks = self._on_server(ask_subject(self.app), ask_subject(self.app, component or "*"))
        services = [component] if component else self._service_names(role)
        asks += [*service_subjects(services), *self._commands(role, component)]
        inboxes = [inbox_of(*who) for who in self.logins.values()]
        return permissions(role, component, named, asks, self._subjects(), inboxes)

    def _subjects(self) -> Subjects:
        signal, portfolio, execution, denial, control = self._on_server(
            SIGNAL, PORTFOLIO_TREE, EXECUTION, DENIAL, f"{CONTROL}.>"
        )
        recorded = (ALL_EVENTS, *self.data_subjects)
        return Subjects(
            self._data,
            signal,
            portfolio,
            execution,
            denial,
            control,
            self._on_server(
                *recorded, status_subject(self.app, "*"), observed_subject(self.app, "*")
            ),
            self._on_server(*recorded),
            self.space.stream(MONEY_STREAM_NAME),
            self.space.stream(DATA_STREAM_NAME),
        )

    def _letters(self, role: str, component: str = "") -> list[str]:
        names = [component] if component else self.components.get(role, ())
        return self._on_server(*map(dead_letter_subject, names))

    def _reports_of(self, role: str, component: str) -> list[str]:
        """Return the report subjects of a user."""
        if role not in COMPONENT_ROLES:
            return []
        names = [component] if component else self.components.get(role, ())
        own = [own_report_subject(self.app, name) for name in names]
        if not component or component in self.programs:
            own.append(report_subject(self.app))
        return self._on_server(*own)

    def _reports_from(self, role: str) -> list[str]:
        """Return the subjects in the money account for reports of another account."""
        names = self.components.get(role, ())
        return self._on_server(
            role_report_subject(self.app, role),
            *(own_report_subject(self.app, name) for name in names),
        )

    def _report_imports(self, role: str) -> list[dict[str, Any]]:
        shared, *own = self._reports_from(role)
        # A report on the shared subject arrives on a subject that identifies the sender's account.
        to = {"to": self.space.to_server(report_subject(self.app))}
        return [
            self._import("service", _MONEY, shared) | to,
            *(self._import("service", _MONEY, subject) for subject in own),
        ]

    def _statuses(self, role: str, component: str = "") -> list[str]:
        names = [component] if component else self.components.get(role, ())
        return self._on_server(*(status_subject(self.app, name) for name in names))

    def _export(self, kind: str, subject: str, *to: str) -> dict[str, Any]:
        return {kind: subject, "accounts": [self._account(name) for name in to]}

    def _import(self, kind: str, account: str, subject: str) -> dict[str, Any]:
        return {kind: {"account": self._account(account), "subject": subject}}
