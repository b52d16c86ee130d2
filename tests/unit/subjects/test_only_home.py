"""Subjects, names of streams and keys of events stand in one place, and a check finds others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from only_home import violations

TOP = Path(__file__).parents[3]


def test_package_as_it_is_has_no_violation() -> None:
    done = subprocess.run(
        [sys.executable, TOP / "proto" / "only_home.py"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


NAMES = "is written here, and its only home is subjects/: import it from ingenium.subjects"
RULE = "is written here, and its only home is events/: make it an option in proto/ingenium/v1/"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('x = "ingenium.portfolio.order"', f"subject 'ingenium.portfolio.' {NAMES}.names"),
        ('f(f"_ingenium.{app}.status")', f"subject '_ingenium' {NAMES}.names"),
        ('x = ["INGENIUM_DATA"]', f"name of a stream or bucket 'INGENIUM_DATA' {NAMES}.server_na"),
        ("""line = '{"Symbol":"' + symbol""", """JSON key of an event '"Symbol":"' is written"""),
        (
            'rule = {"ingenium.v1.OrderEvent.quantity"}',
            f"rule of a field by its full name 'ingenium.v1.OrderEvent.quantity' {RULE}op",
        ),
    ],
)
def test_planted_violation_is_told_with_its_place_and_the_cure(
    tmp_path: Path, code: str, said: str
) -> None:
    (tmp_path / "risk").mkdir()
    (tmp_path / "risk" / "gate.py").write_text(f'"""Doc."""\n\n{code}\n')
    [found] = violations(tmp_path)
    assert found.startswith(f"risk/gate.py:3: the {said}")


def test_docstrings_environment_loggers_and_the_home_itself_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "subjects").mkdir()
    (tmp_path / "subjects" / "names.py").write_text('ORDER = "ingenium.portfolio.order"\n')
    (tmp_path / "rest.py").write_text(
        '"""Reads ``ingenium.portfolio.order`` of INGENIUM_DATA."""\n'
        'log = logging.getLogger("ingenium.portfolio")\n'
        'folder = environ["INGENIUM_DATA_DIR"]\n'
    )
    assert list(violations(tmp_path)) == []
