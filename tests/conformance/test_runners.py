"""Every runtime against every vector, and a harness that sees when one goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conformance.__main__ import main
from conformance.comparing import OUTCOMES
from conformance.differences import Report, hold, known
from conformance.matrix import Cell, expected, found
from conformance.page import VECTORS
from conformance.roster import RUNNERS, MissingError, given
from conformance.vector import load
from support.tools import need_program

HERE = Path(__file__).parent
TOP = HERE.parents[1]
LIMIT_SECONDS = 700

# A runner that takes the answers of the SDK, and changes one of them.
SPOILT = """
import base64, json, subprocess, sys
command = [sys.executable, {runner!r}, "sdk"]
done = subprocess.run(command, stdin=sys.stdin, capture_output=True, text=True, check=True)
for line in done.stdout.splitlines():
    result = json.loads(line)
    if result["id"] == {id!r}:
        {change}
    print(json.dumps(result))
"""

# A key that stands twice, with the same value.
TWICE = """\
text = base64.b64decode(result["json"]).replace(b'"Side"', b'"Side":"buy","Side"')
        result["json"] = base64.b64encode(text).decode()"""


def _hold(name: str) -> Report:
    runner = RUNNERS[name]
    vectors = load(VECTORS)
    try:
        command = runner.build()
    except MissingError as problem:
        if os.environ.get("CI") == "true" and not problem.allowed_on_ci:
            pytest.fail(str(problem))
        pytest.skip(f"{problem}, and this test runs real programs")
    return hold(runner, command, vectors, known(vectors))


@pytest.mark.timeout(LIMIT_SECONDS)
@pytest.mark.parametrize("name", RUNNERS)
def test_runtime_differs_from_the_vectors_just_as_the_table_says(name: str) -> None:
    report = _hold(name)
    assert report.unexplained == {}
    assert report.gone == ()
    assert len(report.ok) > len(report.documented)


def test_table_has_no_difference_where_there_must_be_none() -> None:
    vectors = load(VECTORS)
    outcomes = {
        (one.split("/")[1], runner, outcome)
        for each in known(vectors)
        for runner, outcome in each.outcomes.items()
        for one in each.vectors
    }
    groups = {group for group, _, _ in outcomes}
    # A payload that was cut is taken by nobody, and text of any script is read by everybody.
    assert groups.isdisjoint({"truncated", "unicode"})
    # What components send is read alike, but for data without a time in the later structs.
    everyday = [one for one in outcomes if one[0] in {"normal", "minimal", "extension"}]
    assert {one for one in everyday if one[2] != "writes"} == {("normal", "go-later", "refuses")}


def _spoilt(folder: Path, id: str, change: str) -> str:
    runner = str(HERE / "runners" / "python" / "conformance_runner.py")
    program = folder / "spoilt.py"
    program.write_text(SPOILT.format(runner=runner, id=id, change=change))
    return f"{sys.executable} {program}"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ('result["verdict"] = "refused"', "refuses"),
        ('result["verdict"] = "unknown"', "unknown"),
        ('result["binary"] = ""', "reads"),
        ('result["binary"] = "/w=="', "reads"),
        ('result["json"] = "e30="', "writes"),
        ('result["json"] = "ew=="', "writes"),
        ('del result["json"]', "writes"),
        (TWICE, "writes"),
    ],
)
def test_answer_that_is_wrong_is_unexplained(tmp_path: Path, change: str, outcome: str) -> None:
    id = "order/normal/market"
    spoilt = given("spoilt", _spoilt(tmp_path, id, change))
    vectors = [vector for vector in load(VECTORS) if vector.group == "normal"]
    report = hold(spoilt, spoilt.build(), vectors, [])
    assert {one: how for one, (how, _) in report.unexplained.items()} == {id: outcome}
    assert outcome in (*OUTCOMES, "unknown")
    assert found(report) == {"normal": Cell(len(vectors) - 1, 0, 1)}


def test_accepting_what_is_wrong_is_unexplained(tmp_path: Path) -> None:
    id = "order/truncated/last_byte"
    spoilt = given(
        "spoilt", _spoilt(tmp_path, id, 'result = {"id": result["id"], "verdict": "accepted"}')
    )
    vectors = [vector for vector in load(VECTORS) if vector.group == "truncated"]
    assert hold(spoilt, spoilt.build(), vectors, []).unexplained[id][0] == "accepts"


def test_difference_that_does_not_occur_any_more_is_seen() -> None:
    vectors = [vector for vector in load(VECTORS) if vector.group == "key_case"]
    table = known(load(VECTORS))
    runner = RUNNERS["java"]
    report = hold(runner, RUNNERS["python"].build(), vectors, table)
    assert "order/key_case/upper" in report.gone
    assert report.documented == ()


def test_runner_that_leaves_a_vector_out_or_fails_is_no_result(tmp_path: Path) -> None:
    vectors = load(VECTORS)[:5]
    quiet = given("quiet", _spoilt(tmp_path, vectors[2].id, "continue"))
    with pytest.raises(RuntimeError, match=f"left out .*{vectors[2].id}"):
        hold(quiet, quiet.build(), vectors, [])
    with pytest.raises(RuntimeError, match="nobody home"):
        hold(quiet, ["sh", "-c", "cat >/dev/null; echo nobody home >&2; exit 3"], vectors, [])


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('reads = ["cobol"]\nvectors = ["*/times/nanos"]', "unknown keys or runners"),
        ('vectors = ["*/times/nanos"]', "no runner"),
        ('reads = ["java"]\nvectors = ["*/times/nano"]', "is no vector"),
        ('reads = ["java"]\nvectors = ["*/times/nanos", "order/times/nanos"]', "is no vector"),
    ],
)
def test_entry_of_the_table_that_makes_no_sense_is_refused(
    tmp_path: Path, entry: str, problem: str
) -> None:
    file = tmp_path / "differences.toml"
    file.write_text(f'[[difference]]\nwhat = "It differs."\nwhy = "So."\n{entry}\n')
    with pytest.raises(ValueError, match=problem):
        known(load(VECTORS), file)


def test_command_prints_the_matrix_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runner", "python", "--runner", "python-protobuf"]) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
    vectors = load(VECTORS)
    promised = expected(vectors, known(vectors))
    for group in ("truncated", "times", "zero_time"):
        cells = [str(promised[name][group]) for name in ("python", "python-protobuf")]
        assert rows[group] == cells
    assert "+" in rows["times"][0]
    assert "2 runtimes" in printed
    assert "0 unexplained" in printed


def test_command_names_what_is_unexplained_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = _spoilt(tmp_path, "order/normal/market", 'result["json"] = "e30="')
    assert main(["--runner", f"mine={command}"]) == 1
    printed = capsys.readouterr().out
    assert "order/normal/market writes: no Id" in printed
    normal = sum(vector.group == "normal" for vector in load(VECTORS))
    assert f" {normal - 1}!1 " in printed


def test_command_without_a_compiler_leaves_the_runtime_out_but_not_on_ci(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    assert main(["--runner", "python", "--runner", "rust"]) == 0
    assert "left out: Rust, prost-reflect: cargo is not on PATH" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert main(["--runner", "python", "--runner", "rust"]) == 1


@pytest.mark.timeout(300)
def test_go_runners_are_vetted_and_formatted() -> None:
    go = need_program("go")
    folder = HERE / "runners" / "go"
    sources = [str(folder / "protocol.go"), str(folder / "protojson.go")]
    commands = [(TOP / "examples" / "go", [go, "vet", *sources])]
    commands.append((TOP / "tests" / "golden" / "go", [go, "vet", "."]))
    for cwd, command in commands:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    gofmt = Path(go).with_name("gofmt")
    if gofmt.exists():
        done = subprocess.run(
            [gofmt, "-l", str(folder), str(TOP / "tests" / "golden" / "go")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == ""


def test_rust_runner_has_the_versions_of_the_example() -> None:
    def versions(folder: Path) -> set[tuple[str, str]]:
        lock = tomllib.loads((folder / "Cargo.lock").read_text())
        return {(package["name"], package["version"]) for package in lock["package"]}

    runner = versions(HERE / "runners" / "rust")
    own = {("conformance", "0.0.0")}
    assert len(runner) > 10
    assert runner - own <= versions(TOP / "examples" / "rust")
