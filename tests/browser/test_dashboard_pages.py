"""The dashboard with absurd data: 40 symbols, one of 60 letters, losses of millions."""

from __future__ import annotations

import csv
import itertools
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from support.browser import axe_script, chromium
from support.control_plane import ControlClient, control_plane
from support.dashboard_apps import ABSURD, LONG_SYMBOL, SWING, write_prices
from support.running import ingenium, running, until

pytestmark = pytest.mark.timeout(240)

# What is seen, in the order in which it is read.
LANDMARKS = """() => [...document.querySelectorAll("header, nav, main")]
  .filter((e) => e.checkVisibility()).map((e) => e.localName)"""
LANDMARKS_OF = {False: ["header", "nav", "main"], True: ["header", "main", "nav"]}
LEVELS = """() => [...document.querySelectorAll("main :is(h1, h2, h3)")]
  .map((e) => Number(e.localName[1]))"""


class Site:
    """The control plane of two apps, one live and one for backtests, and a page of it."""

    def __init__(self, folder: Path, browser: Browser, plane: ControlClient) -> None:
        self.folder = folder
        self.plane = plane
        self.context: BrowserContext = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.goto(plane.login_url)
        self.runs: list[str] = []
        self.sweep = ""

    def show(self, view: str, page: Page | None = None) -> None:
        separator = "&" if "?" in view else "?"
        (page or self.page).goto(f"{self.plane.url}/#/{view}{separator}app=absurd")

    def views(self) -> list[str]:
        """All pages, and what opens inside of them."""
        left, right = self.runs
        return [
            "overview",
            "components?selected=turns",
            "portfolio",
            "transactions",
            "transactions?q=denied",
            "orders",
            "backtests",
            f"backtests/{left}",
            f"backtests?left={left}&right={right}",
            "sweeps",
            f"sweeps/{self.sweep}",
            "parity",
            "data",
            "events",
            "events?show=dead",
            "about",
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "absurd.py").write_text(ABSURD)
    write_prices(folder / "prices.csv", 300)
    (folder / "swing.py").write_text(SWING.replace("{prices}", "prices.csv"))
    (folder / "fails").touch()
    (folder / "fussy").touch()
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        app = stack.enter_context(running("run", "absurd.py", "--record", cwd=folder))
        app.until_line("all is ready")
        plane = stack.enter_context(control_plane(folder, "absurd.py", "swing.py", "--port", "0"))
        it = Site(folder, browser, plane)
        for fast in ("3", "5"):
            parameters = {"fast": {"integer": fast}}
            started = plane.call(
                "BacktestService/StartBacktest", "operate", app="swing", parameters=parameters
            )
            it.runs.append(started["backtest"]["id"])
        values = {
            "fast": {"values": [{"integer": each} for each in ("3", "5")]},
            "slow": {"values": [{"integer": each} for each in ("8", "13")]},
        }
        sweep = plane.call("SweepService/StartSweep", "operate", app="swing", parameters=values)
        it.sweep = sweep["sweep"]["id"]
        for method, key, id_ in [
            *[("BacktestService/GetBacktest", "backtest", each) for each in it.runs],
            ("SweepService/GetSweep", "sweep", it.sweep),
        ]:
            until(
                lambda m=method, k=key, i=id_: (  # type: ignore[misc]
                    plane.call(m, "read", id=i)[k]["state"] == "RUN_STATE_DONE"
                ),
                f"{id_} is done",
            )
        yield it


def ready(page: Page) -> None:
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)


def test_absurd_data_is_not_cut_nor_wider_than_the_page_and_headings_are_in_order(
    site: Site,
) -> None:
    page = site.context.new_page()
    wide = "e => e.scrollWidth > e.clientWidth"
    cut = """() => [...document.querySelectorAll("main .figure, main .note, main h1, main .button")]
      .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"""
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for view in site.views():
            site.show(view, page)
            ready(page)
            assert not page.locator("html").evaluate(wide), (view, width)
            assert not page.locator("main").evaluate(wide), (view, width)
            assert page.evaluate(cut) == [], (view, width)
            assert page.evaluate(LANDMARKS) == LANDMARKS_OF[width == 390], (view, width)
            levels = page.evaluate(LEVELS)
            assert levels[0] == 1, view
            assert levels.count(1) == 1, view
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), view
    page.close()


