"""Writes the AsyncAPI document and its page.

Run it as ``make generate`` does, with ``proto`` on the path::

    PYTHONPATH=proto python -m asyncapi [DIRECTORY]

DIRECTORY takes the place of ``docs``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from asyncapi.document import make_document
from asyncapi.page import render
from asyncapi.source import TOP, read_schemas
from asyncapi.text import to_yaml


def main(arguments: list[str]) -> int:
    """Write both files; return the exit code."""
    directory = Path(arguments[0]) if arguments else TOP / "docs"
    document = make_document(read_schemas())
    (directory / "asyncapi.yaml").write_text(to_yaml(document), "utf-8")
    (directory / "asyncapi.html").write_text(render(document), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
