"""docs/architecture.md against the folders of the package and the import contract."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[3]
PACKAGE = TOP / "python" / "ingenium"
PAGE = (TOP / "docs" / "architecture.md").read_text("utf-8")


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _named(text: str) -> list[str]:
    return re.findall(r"`([\w/]+)`", text)


def _contract() -> list[list[str]]:
    settings = tomllib.loads((TOP / "python" / "pyproject.toml").read_text("utf-8"))
    [layers] = [
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"] == "arrows point down"
    ]
    return [re.findall(r"ingenium\.(\w+)", layer) for layer in layers]


def _rooms() -> set[str]:
    folders = {path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    return {
        folder.as_posix() for folder in folders if folder.parts and "_gen" not in folder.parts
    } | {"_gen"}


def _first_cells(title: str) -> list[str]:
    """Return the names in the first column, each with a purpose in the second."""
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]+) \|$", _section(title), re.MULTILINE)
    assert all(purpose.strip() for _, purpose in rows)
    return [name for cell, _ in rows for name in _named(cell)]


def test_layers_of_the_page_are_those_of_the_contract() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", _section("Layers"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert [_named(cell) for _, cell in rows] == _contract()


def test_rooms_of_the_page_are_the_folders_of_the_package() -> None:
    named = _first_cells("Rooms")
    assert len(named) == len(set(named))
    modules = {name for name in named if (PACKAGE / f"{name}.py").is_file()}
    assert set(named) - modules == _rooms()


def test_each_room_and_module_of_the_contract_has_a_purpose() -> None:
    layers = {name for layer in _contract() for name in layer}
    assert layers - set(_first_cells("Rooms")) == set()
