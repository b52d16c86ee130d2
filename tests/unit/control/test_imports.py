"""Nobody pays for the control plane who does not use it."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import ingenium, ingenium.cli, ingenium.backtest
print(sorted({name.partition(".")[0] for name in sys.modules}))
print([name for name in sys.modules if name.startswith("ingenium.control")])
"""


def test_package_and_command_line_import_none_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True
    )
    top, own = done.stdout.splitlines()
    assert own == "[]"
    for name in ("connectrpc", "protobuf", "uvicorn", "zttp", "pyqwest", "grpc"):
        assert f"'{name}'" not in top
