"""Files with rows grouped by symbol, read as one series per symbol in parallel."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, NamedTuple, Protocol

from ingenium.ingestors.csv._columns import Layout

__all__ = ["Block", "BlockRows", "ListRows", "Rows", "block_rows", "find_groups"]

_CHUNK = 65_536
_MANY = 1_000


class Rows(Protocol):
    """Rows of cells, and the line of the last one, as of ``csv.reader``."""

    @property
    def line_num(self) -> int:
        """Line of the last row read, from 1."""
        ...

    def __iter__(self) -> Iterator[list[str]]: ...


class Block(NamedTuple):
    """Consecutive rows of one symbol.

    Attributes:
        offset: Start of the block, in bytes.
        length: Length of the block, in bytes.
        line: Line of the first row, from 1.
    """

    offset: int
    length: int
    line: int


class ListRows:
    """Rows in memory, each with its line number."""

    def __init__(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        self._rows = rows
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        for line, row in self._rows:
            self.line_num = line
            yield row


class BlockRows:
    """Rows of some blocks of a file that is shared with other readers.

    Args:
        stream: The file.
        blocks: Blocks to read.
        delimiter: Separator of columns.
    """

    def __init__(self, stream: IO[bytes], blocks: Sequence[Block], delimiter: str) -> None:
        self._descriptor = stream.fileno()
        self._blocks = blocks
        self._delimiter = delimiter
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        for block in self._blocks:
            rows = csv.reader(self._lines(block), delimiter=self._delimiter, skipinitialspace=True)
            for row in rows:
                self.line_num = block.line - 1 + rows.line_num
                yield row

    def _lines(self, block: Block) -> Iterator[str]:
        place, end = block.offset, block.offset + block.length
        rest = b""
        while place < end:
            # Does not change the file's position, which the other readers share.
            chunk = os.pread(self._descriptor, min(_CHUNK, end - place), place)
            if not chunk:
                break
            place += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")


def block_rows(
    stream: IO[bytes], groups: Mapping[str, Sequence[Block]], layout: Layout
) -> dict[str, Rows]:
    """Return the rows of each symbol, which may be read in parallel."""
    return {
        symbol: BlockRows(stream, blocks, layout.delimiter) for symbol, blocks in groups.items()
    }


def find_groups(stream: IO[bytes], layout: Layout) -> dict[str, list[Block]] | None:
    """Find the blocks of rows of each symbol.

    Args:
        stream: The file, at its start.
        layout: Layout of the file.

    Returns:
        The blocks of each symbol in file order; ``None`` when symbols are mixed, as in a file
        sorted by time.
    """
    place = 0
    first_line = layout.first_line

    def lines() -> Iterator[str]:
        nonlocal place
        for number, line in enumerate(stream, 1):
            if number >= first_line:
                yield line.decode("utf-8", "replace")
            place += len(line)

    column = layout["symbol"]
    groups: dict[str, list[Block]] = {}
    rows = csv.reader(lines(), delimiter=layout.delimiter, skipinitialspace=True)
    current: str | None = None
    start = start_line = count = blocks = 0
    for row in rows:
        # While a row is handled, its line has been yielded but not yet counted.
        if len(row) <= column:
            continue
        count += 1
        symbol = row[column]
        if symbol == current:
            continue
        if current is not None:
            groups.setdefault(current, []).append(Block(start, place - start, start_line))
        blocks += 1
        if blocks > _MANY and blocks > count / 2 and blocks > 2 * len(groups):
            return None
        current, start, start_line = symbol, place, first_line - 1 + rows.line_num
    if current is not None:
        groups.setdefault(current, []).append(Block(start, place - start, start_line))
    if blocks > count / 2 and blocks > len(groups):
        return None
    return groups
