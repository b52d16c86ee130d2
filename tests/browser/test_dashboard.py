"""The dashboard in a real Chromium, beside a real app, recorder and control plane."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from support.browser import axe_script, chromium
from support.control_plane import ControlClient, control_plane
from support.live_app import APP
from support.running import Running, running, until

pytestmark = pytest.mark.timeout(180)

PAGES = [
    "overview",
    "components",
    "portfolio",
    "transactions",
    "orders",
    "backtests",
    "sweeps",
    "parity",
    "data",
    "events",
    "about",
]
# A line of its own, so that a test can end the process of one component.
SLOW = APP.replace("asyncio.sleep(0.05)", "asyncio.sleep(0.2)")
# An app with parameters, over a hundred days of prices: what a backtest of the page runs.
SWING = """
from pathlib import Path

from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

def app(fast: int = 3, slow: int = 8) -> App:
    return App(
        name="swing",
        ingestors=[CsvIngestor("{prices}", symbol="AAPL")],
        strategies=[SmaCross(["AAPL"], fast=fast, slow=slow)],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )
"""


class Desk:
    """Everything that runs: the app, its control plane, and a page of it."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder
        self.browser = browser
        self.app: Running
        self.plane: ControlClient
        self.context: BrowserContext
        self.page: Page
        self.complaints: list[str] = []
        self._plane_stack = ExitStack()

    def start_plane(self, port: str = "0") -> None:
        arguments = ("app.py", "swing.py", "--port", port)
        self.plane = self._plane_stack.enter_context(control_plane(self.folder, *arguments))

    def stop_plane(self) -> None:
        self._plane_stack.close()

    def open(self) -> None:
        self.context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._check_host)
        self.page.goto(self.plane.login_url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _check_host(self, request: Any) -> None:
        if not request.url.startswith((self.plane.url, "data:", "blob:")):
            self.complaints.append(f"a request leaves the machine: {request.url}")

    def show(self, view: str) -> None:
        separator = "&" if "?" in view else "?"
        self.page.goto(f"{self.plane.url}/#/{view}{separator}app=live")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the recording, by SQL of the test's own."""
        with sqlite3.connect(self.folder / ".ingenium" / "live" / "record.db") as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "app.py").write_text(SLOW)
    prices = folder / "prices.csv"
    lines = ["Date,Open,High,Low,Close,Volume"]
    for day in range(100):
        price = 100 + day * 7 % 13
        date = f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}"
        lines.append(f"{date},{price},{price + 1},{price - 1},{price},1000")
    prices.write_text("\n".join(lines) + "\n")
    (folder / "swing.py").write_text(SWING.replace("{prices}", str(prices)))
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        it = Desk(folder, browser)
        it.app = stack.enter_context(running("run", "app.py", "--record", cwd=folder))
        it.app.until_line("all is ready")
        stack.callback(it.stop_plane)
        it.start_plane()
        until(lambda: len(it.rows("select 1 from executions")) > 10, "10 executions")
        it.open()
        yield it


def test_overview_is_live(desk: Desk) -> None:
    desk.show("overview")
    page = desk.page
    expect(page.get_by_test_id("summary")).to_contain_text("Trading is active")
    expect(page.get_by_test_id("trading")).to_have_text("Active")
    # The newest fill on the page is replaced by a newer one without a reload.
    first = page.get_by_role("link", name="why").first.get_attribute("href")
    assert first is not None
    expect(page.get_by_role("link", name="why").first).not_to_have_attribute("href", first)
    order_id = first.split("/")[2].split("?")[0]
    [(count,)] = desk.rows(f"select count(*) from executions where order_id = '{order_id}'")
    assert count == 1
    assert desk.complaints == []


def test_filter_is_in_the_url_and_back_takes_it_out(desk: Desk) -> None:
    page = desk.page
    desk.show("transactions")
    total = page.get_by_test_id("total")
    expect(total).to_contain_text(re.compile(r"^[0-9,]+ fills, latest first"))
    page.get_by_role("button", name="sells").click()
    expect(page).to_have_url(re.compile(r"q=sells"))
    expect(page.get_by_test_id("reading")).to_contain_text("Fills, sells only, of all symbols")
    until(
        lambda: set(page.locator(".row [role=cell]:nth-child(3)").all_inner_texts()) == {"sell"},
        "only sells are shown",
    )
    # A link to a colleague shows the same.
    other = desk.context.new_page()
    other.goto(page.url)
    expect(other.get_by_label("Filter")).to_have_value("sells")
    expect(other.get_by_test_id("total")).to_contain_text(
        re.compile(r"^[0-9,]+ fills, latest first")
    )
    other.close()
    page.go_back()
    expect(page.get_by_test_id("reading")).to_contain_text("Fills, of all symbols")
    page.get_by_label("Filter").fill("NONE")
    expect(page.get_by_text("Nothing matches this filter.")).to_be_visible()


def test_fill_leads_to_the_story_of_its_order(desk: Desk) -> None:
    page = desk.page
    desk.show("transactions?q=sells")
    page.locator(".row").nth(2).click()
    expect(page).to_have_url(re.compile(r"#/orders/"))
    order_id = page.url.split("/orders/")[1].split("?")[0]
    kinds = page.locator("main li.step strong")
    expect(kinds.last).to_have_text("Fill")
    assert kinds.all_inner_texts()[:3] == ["Bar", "Signal", "Order"]
    [row] = desk.rows(f"select side, quantity, symbol from orders where order_id = '{order_id}'")
    expect(page.locator("li.step.order")).to_contain_text(" ".join(row))


