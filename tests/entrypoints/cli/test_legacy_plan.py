"""`ostiary legacy profiles`, `inspect` and `plan`: what they print, how they end, and what they never say."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.features.legacy.systems import build

from ostiary.features.legacy import packaged_profiles
from ostiary.features.legacy.rows.profile import parse_profile


@pytest.fixture
def here(monkeypatch, migrated_sqlite_url):
    """An installation to plan for."""
    monkeypatch.setenv("OSTIARY_DATABASE_URL", migrated_sqlite_url)


@pytest.fixture
def shop(tmp_path):
    """Write a system into a file, and return its address."""

    def write(size, *, name="auth-entity", damage=None):
        url = f"sqlite:///{tmp_path}/shop-{size}.db"
        system = build(name, size)
        asyncio.run(system.write(url))
        if damage is not None:
            asyncio.run(system.damage(url, system.damages("sqlite")[damage]))
        return url

    return write


def test_profiles_are_listed(run):
    """Every profile that comes along, and how it is read; no installation is needed."""
    listed = run("legacy", "profiles", "--json").json()
    table = run("legacy", "profiles")

    assert [one["name"] for one in listed] == packaged_profiles()
    assert all(name in table.out for name in packaged_profiles())
    assert "--file users=PATH --file hashes=PATH" in table.out


def test_inspect_says_which_profile_fits(run, shop):
    """The best one first, with what it leaves open."""
    source = shop("clean", damage=0)

    facts = run("legacy", "inspect", "--source", source, "--json").json()
    told = run("legacy", "inspect", "--source", source)

    assert facts["profiles"][0]["name"] == "auth-entity"
    assert facts["unmapped"] == ["user.legacy_pin"]
    assert "auth-entity says nothing of user.legacy_pin" in told.out
    assert told.code == 0


def test_inspect_drafts_a_profile(run, shop, tmp_path):
    """A draft goes into a new file, never over one that is there."""
    source = shop("clean")

    drafted = run("legacy", "inspect", "--source", source, "--draft", "draft.toml")
    again = run("legacy", "inspect", "--source", source, "--draft", "draft.toml")

    assert drafted.code == 0
    assert parse_profile((tmp_path / "draft.toml").read_text()).root == "user"
    assert again.code == 2
    assert "draft.toml is there already" in again.err


def test_a_clean_system_may_be_run(run, here, shop, tmp_path):
    """Nothing to decide ends with 0, and the folder holds a plan."""
    planned = run("legacy", "plan", "--source", shop("clean"), "--profile", "auth-entity", "--out", "plan")

    assert planned.code == 0
    assert "user         " in planned.out
    assert "mapped 40 + quarantine 0 + dropped by rule 0 = 40 ✓" in planned.out
    assert "exit 0" in planned.out
    assert {path.name for path in (tmp_path / "plan").iterdir()} == {"plan.json", "rows.ndjson"}
    assert "owners: 100% 40/40" in planned.err


def test_what_has_to_be_decided_ends_with_2(run, here, shop, tmp_path):
    """Blockers come with examples and with the option that decides them; with every decision taken the same plan ends with 0."""
    command = ("legacy", "plan", "--source", shop("dirty"), "--profile", "auth-entity", "--out", "plan")

    refused = run(*command)
    decided = run(*command, "--duplicates", "first", "--hash-scheme", "user.password=md5")

    assert refused.code == 2
    assert "BLOCK HASH_AMBIGUOUS" in refused.out
    assert "fix: --hash-scheme user.password=SCHEME" in refused.out
    assert "BLOCK IDENT_DUP" in refused.out
    assert "Refused: 4 kinds of findings have to be decided first." in refused.out
    assert decided.code == 0
    assert "BLOCK" not in decided.out
    assert "quar  IDENT_DUP" in decided.out
    assert len((tmp_path / "plan" / "rows.ndjson").read_text().splitlines()) > 10


def test_json_is_all_there_is(run, here, shop):
    """One document on the standard output, and nothing beside it."""
    planned = run(
        "legacy", "plan", "--source", shop("dirty"), "--profile", "auth-entity", "--out", "plan", "--json"
    )

    facts = json.loads(planned.out)
    assert planned.err == ""
    assert planned.code == facts["exit_code"] == 2
    assert facts["blockers"] == 4
    assert sum(facts["totals"]["user"].values()) == facts["report"]["rows"]["user"]
    assert facts["totals"]["user"]["quarantined"] == 6


def test_what_is_printed_tells_no_value(run, here, shop):
    """Neither addresses nor hashes nor tokens nor names."""
    told = run("legacy", "plan", "--source", shop("dirty"), "--profile", "auth-entity", "--out", "plan")

    assert not any(secret in told.out + told.err for secret in ("@example", "$2b$", "+447", "Lovelace"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "auth-entity"), "--source or OSTIARY_LEGACY_SOURCE"),
        (("--profile", "nobody-knows", "--source", "sqlite:///shop.db"), "no profile of this name"),
        (("--profile", "firebase-export", "--file", "people=people.json"), "--file users=PATH"),
        (("--profile", "auth-entity", "--file", "users=users.json"), "of a database"),
        (("--profile", "auth-entity", "--source", "mysql://root:hunter2@db/shop"), "not one we know"),
    ],
)
def test_what_cannot_be_read_ends_with_2(run, here, arguments, said):
    """Each is refused with what to do instead, and never with the address, which may hold a password."""
    refused = run("legacy", "plan", *arguments, "--out", "plan")

    assert refused.code == 2
    assert said in refused.err
    assert "hunter2" not in refused.out + refused.err


def test_an_address_with_a_password_stays_out_of_the_arguments(run, here, shop, monkeypatch):
    """The environment names the source as well."""
    monkeypatch.setenv("OSTIARY_LEGACY_SOURCE", shop("clean"))

    planned = run("legacy", "plan", "--profile", "auth-entity", "--out", "plan", "--json")

    assert planned.code == 0


def test_help_has_examples(run):
    """Whoever asks is shown what to write."""
    told = run("legacy", "plan", "--help").out

    assert "--profile auth-entity --out plan/" in " ".join(told.split())
