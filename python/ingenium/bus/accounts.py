"""Who may do what on a server: an account for data, for strategies, for money, and for readers.

Permissions alone are no boundary. Whoever may read a stream can have the server put messages on any
subject of the same account, by naming that subject as the one for the answer. So what must not
reach orders lives in other accounts, and only what is exported crosses:

* ``DATA`` has the ingestors. Market data goes from it to all others.
* ``STRAT`` has the strategies. Signals go from it to ``MONEY``, as a service, so that the stream
  there acknowledges them.
* ``MONEY`` has portfolio, executor and operator, and the stream of signals, orders and executions.
* ``READ`` sees everything and sends nothing.

Permissions within each account are a second layer, against mistakes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingenium.bus.routing import check_pattern
from ingenium.bus.subject_space import DOCUMENTED, SubjectSpace
from ingenium.errors import ConfigError
from ingenium.subjects import (
    ALL_EVENTS,
    CONTROL,
    DATA,
    DEAD_LETTER,
    DENIAL,
    EXECUTION,
    SIGNAL,
    ask_subject,
    dead_letter_subject,
    observed_subject,
    report_subject,
    status_subject,
)

__all__ = ["OPERATOR", "READER", "ROLES", "Accounts", "inbox_of"]

OPERATOR = "operator"
"""The role of people who halt and resume, and of the program that starts an app."""
READER = "reader"
"""The role of whoever only looks on."""
ROLES = ("ingestor", "strategy", "portfolio", "executor", OPERATOR, READER)

_MIB = 1_048_576
_DATA, _STRAT, _MONEY, _READ = "DATA", "STRAT", "MONEY", "READ"
_ACCOUNT_OF = {
    "ingestor": _DATA,
    "strategy": _STRAT,
    "portfolio": _MONEY,
    "executor": _MONEY,
    OPERATOR: _MONEY,
    READER: _READ,
}
_PORTFOLIO = "ingenium.portfolio.>"
_MONEY_STREAM = "INGENIUM"
# So that a flood of connections from elsewhere leaves room for portfolio and executor.
_OTHERS_CONNECTIONS = 64
_STREAM_CALLS = ("$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>")
_DESTRUCTIVE = ("UPDATE", "DELETE", "PURGE", "RESTORE", "MSG.DELETE")
_PREFIX_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def inbox_of(role: str) -> str:
    """Return what the subjects begin with on which a role gets its answers."""
    return f"_INBOX.{role}"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one app.

    Attributes:
        app: Its name.
        components: Names of its components, by role; each may send dead letters in its own name.
        data_subjects: Further subjects that ingestors publish and all may read, such as
            ``"acme.news.>"``.
        prefix: Tells several sets of accounts on one server apart: ``"paper"`` makes the account
            ``PAPER_DATA`` and the user ``paper-ingestor``.
        space: The subject space of the app; that of the documented subjects when left out.

    Raises:
        ConfigError: A role, a prefix or a subject cannot be used.
    """

    app: str
    components: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_subjects: Sequence[str] = ()
    prefix: str = ""
    space: SubjectSpace = DOCUMENTED

    def __post_init__(self) -> None:
        """Check what came in."""
        for role in self.components:
            if role not in ROLES:
                raise ConfigError(f"role {role!r} is unknown: use one of {', '.join(ROLES)}")
        if not set(self.prefix) <= _PREFIX_LETTERS:
            raise ConfigError(
                f"prefix {self.prefix!r} does not fit: use lower-case letters, digits, - and _"
            )
        for subject in self.data_subjects:
            check_pattern(subject)
            if subject.split(".")[0] in {"*", ">", "ingenium", "_ingenium", "_INBOX", "_R_"} or (
                subject.startswith("$")
            ):
                raise ConfigError(
                    f"data subject {subject!r} may cover orders or the server's own subjects: "
                    "use one that begins with a name of your own, such as 'acme.news.>'"
                )

    def user(self, role: str) -> str:
        """Return the name of a role's user.

        Raises:
            ConfigError: There is no such role.
        """
        if role not in ROLES:
            raise ConfigError(f"role {role!r} is unknown: use one of {', '.join(ROLES)}")
        return f"{self.prefix}-{role}" if self.prefix else role

    def configuration(
        self, *, passwords: Mapping[str, str] | None = None, nkeys: Mapping[str, str] | None = None
    ) -> str:
        """Write what a server's configuration has to hold within ``accounts { }``.

        Args:
            passwords: Passwords by role.
            nkeys: Public keys by role, in place of passwords.

        Returns:
            Text for a file of its own, of which several may be included, or to be put there.
        """
        users: dict[str, list[dict[str, Any]]] = {}
        for role in ROLES:
            proof = (
                {"nkey": nkeys[role]}
                if nkeys is not None
                else {"user": self.user(role), "password": (passwords or {})[role]}
            )
            users.setdefault(_ACCOUNT_OF[role], []).append(
                proof | {"permissions": self._permissions(role)}
            )
        accounts = {
            self._account(name): {"users": users[name]} | self._borders(name)
            for name in (_DATA, _STRAT, _MONEY, _READ)
        }
        # The server's format takes JSON, whose quoting no value can break out of.
        return json.dumps(accounts, indent=2, ensure_ascii=False)[2:-1]

    def _account(self, name: str) -> str:
        return f"{self.prefix.upper()}_{name}" if self.prefix else name

    def _borders(self, name: str) -> dict[str, Any]:
        """Return what an account may have, and what crosses its border."""
        few = {"limits": {"max_connections": _OTHERS_CONNECTIONS}}
        data = self._data
        signal = self.space.to_server(SIGNAL)
        all_data = [self._import("stream", _DATA, subject) for subject in data]
        report = self.space.to_server(report_subject(self.app))
        # What a component says in its own name: dead letters and its status.
        own = {
            _DATA: [*self._letters("ingestor"), *self._statuses("ingestor")],
            _STRAT: [*self._letters("strategy"), *self._statuses("strategy")],
        }
        asks = self._asks
        if name == _DATA:
            return few | {
                "exports": [
                    *(self._export("stream", subject, _STRAT, _MONEY, _READ) for subject in data),
                    *(self._export("stream", subject, _READ) for subject in own[_DATA]),
                ],
                "imports": [
                    *(self._import("service", _MONEY, each) for each in (*own[_DATA], report)),
                    *(self._import("stream", _MONEY, subject) for subject in asks),
                ],
            }
        if name == _STRAT:
            return few | {
                # Not so much that the stream of orders would find no room.
                "jetstream": {"max_mem": 256 * _MIB, "max_file": 0},
                # To be shown: what came in as a service, an account does not export as a stream.
                "exports": [
                    self._export("stream", subject, _READ) for subject in (signal, *own[_STRAT])
                ],
                "imports": [
                    *all_data,
                    *(
                        self._import("service", _MONEY, subject)
                        for subject in (signal, *own[_STRAT], report)
                    ),
                    *(self._import("stream", _MONEY, subject) for subject in asks),
                ],
            }
        shown = self._on_server(
            SIGNAL,
            _PORTFOLIO,
            EXECUTION,
            DENIAL,
            f"{DEAD_LETTER}.>",
            f"{CONTROL}.>",
            status_subject(self.app, "*"),
            observed_subject(self.app, "*"),
        )
        if name == _MONEY:
            return {
                "jetstream": "enabled",
                "imports": all_data,
                "exports": [
                    self._export("service", signal, _STRAT),
                    *(self._export("service", subject, _STRAT) for subject in own[_STRAT]),
                    *(self._export("service", subject, _DATA) for subject in own[_DATA]),
                    self._export("service", report, _DATA, _STRAT),
                    *(self._export("stream", subject, _DATA, _STRAT) for subject in asks),
                    *(self._export("stream", subject, _READ) for subject in shown),
                ],
            }
        return few | {
            "imports": [
                *all_data,
                *(self._import("stream", _MONEY, subject) for subject in shown),
                *(self._import("stream", _STRAT, subject) for subject in (signal, *own[_STRAT])),
                *(self._import("stream", _DATA, subject) for subject in own[_DATA]),
            ]
        }

    def _on_server(self, *subjects: str) -> list[str]:
        return [self.space.to_server(subject) for subject in subjects]

    @property
    def _data(self) -> list[str]:
        return self._on_server(f"{DATA}.>", *self.data_subjects)

    def _letters(self, role: str) -> list[str]:
        return self._on_server(*map(dead_letter_subject, self.components.get(role, ())))

    def _statuses(self, role: str) -> list[str]:
        names = self.components.get(role, ())
        return self._on_server(*(status_subject(self.app, name) for name in names))

    @property
    def _asks(self) -> list[str]:
        return self._on_server(ask_subject(self.app), ask_subject(self.app, "*"))

    def _export(self, kind: str, subject: str, *to: str) -> dict[str, Any]:
        return {kind: subject, "accounts": [self._account(name) for name in to]}

    def _import(self, kind: str, account: str, subject: str) -> dict[str, Any]:
        return {kind: {"account": self._account(account), "subject": subject}}

    def _permissions(self, role: str) -> dict[str, Any]:
        """Return what a role may publish and subscribe to within its account."""
        data = self._data
        common = [
            *self._on_server(report_subject(self.app)),
            *self._letters(role),
            *self._statuses(role),
        ]
        asks = self._asks
        signal, portfolio, execution, denial, control = self._on_server(
            SIGNAL, _PORTFOLIO, EXECUTION, DENIAL, f"{CONTROL}.>"
        )
        stream = self.space.stream(_MONEY_STREAM)
        destructive = [f"$JS.API.STREAM.{call}.{stream}" for call in _DESTRUCTIVE]
        publish: list[str]
        subscribe: list[str]
        refused: list[str] = []
        if role == "ingestor":
            publish, subscribe = [*data, "$JS.API.>", *common], [*data, *asks]
        elif role == "strategy":
            publish, subscribe = [signal, *_STREAM_CALLS, *common], [*data, *asks]
            # One of its own would acknowledge signals that nobody trades.
            refused = [f"$JS.API.STREAM.CREATE.{stream}"]
        elif role == "portfolio":
            publish = [portfolio, denial, control, *_STREAM_CALLS, *common]
            subscribe = [*data, signal, execution, control, *asks]
            refused = destructive
        elif role == "executor":
            publish = [execution, control, *_STREAM_CALLS, *common]
            subscribe = [*data, portfolio, control, *asks]
            refused = destructive
        elif role == READER:
            publish = ["$JS.API.INFO"]
            subscribe = [
                *self._on_server(ALL_EVENTS, *self.data_subjects),
                *self._on_server(status_subject(self.app, "*"), observed_subject(self.app, "*")),
            ]
        else:
            publish, subscribe = [">"], [">"]
            refused = destructive
        return {
            "publish": {"allow": publish, "deny": refused},
            "subscribe": {
                "allow": [*subscribe, "_INBOX.>"],
                # Who hears the answers to others learns what they do, and could answer too.
                "deny": [f"{inbox_of(other)}.>" for other in ROLES if other != role],
            },
        }
