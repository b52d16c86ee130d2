"""What an operator of servers makes with `nsc` and `nk`: keys, and signed credentials."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import nkeys

__all__ = ["Key", "OperatorSet"]

_PREFIXES = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "user": nkeys.PREFIX_BYTE_USER,
}


class Key:
    """A key pair of a kind: ``"operator"``, ``"account"`` or ``"user"``."""

    def __init__(self, kind: str) -> None:
        seed = nkeys.encode_seed(os.urandom(32), _PREFIXES[kind])
        self.seed = bytes(seed).decode()
        self._pair = nkeys.from_seed(bytearray(seed))
        self.public = bytes(self._pair.public_key).decode()

    def sign(self, claims: dict[str, Any], subject: Key, kind: str) -> str:
        """Return a signed token for another key."""
        content = {
            "jti": "x",
            "iat": 1_700_000_000,
            "iss": self.public,
            "sub": subject.public,
            "name": kind,
            "nats": claims | {"type": kind, "version": 2},
        }
        head = _base64({"typ": "JWT", "alg": "ed25519-nkey"})
        signed = f"{head}.{_base64(content)}"
        signature = base64.urlsafe_b64encode(self._pair.sign(signed.encode())).decode()
        return f"{signed}.{signature.rstrip('=')}"


def _base64(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class OperatorSet:
    """An operator with one account, and credentials for its users."""

    def __init__(self) -> None:
        self._operator, self._account = Key("operator"), Key("account")

    @property
    def configuration(self) -> str:
        """What a server needs to know them."""
        operator = self._operator.sign({}, self._operator, "operator")
        no_limit = dict.fromkeys(
            ("subs", "data", "payload", "conn", "leaf", "imports", "exports"), -1
        )
        account = self._operator.sign(
            {"limits": no_limit | {"wildcards": True}}, self._account, "account"
        )
        return (
            f'operator: "{operator}"\nresolver: MEMORY\n'
            f'resolver_preload: {{ {self._account.public}: "{account}" }}\n'
        )

    def write_credentials(self, path: Path) -> Path:
        """Write a file of credentials for a new user."""
        user = Key("user")
        limits = dict.fromkeys(("subs", "data", "payload"), -1)
        token = self._account.sign({"pub": {}, "sub": {}} | limits, user, "user")
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        return path
