"""Thirteen years of daily prices through four components: the demo.

Run it with ``make demo``, or ``ingenium run examples/demo/app.py --processes``. The functions named
``go_...``, ``java``, ``rust`` and ``typescript`` put a strategy of that language into the middle:
``make demo-go``, ``make demo-java`` and so on.
"""

from pathlib import Path

from ingenium import App, ConfigError, External
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

EXAMPLES = Path(__file__).parents[1]
SYMBOLS = ["AAPL", "IBM", "MSFT"]


def make_app(strategy: RsiStrategy | External, data: Path = EXAMPLES / "data") -> App:
    """Return the demo with a strategy of one's choice."""
    return App(
        name="demo",
        ingestors=[CsvIngestor([data / f"{symbol}.csv" for symbol in SYMBOLS])],
        strategies=[strategy],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )


def in_go(name: str, *, reports: bool) -> External:
    """Return a strategy of ``examples/go``, which ``make demo-go`` builds."""
    program = EXAMPLES / "go" / "bin" / name
    if not program.exists():
        raise ConfigError(f"{program} is not built yet: run make demo-go, or see examples/go")
    return External(
        "strategy",
        [str(program), "-symbols", ",".join(SYMBOLS)],
        name="rsi",
        symbols=SYMBOLS,
        reports=reports,
        follows_prefix=reports,
    )


def in_typescript() -> External:
    """Return the strategy of ``examples/typescript``, which ``make demo-typescript`` builds."""
    program = EXAMPLES / "typescript" / "dist" / "main.js"
    if not program.exists():
        raise ConfigError(
            f"{program} is not built yet: run make demo-typescript, or see examples/typescript"
        )
    return External(
        "strategy",
        ["node", str(program), "--symbols", ",".join(SYMBOLS)],
        name="rsi",
        symbols=SYMBOLS,
        reports=True,
        follows_prefix=True,
    )


def app() -> App:
    """Return the demo with its strategy in Python."""
    return make_app(RsiStrategy(SYMBOLS, period=2, buy_below=5, sell_above=95, name="rsi"))


def go_protojson() -> App:
    """Return the demo with a Go strategy on generated types, a full member of the replay."""
    return make_app(in_go("protojson", reports=True))


def go_traced() -> App:
    """Return the demo with a Go strategy that sends spans by the OpenTelemetry SDK for Go."""
    return make_app(in_go("traced", reports=True))


def go_structs() -> App:
    """Return the demo with a Go strategy on structs of its own, which reports nothing."""
    return make_app(in_go("structs", reports=False))


def go_original() -> App:
    """Return the demo with a Go strategy on the original library, which reports nothing."""
    return make_app(in_go("original", reports=False))


def typescript() -> App:
    """Return the demo with a TypeScript strategy, a full member of the replay."""
    return make_app(in_typescript())


def java() -> App:
    """Return the demo with its strategy in Java, a full member of the replay."""
    return make_app(built(EXAMPLES / "java" / "rsi" / "target" / "rsi.jar", "java", "-jar"))


def rust() -> App:
    """Return the demo with its strategy in Rust, a full member of the replay."""
    return make_app(built(EXAMPLES / "rust" / "target" / "release" / "rsi"))


def built(program: Path, *runner: str) -> External:
    """Return a strategy that its own language's tools have built."""
    if not program.exists():
        raise ConfigError(f"{program} is not built yet: see the README.md of its example")
    command = [*runner, str(program), *SYMBOLS]
    return External(
        "strategy", command, name="rsi", symbols=SYMBOLS, reports=True, follows_prefix=True
    )
