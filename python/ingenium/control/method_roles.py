"""Which role each method needs. A method that is not in the table is refused."""

from __future__ import annotations

from collections.abc import Mapping

from ingenium.control.callers import AccessRole

__all__ = ["METHOD_ROLES", "OPEN_SERVICES", "role_for"]

_READ, _OPERATE, _TRADE = AccessRole.READ, AccessRole.OPERATE, AccessRole.TRADE

METHOD_ROLES: Mapping[str, AccessRole] = {
    "SessionService/GetSession": _READ,
    "SessionService/CreateLogin": _READ,
    "SessionService/EndSession": _READ,
    "SessionService/GetHealth": _READ,
}
"""Least role by service and method."""

OPEN_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Standard services beside these; they need the role read."""


def role_for(service: str, method: str) -> AccessRole | None:
    """Return the least role for a method; ``None`` if nobody may call it.

    Args:
        service: Full name of the service.
        method: Name of the method.
    """
    if service in OPEN_SERVICES:
        return AccessRole.READ
    return METHOD_ROLES.get(f"{service.rpartition('.')[2]}/{method}")
