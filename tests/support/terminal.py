"""A real terminal with panes, in a tmux server of its own, and a shell in each pane."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from support.running import LIMIT_SECONDS, until
from support.tools import need_program

__all__ = ["Command", "Done", "Pane", "terminal"]

_WIDTH, _HEIGHT = 120, 60
_CONFIGURATION = """
set -g history-limit 50000
set -g status off
set -g default-terminal screen-256color
"""
_PAUSE_SECONDS = 0.1
_NUMBERS = count(1)


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        code: Its exit code.
        out: What it has written.
    """

    code: int
    out: str


class Pane:
    """A pane of a terminal, in which a person types.

    Args:
        tmux: The command of its server.
        target: Its id there.
    """

    def __init__(self, tmux: list[str], target: str) -> None:
        self._tmux = tmux
        self._target = target

    def text(self) -> str:
        """Return all that it shows and has shown, lines that were wrapped as one."""
        # The height of a screen follows after the last line.
        command = [*self._tmux, "capture-pane", "-p", "-J", "-S", "-", "-t", self._target]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return "\n".join(line.rstrip() for line in shown.stdout.rstrip().splitlines())

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._send("-l", "--", line)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key by its name, ``"C-c"``."""
        self._send(key)

    def _send(self, *keys: str) -> None:
        command = [*self._tmux, "send-keys", "-t", self._target, *keys]
        subprocess.run(command, check=True, timeout=10)

    def do(self, command: str) -> Done:
        """Type a command, and wait for its end."""
        return self.begin(command).wait()

    def begin(self, command: str) -> Command:
        """Type a command."""
        # The shell puts it together, so that it is not in what was typed.
        name = f"end{next(_NUMBERS)}"
        self.type(f'{command}; echo "{name}"=$?')
        return Command(self, name)


class Command:
    """A command that was typed.

    Args:
        pane: Where.
        name: What its line and its end are known by.
    """

    def __init__(self, pane: Pane, name: str) -> None:
        self._pane = pane
        self._typed = f'echo "{name}"=$?\n'
        self._end = re.compile(rf"^(.*){name}=(\d+)$", re.MULTILINE | re.DOTALL)

    def text(self) -> str:
        """Return what it has written by now."""
        return self._found()[1]

    def _found(self) -> tuple[int | None, str]:
        _, _, rest = f"{self._pane.text()}\n".partition(self._typed)
        ended = self._end.search(rest)
        return (None, rest) if ended is None else (int(ended[2]), ended[1])

    def until(self, text: str, times: int = 1) -> None:
        """Wait until it has written a text so often."""

        def is_there() -> bool:
            code, shown = self._found()
            if shown.count(text) >= times:
                return True
            assert code is None, f"ended with {code} without {text!r}:\n{shown}"
            return False

        try:
            until(is_there, repr(text), pause_seconds=_PAUSE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error} in\n{self.text()}") from None

    def wait(self, limit_seconds: float = LIMIT_SECONDS) -> Done:
        """Wait for its end."""
        try:
            until(lambda: self._found()[0] is not None, "the end", limit_seconds, _PAUSE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error} of\n{self.text()}") from None
        code, out = self._found()
        assert code is not None
        return Done(code, out)


@contextmanager
def terminal(folder: Path, env: Mapping[str, str], panes: int) -> Iterator[list[Pane]]:
    """Open a terminal with panes, and close it with all that runs there.

    Args:
        folder: Where its shells are.
        env: Variables beside those of this process; none of these begins with ``INGENIUM_``.
        panes: How many.
    """
    program, shell = need_program("tmux"), need_program("bash")
    # The path of a socket must be short.
    own = Path(tempfile.mkdtemp(prefix="terminal-"))
    (own / "tmux.conf").write_text(_CONFIGURATION)
    tmux = [program, "-S", str(own / "socket"), "-f", str(own / "tmux.conf")]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_", "TMUX"))}
    typed = shlex.join([shell, "--norc", "--noprofile"])
    size = ["-x", str(_WIDTH), "-y", str(_HEIGHT)]
    ids = []
    try:
        for number in range(panes):
            make = ["new-session", "-d", *size] if number == 0 else ["new-window", "-d"]
            made = subprocess.run(
                [*tmux, *make, "-P", "-F", "#{pane_id}", "-c", str(folder), typed],
                env=kept | {"PS1": "$ ", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | dict(env),
                capture_output=True, text=True, check=True, timeout=10,
            )  # fmt: skip
            ids.append(made.stdout.strip())
        opened = [Pane(tmux, each) for each in ids]
        for pane in opened:
            # A command that is stopped by a signal is waited for until it goes on.
            pane.do("set +m")
        yield opened
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, timeout=10, check=False)
        shutil.rmtree(own, ignore_errors=True)
