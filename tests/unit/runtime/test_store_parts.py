"""Parts of a component's file: its secret, a seal that cannot be read, and its version."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ingenium.errors import StoreDamagedError, StoreError
from ingenium.runtime.durable import Store, secret
from ingenium.runtime.durable.checksum import checksum


@pytest.mark.parametrize("has_accounts", [True, False])
async def test_secret_is_made_once_and_only_where_others_are_on_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_accounts: bool
) -> None:
    async def answer(bus: object) -> bool:
        return has_accounts

    monkeypatch.setattr(secret, "has_accounts", answer)
    bus: Any = None
    found = []
    for _ in range(2):
        store = Store.open(tmp_path / "a.db", owner="me")
        found.append(await secret.id_secret(bus, store))
        assert store.meta(secret.META_KEY) == (found[0] if has_accounts else "")
        store.close()
    assert found[0] == found[1]
    # Sixteen random bytes in hexadecimal.
    assert len(found[0]) == (32 if has_accounts else 0)
    other = Store.open(tmp_path / "b.db", owner="me")
    assert (await secret.id_secret(bus, other) == found[0]) is not has_accounts
    other.close()


@pytest.mark.parametrize("sums", ["{", '{"tables": 7}', ""])
def test_seal_that_cannot_be_read_is_damage_whatever_its_checksum(
    tmp_path: Path, sums: str
) -> None:
    path = tmp_path / "a.db"
    Store.open(path, owner="me").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE seal SET sums = ?, checksum = ?", (sums, checksum(sums)))
    connection.close()
    with pytest.raises(StoreDamagedError):
        Store.open(path, owner="me")


@pytest.mark.parametrize("version", [7, 99])
def test_file_of_another_version_is_left_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.db"
    Store.open(path, owner="me").close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"is of version {version}, and this is a program of"):
        Store.open(path, owner="me")
    assert path.read_bytes() == before
