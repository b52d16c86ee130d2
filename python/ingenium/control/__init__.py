"""The control plane: see, launch and stop, over gRPC, JSON and the pages of the dashboard.

Needs the extra ``ingenium[dashboard]``.
"""

from __future__ import annotations

from ingenium.errors import MissingDependencyError
from ingenium.recorder import require

__all__ = ["require_dashboard"]


def require_dashboard() -> None:
    """Check that the libraries are installed.

    Raises:
        MissingDependencyError: One is missing.
    """
    require()
    try:
        import connectrpc  # noqa: F401
        import connectrpc_grpcreflect  # noqa: F401
        import protobuf  # noqa: F401
        import uvicorn  # noqa: F401
        import zttp  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the control plane needs the package {error.name!r}: pip install 'ingenium[dashboard]'"
        ) from error
