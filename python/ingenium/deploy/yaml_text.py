"""Writes YAML as people do: keys in the order given, block style, texts of many lines as such."""

from __future__ import annotations

from typing import Any

from ingenium.errors import MissingDependencyError

__all__ = ["yaml_text"]


def yaml_text(value: Any) -> str:
    """Return a value as a YAML document.

    Raises:
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"deployments need the package {error.name!r}: pip install 'ingenium[deploy]'"
        ) from error

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            """Write a value again where it stands twice: an alias is hard to review."""
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    written: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return written
