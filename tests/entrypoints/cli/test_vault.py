"""`ostiary vault`, on both databases."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import pytest

from ostiary import Ostiary
from ostiary.features.audit import Origin
from ostiary.features.registration import NewAccount
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

FIRST, SECOND = (f"{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
LINKED = 5
OWNER = Query("SELECT id FROM ostiary.identities", into=UUID)


@pytest.fixture
def root_keys(monkeypatch, configured):
    """Set the root keys."""

    def choose(*keys):
        monkeypatch.setenv("OSTIARY_ROOT_KEYS", ",".join(keys))

    choose(FIRST)
    return choose


def done(work):
    """Do something in an installation of the settings at hand."""

    async def alone():
        async with Ostiary(run_worker=False) as auth:
            return await work(auth)

    return asyncio.run(alone())


async def link(auth):
    now = auth.clock.now()
    account = NewAccount("user", "ada@example.org", None, Secret(PASSWORD))
    identity_id = (await auth.services.registration.register(account, origin=Origin(), now=now)).identity_id
    async with auth.services.database.transaction() as tx:
        for number in range(LINKED):
            auth.services.vault.link(
                tx,
                identity_id=identity_id,
                entity_type="user",
                provider="example",
                provider_account_id=str(number),
                profile={},
                linked_by=LinkedBy.INTENT,
                tokens=UpstreamTokens(access_token=Secret(f"canary-{number}")),
                now=now,
            )
    return identity_id


async def readable(auth):
    """Return how many tokens can be read."""
    database, vault = auth.services.database, auth.services.vault
    accounts = await vault.list(await database.fetch_one(OWNER))
    return len([await vault.tokens(database, account.id) for account in accounts])


def test_vlt_02_the_root_key_is_rotated_and_the_old_one_may_go(run, root_keys):
    """Add a newer key, rotate, remove the older: each step says what is next."""
    done(link)
    root_keys(SECOND, FIRST)
    before = run("vault", "status").out
    rotated = run("vault", "rotate-kek", "--json").json()
    again = run("vault", "rotate-kek")
    after = run("vault", "status").out
    root_keys(SECOND)

    assert "needed: run `ostiary vault rotate-kek`" in before
    assert rotated == {"root_key": 2, "rewrapped": 2, "may_be_removed": [1]}
    assert "Root keys that may be removed: 1." in again.out
    assert "may be removed" in after
    assert run("doctor", "--json").code == 0
    assert done(readable) == LINKED


def test_vlt_02_a_root_key_that_is_needed_is_not_removed(run, root_keys):
    """The start and the doctor refuse, name the version, and say what to do; put back, everything is there."""
    done(link)
    root_keys(SECOND)
    refused, ill = run("vault", "status"), run("doctor", "--json")
    root_keys(SECOND, FIRST)

    assert refused.code == ill.code == 1
    assert "version 1" in refused.err
    assert "ostiary vault rotate-kek" in refused.err
    (finding,) = [one for one in ill.json() if not one["ok"]]
    assert finding["what"] == "root keys"
    assert "version 1" in finding["detail"]
    assert done(readable) == LINKED


def test_everything_is_sealed_under_a_new_key(run, root_keys):
    """One run makes a key, moves every record, and retires the key before it."""
    done(link)
    first = run("vault", "reencrypt")
    second = run("vault", "reencrypt", "--json").json()
    status = run("vault", "status", "--json").json()

    assert (first.code, "5 records were sealed under key_" in first.out) == (0, True)
    assert "Retired" in first.out
    assert (second["records"], second["left"], second["resumed"], len(second["retired"])) == (5, 0, False, 1)
    in_vault = [key for key in status["data_keys"] if key["purpose"] == "vault"]
    assert [(key["records"], key["retired_at"] is None, key["is_current"]) for key in in_vault] == [
        (0, False, False),
        (0, False, False),
        (5, True, True),
    ]
    assert done(readable) == LINKED


def test_vlt_03_no_command_shows_a_key_or_a_token(run, root_keys):
    """Neither in tables, nor in JSON, nor among the figures."""
    done(link)
    shown = [
        run(*arguments)
        for arguments in (
            ("vault", "status"),
            ("vault", "status", "--json"),
            ("vault", "reencrypt"),
            ("vault", "rotate-kek", "--json"),
            ("stats", "--json"),
            ("stats",),
            ("doctor",),
            ("audit", "list"),
            ("audit", "export"),
        )
    ]

    said = "".join(one.out + one.err for one in shown)
    assert all(one.code == 0 for one in shown)
    assert "canary" not in said
    assert FIRST.partition(":")[2] not in said


def test_stats_count_accounts_at_providers(run, root_keys):
    """How many are linked, and how many have tokens."""
    done(link)

    assert run("stats", "--json").json()["vault"] == {
        "linked": 5,
        "sealed": 5,
        "needing_reconnection": 0,
    }
    assert "Accounts at providers: 5" in run("stats").out


def test_another_root_key_of_the_same_number_is_said(run, root_keys):
    """Whoever brought the wrong key is told that, and not that everything was forged."""
    done(link)
    root_keys("1:" + base64.b64encode(b"x" * 32).decode())
    refused = run("vault", "status")

    assert refused.code == 1
    assert "version 1" in refused.err
    assert "not the one" in refused.err
