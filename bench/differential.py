"""How many payloads our codec and Go's encoding/json understand alike: `make differential`.

Random payloads, whole, odd and broken, each read by both; verdicts and values must be the same, but
for the deviations of docs/wire-format.md, which are counted. It ends at the first difference.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.wire_go import ask, build, compare
from support.wire_payloads import generate

PAYLOADS = 1_000_000
AT_ONCE = 5_000


def check(program: Path, seed: int) -> Counter[str]:
    """Compare some payloads, and return how often what happened."""
    questions = list(generate(seed, AT_ONCE))
    counts: Counter[str] = Counter()
    for question, reply in zip(questions, ask(program, questions), strict=True):
        compare(*question, reply, counts)
    return counts


def main(payloads: int = PAYLOADS) -> int:
    """Print the counts; return 2 without Go."""
    go = shutil.which("go")
    if go is None:
        print("go is not on PATH, and the payloads are read by Go: install Go 1.24 or later")
        return 2
    counts: Counter[str] = Counter()
    seeds = range(1, -(-payloads // AT_ONCE) + 1)
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor() as pool:
        program = build(go, Path(folder))
        checked = pool.map(partial(check, program), seeds)
        for each in track(checked, "payloads", len(seeds), show_speed=False):
            counts += each
    for what, count in counts.most_common():
        print(f"{count:12,} {what}")
    print(f"{len(seeds) * AT_ONCE:12,} payloads, no difference that is not documented")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