def test_axe_finds_nothing_serious_in_what_opens(site: Site) -> None:
    script = axe_script()
    found: list[str] = []
    for theme in ("light", "dark"):
        page = site.context.new_page()
        page.emulate_media(color_scheme=theme)
        site.show("overview", page)
        ready(page)
        page.evaluate(script)

        def look(name: str, page: Page = page, theme: str = theme) -> None:
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found.extend(
                f"{name}, {theme}: {each['id']}: {each['nodes'][0]['html']}"
                for each in result["violations"]
                if each["impact"] in {"serious", "critical"}
            )

        for view in site.views():
            site.show(view, page)
            ready(page)
            look(view)
        for key, name in (("Shift+K", "Kill switch"), ("/", "Search"), ("?", "Keys")):
            page.locator("#main").focus()
            page.keyboard.press(key)
            expect(page.get_by_role("dialog", name=name)).to_be_visible()
            look(name)
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog", name=name)).to_have_count(0)
        page.get_by_role("button", name="Settings").click()
        expect(page.get_by_label("Theme")).to_be_visible()
        look("settings")
        page.close()
    assert found == [], "\n".join(found)


def test_failed_event_is_a_dead_letter_that_is_sent_again(site: Site) -> None:
    page = site.page
    site.show("events?show=dead")
    letters = page.locator("main li")
    letter = letters.filter(has_text="turns could not handle ingenium.ingestor.data.sym07")
    error = letter.locator("pre").first
    expect(error).to_contain_text("ValueError: a price of SYM07 has no meaning")
    assert len(error.inner_text()) > 2_000
    payload = json.loads(letter.locator("pre").last.inner_text())
    assert payload["Symbol"] == "SYM07"
    # A bar is over; a signal can be sent again.
    expect(letter.get_by_role("button", name="Send again")).to_have_count(0)
    letter = letters.filter(has_text="fussy could not handle ingenium.strategy.signal")
    expect(letter.locator("pre").first).to_contain_text("ValueError: no order for SYM08 today")
    letter.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status").filter(has_text="was sent again on")).to_be_visible()
    # The component shows what went wrong as well.
    site.show("components?selected=turns")
    expect(page.get_by_role("region", name="turns")).to_contain_text("has no meaning")


def test_comparison_shows_figures_as_the_report_does(site: Site) -> None:
    page = site.page
    left, right = site.runs
    site.show(f"backtests/{right}")
    table = page.locator("section", has=page.get_by_role("heading", name="Figures")).locator("tr")
    ready(page)
    report = {
        row.locator("td").first.inner_text(): row.locator("td").last.inner_text()
        for row in table.all()
    }
    site.show(f"backtests?left={left}&right={right}")
    ready(page)
    rows = page.locator("section", has=page.get_by_role("heading", name="What else differs"))
    shown = {
        row.locator("td").first.inner_text(): row.locator("td").last.inner_text()
        for row in rows.locator("tbody tr").all()
    }
    assert shown["total return"] == report["total return"]
    assert shown["Sharpe"] == report["Sharpe"]
    assert shown["max drawdown"] == report["max drawdown"]
    assert not [text for text in shown.values() if re.search(r"\.\d{3,}", text)]
    # The list and the command line have the same.
    site.show("backtests")
    row = page.get_by_role("row", name=re.compile("fast 5"))
    expect(row).to_contain_text(report["total return"])
    expect(row).to_contain_text(report["max drawdown"])
    printed = ingenium("backtest", "swing.py", cwd=site.folder).out
    assert re.search(rf"total return\s+{_plain(report['total return'])}", printed), printed
    assert re.search(rf"Sharpe\s+{_plain(report['Sharpe'])}", printed), printed


def _plain(text: str) -> str:
    """Return a figure of the page as a terminal has it."""
    return re.escape(text.replace("\u2212", "-").replace("\u202f%", "%"))


def test_parity_shows_the_recorded_run_beside_its_backtest(site: Site) -> None:
    page = site.page
    site.show("parity")
    page.get_by_role("button", name="Compare now").click()
    expect(page.get_by_role("button", name="Compare again")).to_be_enabled(timeout=60_000)
    expect(page.get_by_role("heading", name="By kind")).to_be_visible()
    answer = site.plane.call("ParityService/GetParity", "operate", app="absurd")
    kinds = page.locator("section", has=page.get_by_role("heading", name="By kind"))
    for each in answer["counts"]:
        expect(kinds.get_by_role("row", name=re.compile(f"^{each['kind']} "))).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert not page.locator("main").evaluate("e => e.scrollWidth > e.clientWidth")
    page.set_viewport_size({"width": 1440, "height": 900})
    if answer.get("divergences"):
        first = answer["divergences"][0]
        heading = page.get_by_role("heading", name=re.compile("^The first difference"))
        expect(heading).to_contain_text(first["symbol"])


