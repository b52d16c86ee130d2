"""Encode and decode a full DataEvent, against Go's encoding/json in the same run.

Both sides work on the same bars, no two of them alike, and take turns, so that a busy machine
slows both; medians are compared. Go reads and writes the structs of the Go library's later code.
The binary form of the same events follows, and betterproto2's own way to write and read it.

Run it with ``python -m bench.codec``.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter_ns

from ingenium import DataEvent, Ohlc, decode, decode_binary, encode, encode_binary
from ingenium.ids import make_id

DISTINCT = 1_000
MAX_OF_GO = 0.75
AIM_OF_GO = 0.5

Times = tuple[float, float]
"""Nanoseconds to write and to read one event."""


def make_events() -> list[DataEvent]:
    """Make bars as an ingestor sends them: with id, period and both times."""
    start = datetime(2024, 1, 3, tzinfo=UTC)
    events = []
    for index in range(DISTINCT):
        begin = start + timedelta(minutes=index)
        price = 180 + index / 100
        events.append(
            DataEvent(
                type="data.type.ohlc",
                symbol="AAPL",
                timestamp=f"{begin + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
                ohlc=Ohlc(
                    open=f"{price:.2f}",
                    high=f"{price + 1.5:.2f}",
                    low=f"{price - 1.25:.2f}",
                    close=f"{price + 0.25:.2f}",
                    volume=str(58_414_500 + 7 * index),
                    period="1m",
                    timestamp=begin,
                ),
                id=make_id("data", "bench", str(index)),
            )
        )
    return events


def run_ours(
    events: list[DataEvent],
    payloads: list[bytes],
    rounds: int,
    write: Callable[[DataEvent], bytes] = encode,
    read: Callable[[type[DataEvent], bytes], DataEvent] = decode,
) -> Times:
    """Write and read all events; return nanoseconds for each."""
    begin = perf_counter_ns()
    for _ in range(rounds):
        for event in events:
            write(event)
    middle = perf_counter_ns()
    for _ in range(rounds):
        for payload in payloads:
            read(DataEvent, payload)
    end = perf_counter_ns()
    count = rounds * len(events)
    return (middle - begin) / count, (end - middle) / count


@contextlib.contextmanager
def go_program(go: str, payloads: list[bytes]) -> Iterator[subprocess.Popen[str]]:
    """Compile and start the Go side, and hand it the payloads."""
    source = Path(__file__).parent / "go" / "codec"
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "codec"
        subprocess.run([go, "build", "-o", str(program), "."], cwd=source, check=True)
        with subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            process.stdin.write("".join(f"{payload.decode()}\n" for payload in payloads) + "\n")
            yield process
            process.stdin.close()


def run_go(process: subprocess.Popen[str], rounds: int) -> Times:
    """Let Go do the same work; return nanoseconds for each."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{rounds}\n")
    process.stdin.flush()
    write, read = process.stdout.readline().split()
    count = rounds * DISTINCT
    return int(write) / count, int(read) / count


def print_row(name: str, times: list[Times]) -> float:
    """Print the medians of one side; return that of writing and reading together."""
    write = statistics.median(one[0] for one in times)
    read = statistics.median(one[1] for one in times)
    both = statistics.median(sum(one) for one in times)
    lowest, highest = min(sum(one) for one in times), max(sum(one) for one in times)
    print(f"{name:20}{write:10,.0f}{read:10,.0f}{both:10,.0f}{lowest:10,.0f}{highest:10,.0f}")
    return both


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print; return 1 when the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15, help="turns that each side takes")
    parser.add_argument("--passes", type=int, default=20, help="passes over the bars in each turn")
    options = parser.parse_args(arguments)
    events = make_events()
    payloads = [encode(event) for event in events]
    binary_payloads = [encode_binary(event) for event in events]
    ours: list[Times] = []
    theirs: list[Times] = []
    binary: list[Times] = []
    plain: list[Times] = []
    go = shutil.which("go")
    run_ours(events, payloads, 2)
    with contextlib.ExitStack() as stack:
        process = None if go is None else stack.enter_context(go_program(go, payloads))
        if process is not None:
            run_go(process, 2)
        for _ in range(options.rounds):
            ours.append(run_ours(events, payloads, options.passes))
            if process is not None:
                theirs.append(run_go(process, options.passes))
            binary.append(
                run_ours(events, binary_payloads, options.passes, encode_binary, decode_binary)
            )
            plain.append(
                run_ours(events, binary_payloads, 1, bytes, lambda cls, payload: cls.parse(payload))
            )
    print(
        f"a DataEvent with bar, id and both times: {len(payloads[0])} bytes of JSON, "
        f"{len(binary_payloads[0])} of binary protobuf; nanoseconds each, medians"
    )
    print(f"{'':20}{'encode':>10}{'decode':>10}{'both':>10}{'lowest':>10}{'highest':>10}")
    both = print_row("Ingenium", ours)
    print(f"binary takes {print_row('Ingenium, binary', binary) / both:.1f} x the JSON")
    print(f"its own takes {print_row('betterproto2', plain) / both:.0f} x the JSON")
    if not theirs:
        print("Go is not on PATH, so encoding/json was not measured: https://go.dev/dl")
        return 0
    ratio = both / print_row("Go encoding/json", theirs)
    verdict = "ok" if ratio <= MAX_OF_GO else "MISSED"
    print(
        f"Ingenium = {ratio:.2f} x Go encoding/json "
        f"(at most {MAX_OF_GO:g}: {verdict}; aim {AIM_OF_GO:g})"
    )
    return 0 if ratio <= MAX_OF_GO else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
