"""Process guard: runs a program, such as a nats-server, only while its owner lives.

Started by `ingenium.nats_server.process_guard` as a separate script with the standard library only.
Its standard input is a pipe held open by the owner. When the owner ends in any way, kill -9
included, the system closes the pipe, and the guard ends the program. The owner therefore needs no
handler that could be skipped, and its threads do not matter, as they would for the parent-death
signal of Linux, which macOS lacks.

Arguments: seconds for an orderly end, file descriptor of a lock or -1, and the command.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from types import FrameType

_POLL_SECONDS = 1.0
_SET_PARENT_DEATH_SIGNAL = 1
_NOT_STARTED = 127


def _end_with_parent() -> None:
    """Have Linux end the program if the guard is killed; this process has no threads."""
    import ctypes

    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _wait(program: subprocess.Popen[bytes], woken: socket.socket, owner: int) -> None:
    """Return when the program has ended, the owner is gone, or a signal requests the end."""
    inputs: list[int | socket.socket] = [0, woken]
    while program.poll() is None:
        # The parent is checked too, since a fork of the owner may keep the pipe open.
        ready, _, _ = select.select(inputs, [], [], _POLL_SECONDS)
        if os.getppid() != owner:
            return
        if 0 in ready and not os.read(0, 64):
            return
        if woken in ready and set(woken.recv(64)) & {signal.SIGTERM, signal.SIGINT}:
            return


def main(arguments: list[str]) -> int:
    """Run the program; return its exit code as a shell reports it."""
    end_seconds, lock = float(arguments[0]), int(arguments[1])
    owner = os.getppid()
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def ignore(number: int, frame: FrameType | None) -> None:
        """Do nothing: the signal number arrives through the wake-up socket."""

    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ignore)
    try:
        program = _start(arguments[2:], lock)
    except OSError as error:
        print(f"cannot start {arguments[2]!r}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return _NOT_STARTED
    _wait(program, woken, owner)
    if program.poll() is None:
        _ask_to_end(program)
        try:
            program.wait(end_seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def _start(command: list[str], lock: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        # The data folder stays locked while the server lives, even without its owner.
        pass_fds=[lock] if lock >= 0 else [],
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )


def _ask_to_end(program: subprocess.Popen[bytes]) -> None:
    if os.getpgrp() == os.getpid():
        # Kill the children as well: `go run` leaves its program behind.
        os.killpg(0, signal.SIGTERM)
    else:
        program.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