def test_sweep_leads_to_the_backtest_of_a_cell(site: Site) -> None:
    page = site.page
    site.show(f"sweeps/{site.sweep}")
    ready(page)
    cells = site.plane.call("SweepService/GetSweep", "read", id=site.sweep)["cells"]
    best = cells[0]["figures"]["sharpe"]
    expect(page.get_by_text("Best Sharpe").locator("..")).to_contain_text(
        f"{best:.2f}".replace("-", "\u2212")
    )
    # The lower left cell has the first value of both.
    page.locator("canvas.map").click(position={"x": 90, "y": 50})
    expect(page.locator(".picked")).to_contain_text("fast 3, slow 8: Sharpe")
    page.get_by_role("link", name="Run it as a backtest").click()
    expect(page.get_by_label(re.compile("^fast"))).to_have_value("3")
    expect(page.get_by_label(re.compile("^slow"))).to_have_value("8")


def test_sweep_is_walked_forward_from_the_form(site: Site) -> None:
    page = site.page
    site.show("sweeps")
    page.locator("main form select").first.select_option("swing")
    page.get_by_label(re.compile("^fast")).fill("3, 5")
    page.get_by_label(re.compile("^Walk forward")).fill("2")
    page.get_by_role("button", name="Walk 2 combinations forward").click()
    expect(page).to_have_url(re.compile("#/sweeps/sweep_"))
    judged = page.get_by_role("listitem").filter(has_text="Folds judged")
    expect(judged).to_contain_text("2 of 2", timeout=60_000)
    id_ = page.url.split("/sweeps/")[1].split("?")[0]
    answer = site.plane.call("SweepService/GetSweep", "read", id=id_)
    folds = page.get_by_role("region", name="Folds").locator("tbody tr")
    expect(folds).to_have_count(len(answer["walkForward"]["folds"]))
    expect(page.get_by_role("img", name=re.compile("^2 folds from "))).to_be_visible()


def test_longer_bars_are_those_of_the_server(site: Site) -> None:
    page = site.page
    site.show("data?symbol=SYM05&range=")
    page.get_by_label("Length of the bars").select_option("15m")
    expect(page).to_have_url(re.compile("period=15m"))
    answer = site.plane.call(
        "DataService/ListBars", "read", app="absurd", symbol="SYM05", period="15m"
    )
    count = len(answer["bars"])
    assert sum(int(bar["bars"]) for bar in answer["bars"]) > count
    chart = page.get_by_role("img", name=re.compile("^Candles of SYM05: "))
    # One more may have begun since.
    expect(chart).to_have_accessible_name(re.compile(f": ({count}|{count + 1}) bars"))
    page.get_by_label("Length of the bars").select_option("")


def test_profit_by_strategy_leads_to_the_strategy(site: Site) -> None:
    page = site.page
    site.show("portfolio")
    table = page.locator("section", has=page.get_by_role("heading", name="P&L by strategy"))
    table.get_by_role("link", name="turns").click()
    expect(page.get_by_role("region", name="turns")).to_be_visible()


def test_numbers_agree_on_every_page_and_in_the_export(site: Site) -> None:
    page = site.page
    stopped = site.plane.call(
        "ComponentService/CommandComponent", "operate", app="absurd", component="floods",
        command="COMMAND_PAUSE",
    )  # fmt: skip
    assert stopped["paused"]
    rows: list[int] = []

    def is_quiet() -> bool:
        """Whether no fill has come between two looks."""
        total = site.plane.call(
            "TransactionService/ListTransactions", "read", filter={"app": "absurd"}
        )
        rows.append(int(total["total"]))
        return len(rows) > 1 and rows[-1] == rows[-2]

    until(is_quiet, "no fill comes any more", pause_seconds=0.5)
    account = site.plane.call("PortfolioService/GetPortfolio", "read", app="absurd")["portfolio"]
    whole, _, fraction = account["equity"].partition(".")
    equity = f"{int(whole):,}.{(fraction.rstrip('0')).ljust(2, '0')}"
    for view in ("overview", "portfolio"):
        site.show(view)
        expect(page.get_by_role("listitem").filter(has_text=re.compile("^Equity"))).to_contain_text(
            equity
        )
    site.show("transactions?q=symbol SYM05")
    total = page.get_by_test_id("total")
    expect(total).to_contain_text(re.compile(r"^[0-9,]+ fill"))
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    with Path(download.value.path()).open() as file:
        exported = list(csv.DictReader(file))
    count = total.inner_text().split()[0].replace(",", "")
    assert len(exported) == int(count) > 0
    assert {each["symbol"] for each in exported} == {"SYM05"}
    site.plane.call(
        "ComponentService/CommandComponent", "operate", app="absurd", component="floods",
        command="COMMAND_RESUME",
    )  # fmt: skip


