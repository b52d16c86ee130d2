"""Apps that make no sense are refused with the cure, and found where the command line says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingenium import (
    App,
    ComponentError,
    ConfigError,
    DataEvent,
    Executor,
    External,
    Ingestor,
    Portfolio,
    Strategy,
    SubjectError,
)
from ingenium.components import load_app


class History(Ingestor):
    def read(self) -> Iterator[DataEvent]:
        yield from ()


class Live(Ingestor):
    async def ingest(self) -> None:
        return


def test_app_whole_is_historical_and_lists_its_components() -> None:
    app = App(
        ingestors=[History()],
        strategies=[Strategy(name="one"), Strategy(name="two")],
        portfolio=Portfolio(),
        executor=Executor(),
    )
    assert app.historical
    assert [c.name for c in app.components] == ["history", "one", "two", "portfolio", "executor"]
    assert app.component("two") is app.strategies[1]


def test_app_without_portfolio_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"no portfolio.*App\(portfolio="):
        App(ingestors=[History()], strategies=[Strategy()])


def test_app_without_executor_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"no executor.*App\(executor="):
        App(ingestors=[History()], portfolio=Portfolio())


def test_app_executor_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="no portfolio"):
        App(ingestors=[History()], executor=Executor())


def test_app_without_ingestor_is_refused() -> None:
    with pytest.raises(ConfigError, match="no ingestor"):
        App(ingestors=[])


def test_app_two_components_of_one_name_is_refused_with_the_name() -> None:
    with pytest.raises(ConfigError, match=r"'history'.*name="):
        App(ingestors=[History(), History()])


def test_app_one_component_listed_twice_is_refused() -> None:
    twice = History()
    with pytest.raises(ConfigError, match="'history' is listed twice"):
        App(ingestors=[twice, twice])


def test_app_component_named_conductor_is_refused() -> None:
    with pytest.raises(ConfigError, match="conductor"):
        App(ingestors=[History(name="conductor")])


def test_app_wrong_role_is_refused_with_the_type() -> None:
    with pytest.raises(ConfigError, match="a strategy of type Strategy: pass a portfolio"):
        App(ingestors=[History()], portfolio=Strategy(), executor=Executor())  # type: ignore[arg-type]


def test_app_no_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="pass a list"):
        App(ingestors=History())  # type: ignore[arg-type]


def test_app_history_and_live_mixed_is_refused() -> None:
    with pytest.raises(ConfigError, match="two apps"):
        App(ingestors=[History(), Live()])


@pytest.mark.parametrize("name", ["", "A", "a b", "a.b", "ä", "x" * 41])
def test_app_name_that_no_subject_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="app name"):
        App(ingestors=[History()], name=name)


def test_app_unknown_component_asked_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="it has history"):
        App(ingestors=[History()]).component("rsi")


def test_component_name_of_class_becomes_words_with_hyphens() -> None:
    class RSIStrategy2(Strategy):
        pass

    assert RSIStrategy2().name == "rsi-strategy2"


def test_component_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ComponentError, match="'A B'"):
        Strategy(name="A B")


def test_strategy_symbol_that_no_subject_can_hold_is_refused() -> None:
    with pytest.raises(SubjectError, match=r"A\*"):
        Strategy(["A*"])


def test_component_send_outside_of_a_run_is_refused() -> None:
    with pytest.raises(ComponentError, match=r"outside a run: .* ingenium\.testing\.run"):
        Strategy().send_signal("A", "ingenium.signal.long")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"role": "trader"}, "trader"),
        ({"role": "strategy", "command": "go run ."}, "list"),
        ({"role": "strategy", "command": []}, "empty"),
        ({"role": "strategy", "settle_seconds": 0}, "settle_seconds"),
    ],
)
def test_external_that_makes_no_sense_is_refused(
    arguments: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        External(**arguments)  # type: ignore[arg-type]


def test_external_ingestor_that_reports_nothing_makes_the_app_live() -> None:
    silent = External("ingestor", name="feed")
    assert not App(ingestors=[silent]).historical
    assert not App(ingestors=[silent, Live("live")]).historical
    with pytest.raises(
        ConfigError,
        match=r"feed is an external program that publishes no LockstepReport.*reports=True",
    ):
        App(ingestors=[silent, History("history")])
    told = External("ingestor", name="feed", reports=True)
    assert App(ingestors=[told, History("history")]).historical


APP = """
from ingenium import App, Ingestor

class Empty(Ingestor):
    def read(self):
        yield from ()

def make(name="made"):
    return App(name=name, ingestors=[Empty()])
"""


def _file(folder: Path, text: str, name: str = "an_app.py") -> str:
    path = folder / name
    path.write_text(APP + text)
    return str(path)


def test_load_app_finds_app_only_app_named_app_and_function(tmp_path: Path) -> None:
    assert load_app(_file(tmp_path, "app = make('a')", "m1.py")).name == "a"
    assert load_app(_file(tmp_path, "mine = make('b')", "m2.py")).name == "b"
    several = _file(tmp_path, "one = make('c')\ntwo = make('d')", "m3.py")
    assert load_app(f"{several}:two").name == "d"
    assert load_app(f"{several}:make").name == "made"


@pytest.mark.parametrize(
    ("text", "suffix", "problem"),
    [
        ("app = (", "", "line 10: syntax error"),
        ("1 / 0", "", "line 10: ZeroDivisionError"),
        ("", "", "holds no app"),
        ("one = make('c')\ntwo = make('d')", "", "several apps, one, two"),
        ("one = make('c')", ":three", "has no 'three': it has one"),
        ("def app(): return 1 / 0", "", "line 10: ZeroDivisionError"),
        ("def app(fast): return fast", "", "cannot be called.*'fast'"),
        ("app = 12", "", "of type int"),
        ("import not_there_at_all", "", "not_there_at_all"),
    ],
)
def test_load_app_that_is_none_is_refused_with_file_and_reason(
    tmp_path: Path, text: str, suffix: str, problem: str
) -> None:
    target = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=problem):
        load_app(target + suffix)


def test_load_app_no_such_file_or_module_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no such app file: nowhere\.py"):
        load_app("nowhere.py")
    with pytest.raises(ConfigError, match="no such app: 'no_such_module'"):
        load_app("no_such_module")


def test_load_app_from_a_module_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _file(tmp_path, "app = make('packed')", "packed_app.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_app("packed_app").name == "packed"
    assert load_app("packed_app:app").name == "packed"


@pytest.mark.parametrize("name", ["signal.py", "json.py", "ingenium.py"])
def test_load_app_file_named_like_a_module_that_it_would_hide_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"app file {name} has the same name as .*: rename the file"
    ):
        load_app(_file(tmp_path, "app = make('a')", name))


@pytest.mark.parametrize("target", ["", " ", "a\0b.py"])
def test_load_app_that_names_nothing_is_refused_with_an_example(target: str) -> None:
    with pytest.raises(ConfigError, match=r"name a file such as app\.py"):
        load_app(target)
