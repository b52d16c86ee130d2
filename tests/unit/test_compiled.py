"""The compiled form of the package does what the written one does."""

import os
import shutil
import subprocess
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path

import pytest

import ingenium
from ingenium._native import is_compiled
from ingenium.errors import ConfigError
from ingenium.indicators import Sma

TOP = Path(__file__).parents[2]
PACKAGE = Path(ingenium.__file__).parent

RUN = """
import sys
from ingenium import backtest
from ingenium._native import is_compiled

result = backtest.run(sys.argv[1] + "/examples/demo/app.py")
curve = result.equity
print(is_compiled(), file=sys.stderr)
print(result.events_digest, result.stats, result.account)
for values in (curve.timestamps, curve.equity, curve.exposure, curve.benchmark):
    print(sum(hash(value) * place for place, value in enumerate(values)))
for symbol, track in curve.prices.tracks.items():
    print(symbol, track.bars, track.times, track.high, track.low, track.close)
"""


def run(path: Path | None) -> tuple[str, str]:
    """Run the demo on the package in a folder, or as it is installed."""
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(TOP)], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr.strip()


def test_backtest_compiled_and_as_written_gives_the_same_bytes(tmp_path: Path) -> None:
    if not is_compiled() and not os.environ.get("CI"):
        pytest.skip("nothing is compiled: make compile")
    shutil.copytree(
        PACKAGE,
        tmp_path / "ingenium",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"),
    )
    written, is_written_compiled = run(tmp_path)
    compiled, is_compiled_there = run(None)
    assert (is_written_compiled, is_compiled_there) == ("False", "True")
    assert compiled == written


def test_source_that_was_edited_since_it_was_compiled_runs(tmp_path: Path) -> None:
    """The extension modules here are no libraries, so that to import one fails."""
    package = tmp_path / "ingenium"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    ending = sysconfig.get_config_var("EXT_SUFFIX")
    for name in ("backtest/fast_loop", "ids"):
        (package / f"{name}{ending}").write_bytes(b"no library")
    names = ("ingenium/backtest/fast_loop.py", "ingenium/ids.py")
    lines = [f"{sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (tmp_path / "ingenium__mypyc.sources").write_text("\n".join(lines) + "\n")

    def version() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ingenium", "version"],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    # Nothing was edited: what is compiled is imported, and is no library.
    assert "ids" in version().stderr
    with (package / "ids.py").open("a") as file:
        file.write("\n")
    said = version()
    assert said.returncode == 0, said.stderr
    assert "stale: ingenium/ids.py changed since it was compiled" in said.stdout
    assert "make compile" in said.stdout


def test_indicator_may_be_subclassed_and_refuses_with_the_same_error_in_both_forms() -> None:
    class Doubled(Sma):
        def update(self, number: float) -> float:
            return 2 * super().update(number)

    assert [Doubled(1).update(n) for n in (1.0, 2)] == [2.0, 4.0]
    with pytest.raises(ConfigError, match=r"2\.5"):
        Sma(2.5)  # type: ignore[arg-type]
