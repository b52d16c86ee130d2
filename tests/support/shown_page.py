"""What a page of the docs shows of a terminal, to hold against what a terminal shows."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["missing_lines", "terminal_blocks"]

# What differs from run to run; all else must be there as the page has it.
_VARIES = [
    (r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?", r"\\d{4}-\\d\\d-\\d\\d(T[\\d:.]+Z)?"),
    (r"order_\w+", r"order_\\w+"),
    (r"\b(ACME|BOLT|CRUX)\b", "(ACME|BOLT|CRUX)"),
    (r"\b(buy|sell)\b", "(buy|sell)"),
    (r"\b(Data|Execution|Signal)Event\b", r"\\w+Event"),
    (r"\b1s\b", r"\\d+ms"),
    (r"\b(fill|denial)s\b", r"\1s?"),
    (r"handled, ", r"handled, ([\\d,]+ waiting, )?"),
    (r"behind, ", r"behind, (outbox [\\d,]+, )?"),
    (r"[0-9a-f]{64}", r"[0-9a-f]{64}"),
    (r"no orders work, by the executor", r"(no orders work|.* working orders?), by the executor"),
]


def _pattern(line: str) -> re.Pattern[str]:
    """Return what a line of the page looks like in any run."""
    parts: list[str] = []
    rest = line.strip()
    while rest:
        for wanted, varying in [*_VARIES, (r"-?[\d,]*\d(\.\d+)?", r"-?[\\d,.]+")]:
            if match := re.match(wanted, rest):
                parts.append(match.expand(varying))
                rest = rest[match.end() :]
                break
        else:
            if rest[0].isspace():
                parts.append(r"\s+")
                rest = rest.lstrip()
            else:
                word = re.match(r"\w+|.", rest)
                assert word is not None
                parts.append(re.escape(word[0]))
                rest = rest[word.end() :]
    return re.compile("".join(parts))


def missing_lines(lines: list[str], text: str) -> list[str]:
    """Return the lines of the page that a text does not have."""
    found = [line.strip() for line in text.splitlines()]
    return [line for line in lines if not any(_pattern(line).match(each) for each in found)]


def terminal_blocks(page: Path) -> list[tuple[str, list[str]]]:
    """Return the kind and the lines of each block of a page with terminal output."""
    found = re.findall(
        r"^```(console|text)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return [(kind, [line for line in text.splitlines() if line.strip()]) for kind, text in found]
