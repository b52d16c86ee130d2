"""The document as text."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["to_yaml"]

_HEAD = "# Made by `make generate` of proto/ingenium/v1. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: a reader should see each part where it is."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that nothing is an alias."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def to_yaml(document: dict[str, Any]) -> str:
    """Write the document; the same one gives the same text."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + text
