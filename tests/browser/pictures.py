"""Take the pictures of `docs/dashboard.md`: every page, desktop and phone, light and dark.

    cd tests && python -m browser.pictures

It runs an app on made-up prices for two minutes, and needs Chromium and pngquant. With names of
pages only those are taken: `python -m browser.pictures overview data`. `--folder` keeps them
elsewhere, and `--widths 1440,1024,390` takes other sizes, for looking.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from playwright.sync_api import Browser, Page, expect
from support.browser import chromium
from support.control_plane import ControlClient, control_plane
from support.dashboard_apps import LIVE, SWING, write_prices
from support.running import running, until
from support.tools import need_program

IMAGES = Path(__file__).parents[2] / "docs" / "images"
HEIGHTS = {1440: 900, 1280: 800, 1024: 768, 390: 844}
HISTORY_SECONDS = 100
DOUBTFUL = """

class Doubtful(FixedQuantity):
    def on_signal(self, event):
        from pathlib import Path

        if Path("doubtful").exists():
            Path("doubtful").unlink()
            raise ValueError(f"no quantity is known for {event.symbol}")
        super().on_signal(event)
"""


@dataclass(frozen=True)
class View:
    """A page to take: its address, and what is done on it before."""

    name: str
    address: str
    prepare: Callable[[Page], None] = lambda _page: None


def make_runs(plane: ControlClient) -> list[str]:
    """Run two backtests, a sweep, and one that is walked forward; return their ids."""

    def done(method: str, key: str, id_: str) -> bool:
        state = plane.call(method, "read", id=id_)[key]["state"]
        return bool(state == "RUN_STATE_DONE")

    ids = []
    for fast in ("5", "8"):
        answer = plane.call(
            "BacktestService/StartBacktest", "operate", app="swing",
            parameters={"fast": {"integer": fast}},
        )  # fmt: skip
        ids.append(answer["backtest"]["id"])
    grid = {"fast": range(3, 15, 2), "slow": range(16, 56, 8)}
    values = {
        name: {"values": [{"integer": str(each)} for each in steps]} for name, steps in grid.items()
    }
    for options in ({}, {"walkForward": {"folds": 5}}):
        answer = plane.call(
            "SweepService/StartSweep", "operate", app="swing", parameters=values, **options
        )
        ids.append(answer["sweep"]["id"])
    for at, id_ in enumerate(ids):
        method, key = ("Backtest", "backtest") if at < 2 else ("Sweep", "sweep")
        until(lambda: done(f"{method}Service/Get{method}", key, id_), id_, 180)  # noqa: B023
    return ids


def _compare(page: Page) -> None:
    page.get_by_role("button", name="Compare now").click()
    expect(page.get_by_role("button", name="Compare again")).to_be_enabled(timeout=60_000)


def _type_parameters(page: Page) -> None:
    page.get_by_label(re.compile("^fast")).fill("8")
    page.get_by_label(re.compile("^slow")).fill("30")


def _open_event(page: Page) -> None:
    expect(page.locator(".row").first).to_be_visible()
    page.get_by_role("button", name="Hold").click()
    page.locator(".row").first.click()


def _open_switch(page: Page) -> None:
    page.keyboard.press("Shift+K")
    page.get_by_placeholder("optional").fill("prices look wrong")


def _halt(page: Page) -> None:
    page.keyboard.press("Shift+K")
    page.keyboard.press("h")
    expect(page.get_by_test_id("switch-result")).to_be_visible(timeout=20_000)


def views(runs: Sequence[str], order: str) -> list[View]:
    """Return all pages."""
    left, right, sweep, walk = runs
    return [
        View("overview", "overview"),
        View("components", "components?selected=fixed-quantity"),
        View("portfolio", "portfolio"),
        View("transactions", "transactions?q=sells, today"),
        View("story", f"orders/{order}"),
        View("backtests", "backtests", _type_parameters),
        View("report", f"backtests/{left}"),
        View("comparison", f"backtests?left={left}&right={right}"),
        View("sweeps", "sweeps"),
        View("sweep", f"sweeps/{sweep}"),
        View("walk-forward", f"sweeps/{walk}"),
        View("parity", "parity", _compare),
        View("data", "data?range=15m"),
        View("events", "events", _open_event),
        View("dead-letters", "events?show=dead"),
        View("about", "about"),
        View("kill-switch", "overview", _open_switch),
    ]


def take(
    browser: Browser, plane: ControlClient, wanted: Sequence[View], widths: Sequence[int], to: Path
) -> None:
    """Take pictures of pages, each in both themes and all widths."""
    first = browser.new_context()
    first.new_page().goto(plane.login_url)
    expect(first.pages[0].get_by_test_id("trading")).not_to_have_text("…")
    state = first.storage_state()
    first.close()
    for width in widths:
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": HEIGHTS[width]},
                color_scheme=theme,
                storage_state=state,
                has_touch=width < 700,
            )
            page = context.new_page()
            for view in wanted:
                separator = "&" if "?" in view.address else "?"
                page.goto("about:blank")
                page.goto(f"{plane.url}/#/{view.address}{separator}app=live")
                expect(page.get_by_role("heading", level=1).first).to_be_visible()
                expect(page.locator("main .skeleton")).to_have_count(0, timeout=20_000)
                view.prepare(page)
                page.mouse.move(0, 0)
                page.wait_for_timeout(700)  # the tint of a change fades
                phone = "-phone" if width < 700 else f"-{width}" if width != widths[0] else ""
                dark = "-dark" if theme == "dark" else ""
                path = to / f"dashboard-{view.name}{phone}{dark}.png"
                page.screenshot(path=path)
                shrink(path)
            context.close()


def shrink(path: Path) -> None:
    """Write a picture with a palette instead of all colours."""
    command = [need_program("pngquant"), "--force", "--skip-if-larger", "--speed", "1", "--strip"]
    done = subprocess.run([*command, "--output", path, path], check=False)
    if done.returncode not in (0, 98):  # 98: it would have been larger
        raise SystemExit(f"pngquant ends with {done.returncode} on {path}")


def main(arguments: list[str]) -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m browser.pictures")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folder", type=Path, default=IMAGES)
    parser.add_argument("--widths", default="1280,390")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        text = LIVE.read_text().replace(
            "portfolio=FixedQuantity(10)", 'portfolio=Doubtful(10, name="fixed-quantity")'
        )
        (folder / "live.py").write_text(text + DOUBTFUL)
        write_prices(folder / "prices.csv", 1_200)
        (folder / "swing.py").write_text(SWING.replace("{prices}", "prices.csv"))
        (folder / "doubtful").touch()
        environment = {"LIVE_SECONDS": "1"}
        app = running("run", "live.py", "--record", cwd=folder, env=environment)
        stack.enter_context(app).until_line("all is ready")
        plane = stack.enter_context(control_plane(folder, "live.py", "swing.py", "--port", "0"))
        runs = make_runs(plane)
        sleep(HISTORY_SECONDS)
        fills = plane.call(
            "TransactionService/ListTransactions", "read", filter={"app": "live"}, pageSize=5
        )
        everything = views(runs, fills["transactions"][-1]["orderId"])
        wanted = [each for each in everything if not options.names or each.name in options.names]
        options.folder.mkdir(parents=True, exist_ok=True)
        browser = stack.enter_context(chromium())
        take(
            browser,
            plane,
            wanted,
            [int(each) for each in options.widths.split(",")],
            options.folder,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