def test_backtest_with_changed_parameters_shows_its_report(desk: Desk) -> None:
    page = desk.page
    desk.show("backtests")
    page.locator("main form select").first.select_option("swing")
    fast = page.get_by_label(re.compile("^fast"))
    fast.fill("x")
    expect(page.get_by_text("has to be a whole number")).to_be_visible()
    expect(page.get_by_role("button", name="Run backtest")).to_be_disabled()
    fast.fill("2")
    page.get_by_role("button", name="Run backtest").click()
    expect(page).to_have_url(re.compile(r"#/backtests/"))
    expect(page.get_by_text("fast 2, slow 8")).to_be_visible()
    expect(page.locator(".tag.ok").first).to_have_text("done", timeout=30_000)
    expect(page.get_by_role("img", name=re.compile("^Equity: "))).to_be_visible()
    [done] = desk.plane.call("BacktestService/ListBacktests", "read")["backtests"]
    assert done["parameters"] == {"fast": {"integer": "2"}, "slow": {"integer": "8"}}
    with page.expect_download() as download:
        page.get_by_role("button", name="Whole report").click()
    assert "<html" in Path(download.value.path()).read_text()


def test_keys_lead_everywhere(desk: Desk) -> None:
    page = desk.page
    desk.show("overview")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_contain_text("components answer")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    page.keyboard.type("turns")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"components\?.*selected=turns"))
    expect(page.get_by_role("region", name="turns")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("It is paused: what arrives waits.")).to_be_visible()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text("It goes on.")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")


def test_axe_finds_nothing_serious(desk: Desk) -> None:
    script = axe_script()
    found: list[str] = []
    for theme in ("light", "dark"):
        page = desk.context.new_page()
        page.emulate_media(color_scheme=theme)
        page.goto(f"{desk.plane.url}/#/overview?app=live")
        expect(page.get_by_test_id("summary")).to_contain_text("Trading")
        # The policy of the page allows no script of others; that of the tool is not a part of it.
        page.evaluate(script)
        for name in PAGES:
            page.goto(f"{desk.plane.url}/#/{name}?app=live")
            expect(page.get_by_role("heading", level=1).first).to_be_visible()
            expect(page.locator("main .skeleton")).to_have_count(0)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                f"{name}, {theme}: {each['id']} ({each['impact']}): {each['nodes'][0]['html']}"
                for each in result["violations"]
                if each["impact"] in {"serious", "critical"}
            ]
        page.close()
    assert found == [], "\n".join(found)


def test_nothing_is_wider_than_a_phone(desk: Desk) -> None:
    page = desk.context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    for name in PAGES:
        page.goto(f"{desk.plane.url}/#/{name}?app=live")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        wide = "e => e.scrollWidth > e.clientWidth"
        assert not page.locator("html").evaluate(wide), name
        assert not page.locator("main").evaluate(wide), name
    page.close()


def test_kill_switch_is_two_keys_and_shows_who_confirmed(desk: Desk) -> None:
    page = desk.page
    desk.show("portfolio")
    expect(page.get_by_test_id("trading")).to_have_text("Active")
    page.keyboard.press("Shift+K")
    expect(page.get_by_text("From now on no order is sent")).to_be_visible()
    page.keyboard.press("h")
    expect(page.get_by_test_id("switch-result")).to_contain_text("in effect everywhere")
    confirmed = " ".join(page.get_by_test_id("confirmed").all_inner_texts())
    assert "fixed-quantity" in confirmed
    assert "fill-all" in confirmed
    page.get_by_role("button", name="Close", exact=True).last.click()
    expect(page.get_by_test_id("trading")).to_have_text("Halted")
    answer = desk.plane.call("TradingService/GetTradingState", "read", app="live")
    assert answer["report"]["state"] == "TRADING_STATE_HALTED"
    # Orders are denied while it is halted.
    desk.show("transactions?q=denied")
    expect(page.get_by_test_id("total")).to_contain_text("denied order", timeout=20_000)
    # Letting go needs the name of the app, typed out.
    page.keyboard.press("Shift+K")
    release = page.get_by_role("button", name="Resume trading")
    expect(release).to_be_disabled()
    page.get_by_label("Name of the app").fill("liv")
    expect(release).to_be_disabled()
    page.get_by_label("Name of the app").fill("live")
    release.click()
    expect(page.get_by_test_id("switch-result")).to_contain_text("in effect everywhere")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("trading")).to_have_text("Active")


def test_page_recovers_after_restart_of_the_server(desk: Desk) -> None:
    page = desk.page
    desk.show("overview")
    page.evaluate("window.stillHere = true")
    port = desk.plane.url.rsplit(":", 1)[1]
    desk.stop_plane()
    expect(page.get_by_test_id("lost")).to_contain_text("No connection since")
    expect(page.get_by_test_id("connection")).to_have_text("Not connected")
    desk.start_plane(port)
    # The session outlives the server: the page goes on by itself.
    expect(page.get_by_test_id("connection")).to_have_text("Connected", timeout=20_000)
    expect(page.get_by_test_id("caught-up")).to_contain_text("Connected again after")
    expect(page.get_by_test_id("trading")).to_have_text("Active")
    assert page.evaluate("window.stillHere")


def test_dead_app_is_seen_within_five_seconds(desk: Desk) -> None:
    page = desk.page
    desk.show("components")
    expect(page.get_by_test_id("state-turns")).to_have_text("alive")
    desk.app.send(signal.SIGKILL)
    expect(page.get_by_test_id("state-turns")).not_to_have_text("alive", timeout=5_000)
    access = json.loads((desk.folder / ".ingenium" / "control.json").read_text())
    assert access["url"] == desk.plane.url
