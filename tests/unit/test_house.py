"""The checks on names, depth of inheritance and circles find what is planted."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
HOUSE: dict[str, Any] = runpy.run_path(str(TOP / "python" / "house.py"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a package named ``planted`` of these files, and make it importable."""

    def write(**files: str) -> Path:
        root = tmp_path / "planted"
        root.mkdir()
        (root / "__init__.py").touch()
        for name, text in files.items():
            path = root / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True, parents=True)
            for folder in path.relative_to(root).parents:
                (root / folder / "__init__.py").touch()
            path.write_text(text)
        return root

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        del sys.modules[name]


def names(root: Path, allowed: dict[str, str] | None = None) -> list[str]:
    return list(HOUSE["repeated_names"](root, allowed or {}))


def test_module_whose_name_stands_in_two_rooms_is_found_with_both_places(package) -> None:
    root = package(trading__orders="", risk__orders="", risk__limits="")
    [line] = names(root)
    places = "risk/orders.py, trading/orders.py"
    assert (
        line == f"module orders stands twice: {places}: rename one of them after what only it does"
    )
    assert names(root, {"orders": "planted"}) == []


def test_module_that_bears_the_name_of_a_package_is_found(package) -> None:
    root = package(trading__orders="", risk__trading="")
    [line] = names(root)
    assert "module trading stands twice: risk/trading.py, trading/__init__.py" in line


def test_class_whose_name_stands_in_two_modules_is_found_with_its_lines(package) -> None:
    root = package(
        trading__order="class Order: ...",
        trading__ticket="\n\nclass Order: ...\nclass _Note: ...",
        risk__view="class _Note: ...\nclass View:\n    class Order: ...",
    )
    note, order = sorted(names(root))
    assert note.startswith("class Order stands twice: trading/order.py:1, trading/ticket.py:3: ")
    assert order.startswith("class _Note stands twice: risk/view.py:1, trading/ticket.py:4: ")


def test_underscore_in_front_makes_no_other_name(package) -> None:
    root = package(risk__view="class View: ...", trading__page="class _View: ...")
    [line] = names(root)
    assert line.startswith("class View stands twice: risk/view.py:1, trading/page.py:1: ")


def test_command_may_have_the_name_of_what_it_runs(package) -> None:
    root = package(
        cli__run="", backtest__run="", bus__lease="", bus__nats__lease="", bus__nats__bus=""
    )
    assert names(root) == []


def test_module_of_nats_that_implements_no_contract_is_found(package) -> None:
    root = package(bus__nats__orders="", trading__orders="")
    assert len(names(root)) == 1


def deep(*classes: type) -> list[str]:
    return list(HOUSE["deep_classes"](classes, __name__))


class One: ...


class Two(One): ...


class Three(Two): ...


class Four(Three): ...


class Mixed(dict[str, int], Three): ...


def test_class_that_is_four_deep_is_found_with_its_chain() -> None:
    assert deep(One, Two, Three) == []
    [line] = deep(Four)
    assert line == (
        f"class Four in {__name__} is 4 deep (Four -> Three -> Two -> One): at most 3 are allowed, "
        "so let it have what it inherits"
    )


def test_base_of_a_library_does_not_count_and_the_longest_line_does() -> None:
    [line] = deep(Mixed)
    assert "4 deep (Mixed -> Three -> Two -> One)" in line


def test_exceptions_do_not_count_and_what_users_subclass_counts_by_itself() -> None:
    errors: list[type] = [Exception]
    for name in "ABCDE":
        errors.append(type(name, (errors[-1],), {"__module__": __name__}))
    base = type("Strategy", (Two,), {"__module__": __name__})
    common = type("Common", (base,), {"__module__": __name__})
    ready = type("Ready", (common,), {"__module__": __name__})
    assert deep(*errors, base, common, ready) == []
    [line] = deep(type("Portfolio", (Three,), {"__module__": __name__}))
    assert "4 deep (Portfolio -> Three -> Two -> One)" in line


def circles() -> list[str]:
    return list(HOUSE["circles"]("planted"))


@pytest.mark.parametrize(
    "back",
    [
        "import planted.a",
        "def later():\n    import planted.a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import planted.a",
    ],
    ids=["at the top", "within a function", "for types only"],
)
def test_circle_of_imports_is_found_whatever_hides_it(package, back: str) -> None:
    package(a="import planted.b", b="import planted.c", c=back, d="import planted.a")
    [line] = circles()
    assert line.startswith("circle of imports: planted.a imports planted.b (line 1); ")
    assert "planted.b imports planted.c (line 1); planted.c imports planted.a (line " in line
    assert "planted.d" not in line


def test_two_circles_are_two_findings_and_what_is_in_none_is_none(package) -> None:
    package(
        a="import planted.b",
        b="",
        c="import planted.d",
        d="import planted.c",
        e="import planted.f",
        f="import planted.e",
    )
    first, second = circles()
    assert "planted.c imports planted.d" in first
    assert "planted.e imports planted.f" in second


def test_make_check_runs_them_and_the_package_passes(capsys) -> None:
    assert "$(BIN)/python python/house.py" in (TOP / "Makefile").read_text()
    assert HOUSE["main"]() == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count("KEPT") == 3
