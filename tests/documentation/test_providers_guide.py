"""The guide to providers says what the settings take."""

from __future__ import annotations

import re

import pytest
from tests.documentation.test_documentation import GUIDES

from ostiary.features.upstream import PRESETS
from ostiary.services.providers import providers_of
from ostiary.settings import ProviderSettings, load

GUIDE = (GUIDES / "providers.md").read_text(encoding="utf-8")
KINDS = GUIDE[GUIDE.index("| kind |") :].partition("\n\n")[0]
ROWS = {row[0]: row[1] for row in re.findall(r"^\| `([a-z0-9]+)` \| (.*?) \|", KINDS, re.MULTILINE)}
VALUES = {
    "TENANT": "common",
    "ISSUER": "https://login.example.org",
    "SCOPES": "read",
    **{f"{name}_ENDPOINT": "https://login.example.org/x" for name in ("AUTHORIZATION", "TOKEN", "USERINFO")},
}
FIELDS = {name.upper() for name in ProviderSettings.model_fields}


@pytest.fixture(autouse=True)
def _clean_place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_every_kind_has_its_row():
    """And there is no row of any other."""
    assert set(ROWS) == set(PRESETS)


@pytest.mark.parametrize("kind", sorted(set(PRESETS) - {"apple"}))
def test_what_a_row_says_to_set_is_enough(kind):
    """A provider with these settings and no others is one that can be used; Apple's needs a real key."""
    named = re.findall(r"`([A-Z_]+)`", ROWS[kind])
    section = {name.lower(): VALUES.get(name, "x") for name in named}
    providers = providers_of(load(providers={kind: section}).providers)

    assert [provider.name for provider in providers] == [kind]


def test_every_setting_the_guide_names_is_one():
    """In the table, in the text and in the examples."""
    named = set(re.findall(r"OSTIARY_PROVIDERS__[A-Z]+__([A-Z_]+)", GUIDE))
    named |= set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)[`=]", GUIDE)) - {"RS256", "ES256", "JWT"}

    assert {name for name in named if not name.startswith("OSTIARY_")} <= FIELDS


def test_the_example_of_the_guide_is_read(monkeypatch):
    """As it stands."""
    for name, value in re.findall(r"^(OSTIARY_PROVIDERS__STAFF__\w+)=(.*)$", GUIDE, re.MULTILINE):
        monkeypatch.setenv(name, value)
    (staff,) = providers_of(load().providers)

    assert staff.issuer == "https://login.example.org/realms/staff"
    assert staff.rules.roles == {"support-team": "support", "finance": "billing"}
    assert staff.authoritative_domains == {"example.org"}
