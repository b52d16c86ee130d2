"""What counts as a change of a component: its code and its values, and nothing else."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ingenium.deploy.local.app_description import AppDescription, describe_app

APP = """
from decimal import Decimal
from ingenium import App, Ingestor, Strategy, RiskLimits
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from limits import LIMIT, over

STEP = Decimal("0.5")

def helper(bar):
    # A comment.
    return bar.close + float(STEP)

class Feed(Ingestor):
    async def ingest(self):
        from lazy import pause
        await pause()

class Own(Strategy):
    parts = ("a", {"b": 1})

    def on_bar(self, bar):
        if helper(bar) > LIMIT:
            return lambda: over(2)

app = App(
    name="live",
    ingestors=[Feed()],
    strategies=[Own(symbols=["A", "B"]), SmaCross("A", fast=3, slow=8)],
    portfolio=FixedQuantity(10),
    executor=PaperExecutor(),
    risk=RiskLimits(max_order_quantity=50),
)
"""
LIMITS = "LIMIT = 7\n\ndef over(x):\n    return x > 1\n"
LAZY = "async def pause():\n    return 1\n"


async def _describe(folder: Path, app: str = APP, **files: str) -> AppDescription:
    contents = {"app": app, "limits": LIMITS, "lazy": LAZY} | files
    for name, text in contents.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return await describe_app(str(folder / "app.py"))


def _changed(before: AppDescription, now: AppDescription) -> set[str]:
    names = {name for name, each in now.components.items() if before.components[name] != each}
    return names | ({"the app"} if before.app != now.app else set())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


async def test_description_names_all_source_files_and_is_the_same_in_each_process(
    folder: Path,
) -> None:
    first, second = await _describe(folder), await _describe(folder)
    assert first == second
    assert [Path(file).name for file in first.files] == ["app.py", "lazy.py", "limits.py"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("fast=3", "fast=4", {"sma-cross"}),
        ("FixedQuantity(10)", "FixedQuantity(11)", {"fixed-quantity"}),
        ("helper(bar) > LIMIT", "helper(bar) < LIMIT", {"own"}),
        ('Decimal("0.5")', 'Decimal("0.50")', {"own"}),
        ('{"b": 1}', '{"b": 2}', {"own"}),
        ("over(2)", "over(3)", {"own"}),
        ("await pause()", "await pause(); await pause()", {"feed"}),
        ("max_order_quantity=50", "max_order_quantity=51", {"the app"}),
        ("# A comment.", "# Another comment.\n    # And one more.", set()),
        ("def helper", "\n\nunused = 1\n\ndef helper", set()),
    ],
)
async def test_component_counts_as_changed_when_what_it_runs_has(
    folder: Path, old: str, new: str, changed: set[str]
) -> None:
    assert old in APP
    before = await _describe(folder)
    assert _changed(before, await _describe(folder, APP.replace(old, new))) == changed


async def test_change_in_another_module_counts_for_those_that_use_it(folder: Path) -> None:
    before = await _describe(folder)
    assert _changed(before, await _describe(folder, limits=LIMITS.replace("7", "8"))) == {"own"}
    assert _changed(before, await _describe(folder, limits=LIMITS.replace("> 1", "> 2"))) == {"own"}
    assert _changed(before, await _describe(folder, lazy=LAZY.replace("1", "2"))) == {"feed"}


async def test_symbols_are_part_of_the_interface(folder: Path) -> None:
    before = await _describe(folder)
    now = await _describe(folder, APP.replace('"A", "B"', '"A", "C"'))
    assert before.components["own"].interface != now.components["own"].interface
    assert before.components["feed"].interface == now.components["feed"].interface


async def test_program_counts_as_changed_with_the_files_of_its_folder(tmp_path: Path) -> None:
    app = """
    from ingenium import App, External
    from ingenium.brokers import PaperExecutor
    from ingenium.portfolios import FixedQuantity
    app = App(
        ingestors=[External("ingestor", ["go", "run", "."], directory=__file__[:-7] + "/go")],
        portfolio=FixedQuantity(10), executor=PaperExecutor(),
    )
    """
    (tmp_path / "go" / "target").mkdir(parents=True)
    (tmp_path / "go" / "target" / "built").write_text("1")
    (tmp_path / "go" / "main.go").write_text("package main")
    before = await _describe(tmp_path, app)
    assert str(tmp_path / "go" / "main.go") in before.files
    (tmp_path / "go" / "target" / "built").write_text("2")
    assert before == await _describe(tmp_path, app)
    (tmp_path / "go" / "main.go").write_text("package main // changed")
    assert _changed(before, await _describe(tmp_path, app)) == {"ingestor"}