def test_day_of_profit_leads_to_its_fills_in_any_zone(site: Site) -> None:
    page = site.page
    site.show("portfolio?zone=Asia/Tokyo")
    days = page.locator("section", has=page.get_by_role("heading", name="P&L by day"))
    day = days.get_by_role("link").first
    name = day.inner_text()
    fills = days.get_by_role("row").nth(1).get_by_role("cell").nth(1).inner_text()
    day.click()
    expect(page.get_by_label("Filter")).to_have_value(f"{name} UTC")
    # The day of the list begins at nine in Tokyo.
    expect(page.get_by_test_id("reading")).to_contain_text(f"from {name} 09:00:00 UTC+9")
    total = page.get_by_test_id("total")
    expect(total).to_contain_text(re.compile(r"^[0-9,]+ fill"))
    assert int(total.inner_text().split()[0].replace(",", "")) >= int(fills.replace(",", ""))
    site.show("portfolio?zone=UTC")


def test_every_page_is_reached_and_worked_by_keys_alone(site: Site) -> None:
    page = site.context.new_page()
    site.show("overview", page)
    ready(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for key, heading in (
        ("c", "components answer"), ("p", "Portfolio"), ("t", "Transactions"), ("s", "Order story"),
        ("b", "Backtests"), ("w", "Sweeps"), ("y", "Parity"), ("d", "Data"), ("e", "Events"),
        ("a", "About"), ("o", "active"),
    ):  # fmt: skip
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1).first).to_contain_text(heading)
    # From the third fill to its story, and back.
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.locator(".row").first).to_be_visible()
    for key in ("j", "j", "j", "k", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile("#/orders/"))
    page.go_back()
    expect(page).to_have_url(re.compile("#/transactions"))
    # j and k go from row to row in a table that is written whole, too.
    site.show("portfolio", page)
    expect(page.get_by_role("link", name=LONG_SYMBOL).first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.closest('tr').rowIndex")
    assert focused == 2
    # A dialog keeps the focus, and gives it back.
    page.keyboard.press("Shift+K")
    dialog = page.get_by_role("dialog", name="Kill switch")
    expect(dialog).to_be_visible()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert dialog.evaluate("e => e.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2
    page.close()


def test_screen_reader_hears_state_first_and_no_signs(site: Site) -> None:
    page = site.page
    site.show("overview")
    ready(page)
    heard = page.locator("main").aria_snapshot().splitlines()
    places = [
        next(at for at, line in enumerate(heard) if text in line)
        for text in (
            'heading "Trading',
            "Day's P&L",
            'heading "Equity today',
            'heading "Open positions',
            'heading "Last happened',
        )
    ]
    assert places == sorted(places)
    # Signs and colours have words, or are left out for those who hear.
    assert "▲" not in page.locator("main ul").first.aria_snapshot()


def test_red_and_green_are_swapped_and_remembered(site: Site) -> None:
    page = site.context.new_page()
    site.show("portfolio", page)
    ready(page)
    tone = "getComputedStyle(document.documentElement).getPropertyValue('--gain')"
    before = page.evaluate(tone)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Gains red, losses green").check()
    assert page.evaluate(tone) != before
    page.reload()
    ready(page)
    assert page.evaluate(tone) != before
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Gains red, losses green").uncheck()
    assert page.evaluate(tone) == before
    page.close()


def test_lost_connection_is_said_and_the_stream_goes_on_after_it(site: Site) -> None:
    page = site.page
    site.show("overview")
    ready(page)
    tokens: list[str] = []

    def note(request: object) -> None:
        body = getattr(request, "post_data_buffer", None)
        if str(getattr(request, "url", "")).endswith("WatchService/Watch") and body:
            tokens.append(json.loads(body[5:]).get("resumeToken", ""))

    page.on("request", note)
    seen = page.get_by_role("link", name="why").first.get_attribute("href")
    # A server that is frozen says nothing, and breaks no connection.
    site.plane.process.send(signal.SIGSTOP)
    try:
        expect(page.get_by_test_id("lost")).to_contain_text("nothing came for 12 s", timeout=30_000)
        expect(page.locator(".work.stale")).to_have_count(1)
        tone = "getComputedStyle(document.querySelector('main .figure')).color"
        grey = "getComputedStyle(document.querySelector('main .note')).color"
        assert page.evaluate(tone) == page.evaluate(grey)
    finally:
        site.plane.process.send(signal.SIGCONT)
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_test_id("caught-up")).to_contain_text("Connected again after")
    expect(page.get_by_test_id("caught-up")).to_contain_text("nothing was missed")
    expect(page.locator(".work.stale")).to_have_count(0)
    expect(page.get_by_role("link", name="why").first).not_to_have_attribute(
        "href", str(seen), timeout=30_000
    )
    assert tokens[-1] != ""
