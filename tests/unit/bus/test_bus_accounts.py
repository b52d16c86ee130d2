"""The accounts of an app as a server's configuration has them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ingenium.errors import ConfigError, SubjectError
from ingenium.nats_server.accounts import ROLES, Accounts
from ingenium.nats_server.binary import find_binary
from ingenium.subjects.grammar import matches

PASSWORDS = {role: f"secret of {role}" for role in ROLES}
APP = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi", "sma"], "portfolio": ["pf"], "executor": ["ex"]},
)

# As nats-server names the requests for one message of a stream by its number.
STREAMS_BY_NUMBER = {"$JS.API.DIRECT.GET.INGENIUM", "$JS.API.DIRECT.GET.INGENIUM_DATA"}


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(f"{{{text}}}")
    return found


def crossing(accounts: dict[str, Any], source: str, target: str) -> set[tuple[str, str]]:
    """Return what one account imports from another one, and the other one exports to it."""
    exported = {
        (kind, each[kind])
        for each in accounts[source].get("exports", ())
        for kind in ("stream", "service")
        if kind in each and target in each["accounts"]
    }
    imported = {
        (kind, each[kind]["subject"])
        for each in accounts[target].get("imports", ())
        for kind in ("stream", "service")
        if kind in each and each[kind]["account"] == source
    }
    assert imported == exported
    return imported


def test_only_these_subjects_cross_between_accounts() -> None:
    accounts = read(APP.configuration(passwords=PASSWORDS))
    data = ("stream", "ingenium.ingestor.data.>")
    assert crossing(accounts, "DATA", "STRAT") == {data}
    # An operator sees every component as a service, and sends commands to it.
    registry = ("service", "$SRV.>")
    commands = {
        name: ("service", f"_ingenium.app.command.{name}.*.*")
        for name in ("csv", "rsi", "sma", "recorder")
    }
    assert crossing(accounts, "DATA", "MONEY") == {data, registry, commands["csv"]}
    # Only listened to.
    asks = {("stream", "_ingenium.app.ask"), ("stream", "_ingenium.app.ask.*")}
    # A service is used by whoever imports it: these are the ways into the account of money. Of the
    # reports, one subject tells the role of the sender, the others the component.
    assert crossing(accounts, "MONEY", "DATA") == asks | {
        ("service", "_ingenium.app.reports.ingestor"),
        ("service", "_ingenium.app.report.csv"),
        ("service", "ingenium.deadletter.csv"),
        ("service", "_ingenium.app.status.csv"),
    }
    assert crossing(accounts, "MONEY", "STRAT") == asks | {
        ("service", "_ingenium.app.reports.strategy"),
        ("service", "_ingenium.app.report.rsi"),
        ("service", "_ingenium.app.report.sma"),
        ("service", "ingenium.strategy.signal"),
        ("service", "ingenium.deadletter.rsi"),
        ("service", "ingenium.deadletter.sma"),
        ("service", "_ingenium.app.status.rsi"),
        ("service", "_ingenium.app.status.sma"),
    }
    assert crossing(accounts, "STRAT", "MONEY") == {registry, commands["rsi"], commands["sma"]}
    assert crossing(accounts, "READ", "MONEY") == {registry, commands["recorder"]}
    for pair in (("STRAT", "DATA"), ("READ", "STRAT"), ("READ", "DATA")):
        assert crossing(accounts, *pair) == set()
    for source in ("DATA", "STRAT", "MONEY"):
        kinds = crossing(accounts, source, "READ")
        services = {subject for kind, subject in kinds if kind == "service"}
        # The recorder asks for single messages of the streams by number, and for nothing else.
        assert services == (STREAMS_BY_NUMBER if source == "MONEY" else set())
        assert kinds - {("service", subject) for subject in services}


def test_no_data_or_strategy_role_may_name_a_subject_of_money() -> None:
    accounts = read(APP.configuration(passwords=PASSWORDS))
    money = [
        "ingenium.portfolio.order",
        "ingenium.portfolio.cancel",
        "ingenium.executor.execution",
        "ingenium.control.halt",
        "ingenium.deadletter.pf",
        "_ingenium.app.status.pf",
        "_ingenium.app.observed.pf",
    ]
    for account in ("DATA", "STRAT", "READ"):
        for user in accounts[account]["users"]:
            for subject in money:
                allowed = user["permissions"]["publish"]["allow"]
                assert not any(matches(pattern, subject) for pattern in allowed), subject


def test_every_role_has_a_user_of_its_own() -> None:
    accounts = read(APP.configuration(passwords=PASSWORDS))
    users = {user["user"]: user["password"] for each in accounts.values() for user in each["users"]}
    assert users == PASSWORDS


def test_every_component_has_a_user_that_speaks_in_its_own_name_only() -> None:
    accounts = read(APP.configuration(passwords=dict.fromkeys(APP.logins, "p")))
    users = {user["user"]: user for each in accounts.values() for user in each["users"]}
    own = {"ingestor.csv", "strategy.rsi", "strategy.sma", "portfolio.pf", "executor.ex"}
    assert set(users) == own | set(ROLES)
    assert APP.user("strategy", "rsi") == "strategy.rsi"
    assert APP.user("strategy", "unknown") == "strategy"
    rsi = users["strategy.rsi"]["permissions"]
    for subject in ("ingenium.deadletter.sma", "_ingenium.app.report.sma", "_ingenium.app.report"):
        assert not any(matches(pattern, subject) for pattern in rsi["publish"]["allow"]), subject
    assert {"ingenium.deadletter.rsi", "_ingenium.app.report.rsi"} < set(rsi["publish"]["allow"])
    assert "_INBOX.strategy-rsi.>" not in rsi["subscribe"]["deny"]
    assert {"_INBOX.strategy.>", "_INBOX.strategy-sma.>", "_INBOX.portfolio-pf.>"} < set(
        rsi["subscribe"]["deny"]
    )


def test_nobody_but_an_operator_may_send_a_command() -> None:
    accounts = read(APP.configuration(passwords=dict.fromkeys(APP.logins, "p")))
    for account in accounts.values():
        for user in account["users"]:
            allowed = user["permissions"]["publish"]["allow"]
            for name in ("csv", "rsi", "sma", "pf", "ex", "recorder"):
                subject = f"_ingenium.app.command.{name}.life_1.stop"
                may = any(matches(pattern, subject) for pattern in allowed)
                assert may is (user["user"] == "operator"), (user["user"], subject)


def test_program_may_report_where_all_do() -> None:
    accounts = Accounts("app", {"strategy": ["go"]}, programs=["go"])
    made = read(accounts.configuration(passwords=dict.fromkeys(accounts.logins, "p")))
    [go] = [user for user in made["STRAT"]["users"] if user["user"] == "strategy.go"]
    assert "_ingenium.app.report" in go["permissions"]["publish"]["allow"]


@pytest.mark.parametrize("account", ["DATA", "STRAT", "MONEY", "READ"])
def test_every_account_has_limits(account: str) -> None:
    made = read(APP.configuration(passwords=PASSWORDS))[account]
    assert 0 < made["limits"]["max_connections"] <= 128
    assert 0 < made["limits"]["max_subscriptions"] <= 10_000
    if "jetstream" in made:
        for what in ("max_streams", "max_consumers", "max_ack_pending"):
            assert made["jetstream"][what] > 0


def test_prefix_tells_two_sets_of_accounts_apart() -> None:
    paper = Accounts("app", prefix="paper")
    assert paper.user("strategy") == "paper-strategy"
    accounts = read(paper.configuration(passwords=PASSWORDS))
    assert list(accounts) == ["PAPER_DATA", "PAPER_STRAT", "PAPER_MONEY", "PAPER_READ"]
    assert accounts["PAPER_DATA"]["exports"][0]["accounts"] == [
        "PAPER_STRAT",
        "PAPER_MONEY",
        "PAPER_READ",
    ]


def test_keys_take_the_place_of_passwords() -> None:
    text = APP.configuration(nkeys={role: f"U{role}" for role in ROLES})
    assert "password" not in text
    assert read(text)["DATA"]["users"][0]["nkey"] == "Uingestor"


def test_data_subjects_of_ones_own_go_where_market_data_goes() -> None:
    accounts = read(
        Accounts("app", data_subjects=["acme.news.>"]).configuration(passwords=PASSWORDS)
    )
    for target in ("STRAT", "MONEY", "READ"):
        assert ("stream", "acme.news.>") in crossing(accounts, "DATA", target)


def test_what_cannot_be_used_is_refused() -> None:
    for subject in ("ingenium.portfolio.order", ">", "*.portfolio.order", "$JS.API.>", "_R_.>"):
        with pytest.raises(ConfigError, match="may cover orders"):
            Accounts("app", data_subjects=[subject])
    with pytest.raises(SubjectError, match="whitespace"):
        Accounts("app", data_subjects=["a b"])
    with pytest.raises(ConfigError, match="role 'trader' is unknown: use one of ingestor"):
        Accounts("app", {"trader": ["x"]})
    with pytest.raises(ConfigError, match="role 'trader' is unknown"):
        APP.user("trader")
    with pytest.raises(ConfigError, match="prefix 'A B' does not fit"):
        Accounts("app", prefix="A B")


@pytest.mark.parametrize("accounts", [APP, Accounts("app", data_subjects=["acme.>"], prefix="p")])
def test_server_takes_the_configuration(tmp_path: Path, accounts: Accounts) -> None:
    path = tmp_path / "server.conf"
    odd = dict.fromkeys(accounts.logins, 'a"b\\c$d #{}')
    path.write_text(
        f"jetstream: enabled\naccounts {{\n{accounts.configuration(passwords=odd)}}}\n", "utf-8"
    )
    done = subprocess.run(
        [find_binary(), "-t", "-c", path], capture_output=True, text=True, check=False
    )
    assert "is valid" in done.stderr, done.stderr
