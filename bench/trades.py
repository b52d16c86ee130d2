"""Trades beside those of backtesting.py: three strategies, on GOOG and on its EUR/USD.

With ``--write`` it writes what backtesting.py says of GOOG, for the tests.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ingenium import backtest

TOP = Path(__file__).parents[1]
GOOG = TOP / "tests" / "data" / "GOOG.csv"
WRITTEN = TOP / "tests" / "data" / "oracles" / "backtesting_py_goog.json"


def _peer_prices(folder: Path) -> Path:
    """Write the prices that backtesting.py brings along; they are not ours to pass on."""
    import warnings

    warnings.simplefilter("ignore")
    try:
        from backtesting.test import EURUSD
    except ModuleNotFoundError as error:
        sys.exit(f"{error}: run make bench first, which installs what is compared with")

    path = folder / "EURUSD.csv"
    EURUSD.to_csv(path, index_label="timestamp")
    return path


def main() -> None:
    """Print the table; an inequality is an error."""
    sys.path.insert(0, str(TOP / "tests"))
    from support.equality import check_equal
    from support.matching import CASES, ingenium_app, peer_result

    peers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path, quantity, digits in (
            (GOOG, 100, 2),
            (_peer_prices(Path(folder)), 100_000, 5),
        ):
            for case in CASES:
                peer = peer_result(case, path, quantity, digits)
                result = backtest.run(ingenium_app(case, path, quantity, digits))
                check_equal(result, peer, path)
                print(
                    f"{path.stem:8} {case.name:10} {len(result.trades):5,} trades equal "
                    f"backtesting.py's, final equity {result.stats.final_equity:,.2f} too"
                )
                if path == GOOG:
                    peers[case.name] = peer
    if "--write" in sys.argv:
        WRITTEN.write_text(json.dumps(peers) + "\n")


if __name__ == "__main__":
    main()
