"""Which app a text names, what an app refuses to hold, and where a process is killed on purpose."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingenium import App, DataEvent, External, Ingestor, Portfolio, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.components import load_app
from ingenium.components.app_loader import load_factory
from ingenium.components.component import Component
from ingenium.components.failpoints import Point, kill_at, pass_by
from ingenium.errors import ConfigError

APP = """
import ingenium
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

class Empty(ingenium.Ingestor):
    def read(self):
        return iter(())

def made(name="made"):
    return ingenium.App(name=name, ingestors=[Empty()], portfolio=FixedQuantity(1),
                        executor=PaperExecutor())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of app files to work in, from which modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    before = set(sys.modules)
    files = {
        "one_app": f"{APP}\nonly = made('one')\n",
        "two_apps": f"{APP}\nfirst = made('first')\nsecond = made('second')\n",
        "app_and_more": f"{APP}\napp = made('chosen')\nother = made('other')\n",
        "no_app": f"{APP}\nnumber = 7\ndef wrong():\n    return 7\n",
        "raising": "import ingenium\n\nraise KeyError('broken')\n",
        "raising_later": f"{APP}\n\ndef broken():\n    raise ValueError('no luck')\n"
        "def refused():\n    raise ingenium.ConfigError('not so')\n",
        "needing": "import no_such_module_at_all\n",
        "exiting": "import sys\nsys.exit(3)\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "package").mkdir()
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in files:
            del sys.modules[name]


@pytest.mark.parametrize("form", ["{0}.py{1}", "{0}{1}"])
@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        ("one_app", "", "one"),
        ("one_app", ":only", "one"),
        ("one_app", ":made", "made"),
        ("two_apps", ":second", "second"),
        ("app_and_more", "", "chosen"),
        ("app_and_more", ":other", "other"),
    ],
)
def test_app_that_a_text_names(
    folder: Path, form: str, place: str, name: str, expected: str
) -> None:
    assert load_app(form.format(place, name)).name == expected


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("", "no such app: ''"),
        ("a\0b", "name a file such as app.py"),
        ("absent.py", "no such app file: absent.py"),
        ("absent", "'absent' is neither a file that ends in .py nor a module"),
        (".absent", "'.absent' begins with a dot"),
        ("./package", "./package is a folder: name a file in it, such as package/app.py"),
        ("two_apps", "two_apps has several apps, first, second: name one, two_apps:NAME"),
        ("two_apps:third", "two_apps has no 'third': it has first, second"),
        ("no_app", "no_app holds no app: write app"),
        ("no_app:third", "no_app has no 'third': it holds no ingenium.App"),
        ("no_app:number", "no_app:number is of type int: name an ingenium.App"),
        ("no_app:wrong", "no_app:wrong is of type int: name an ingenium.App"),
        ("raising", "raising: KeyError: 'broken' (raising.py, line 3)"),
        ("needing", "needing: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("exiting", "exiting: it exits (SystemExit: 3) instead of making an app"),
        ("raising_later:refused", "not so"),
        ("raising_later:broken", "raising_later:broken cannot be called: raising_later"),
    ],
)
def test_text_that_names_no_app_is_refused_with_the_cure(
    folder: Path, target: str, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_app(target)
    assert text in str(caught.value)


def test_function_that_makes_apps_takes_parameters(folder: Path) -> None:
    make = load_factory("one_app:made", {"name": "x"})
    assert make(name="given").name == "given"
    assert make().name == "made"
    with pytest.raises(ConfigError, match=r"one_app:made\(name='made'\) cannot be called with x"):
        load_factory("one_app:made", {"x": 1})
    for target in ("one_app:only", "no_app:number"):
        with pytest.raises(ConfigError, match=f"{target} is no function, so it takes no"):
            load_factory(target, {})
    with pytest.raises(ConfigError, match="no_app:wrong returns a int: return"):
        load_factory("no_app:wrong", {})()


# What an app refuses.


class Empty(Ingestor):
    def read(self) -> Iterator[DataEvent]:
        """Have no history."""
        return iter(())


class Bare(Component):
    """A component of no role."""


def make_app(**changes: Any) -> App:
    values: dict[str, Any] = {
        "ingestors": [Empty()],
        "portfolio": Portfolio(1_000),
        "executor": PaperExecutor(),
    }
    return App(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"strategies": [Bare("x")]}, "strategies holds a component of type Bare: pass a strategy"),
        ({"strategies": [7]}, "strategies holds an object of type int: pass a strategy"),
        ({"strategies": [Portfolio()]}, "strategies holds a portfolio of type Portfolio"),
        ({"strategies": Strategy()}, "strategies is one Strategy: pass a list"),
        ({"strategies": Strategy}, r"strategies is the class Strategy: pass a list with an object"),
        ({"strategies": [Strategy]}, "strategies holds the class Strategy: pass Strategy()"),
        ({"strategies": 7}, "strategies is of type int: pass a list of components"),
        ({"portfolio": PaperExecutor()}, "portfolio holds a executor of type PaperExecutor"),
        ({"executor": External("strategy")}, "executor holds a strategy of type External"),
        ({"executor": 7}, "executor holds an object of type int: pass a executor"),
        ({"risk": 7}, "risk is 7: pass limits"),
        ({"middleware": [7]}, "middleware holds 7: pass a list of objects"),
        ({"middleware": 7}, "middleware holds 7: pass a list of objects"),
        ({"on_end": "never"}, "on_end is 'never': use 'restart' or 'stop'"),
        ({"name": "Not A Name"}, "app name 'Not A Name' does not fit"),
    ],
)
def test_what_has_no_place_in_an_app_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_app(**changes)
    assert text in str(caught.value)


def test_app_keeps_its_prefix() -> None:
    assert make_app(prefix="desk").prefix == "desk"
    assert make_app().prefix == ""
    with pytest.raises(ConfigError):
        make_app(prefix="no good")


# Points at which a process is killed.


def test_process_is_killed_at_a_point_after_it_has_passed_it_as_often_as_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    at = kill_at("committed:2")
    for _ in range(5):
        at(Point("sent"))
    at(Point("committed"))
    at(Point("committed"))
    assert killed == []
    at(Point("committed"))
    assert killed == [(os.getpid(), signal.SIGKILL)]
    kill_at("sent")(Point("sent"))
    assert len(killed) == 2
    assert kill_at("") is pass_by


@pytest.mark.parametrize("where", ["nowhere", "committed:x", "committed:-1", ":1"])
def test_point_that_is_none_is_refused_with_those_there_are(where: str) -> None:
    with pytest.raises(ConfigError, match=r"points are .*committed.*sent"):
        kill_at(where)
