"""Providers in the settings: read by name, refused in plain words."""

from __future__ import annotations

import pytest

from ostiary.features.upstream import OnKnownAddress, ProviderRules
from ostiary.services.providers import providers_of
from ostiary.settings import InvalidSettings, load, unknown_variables

ACME = {"client_id": "us", "issuer": "https://login.example.org"}
APPLE = {"client_id": "us", "team_id": "T", "key_id": "K", "private_key": "PEM"}
TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def _clean_place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_a_provider_comes_from_the_environment(monkeypatch):
    """An underscore in its name is a hyphen, lists are separated by commas, and secrets stay hidden."""
    for name, value in {
        "MY_IDP__CLIENT_ID": "us",
        "MY_IDP__CLIENT_SECRET": "canary",
        "MY_IDP__ISSUER": "https://login.example.org",
        "MY_IDP__SCOPES": "openid email, groups",
        "MY_IDP__ALLOWED_DOMAINS": "Example.org, example.net",
        "MY_IDP__ROLES": "staff:support,admins:team:admin",
        "MY_IDP__ON_KNOWN_ADDRESS": "link",
        "GOOGLE__CLIENT_ID": "us",
        "GITHUB__CLIENT_ID": "us",
        "GITHUB__ENABLED": "false",
    }.items():
        monkeypatch.setenv(f"OSTIARY_PROVIDERS__{name}", value)
    settings = load()
    providers = providers_of(settings.providers)
    mine = providers.get("my-idp")

    assert sorted(provider.name for provider in providers) == ["google", "my-idp"]
    assert mine.scopes == ("openid", "email", "groups")
    assert mine.rules.allowed_domains == {"example.org", "example.net"}
    assert mine.rules.roles == {"staff": "support", "admins": "team:admin"}
    assert mine.rules.on_known_address is OnKnownAddress.LINK
    assert providers.get("google").issuer == "https://accounts.google.com"
    assert providers.get("google").label == "Google"
    assert unknown_variables() == []
    assert "canary" not in repr(settings) + repr(mine)


def test_a_provider_comes_from_a_file_and_from_code(tmp_path):
    """`.env` and arguments are read alike."""
    (tmp_path / ".env").write_text(
        "OSTIARY_PROVIDERS__ACME__CLIENT_ID=us\nOSTIARY_PROVIDERS__ACME__ISSUER=https://login.example.org\n"
    )

    assert load().providers["acme"].issuer == "https://login.example.org"
    assert load(providers={"other": ACME}).providers["other"].client_id == "us"


@pytest.mark.parametrize(
    ("name", "section", "problem"),
    [
        ("acme", {"issuer": "https://a.example"}, "ACME__CLIENT_ID: say who"),
        ("acme", {"client_id": "us"}, "ACME__ISSUER: give"),
        ("keycloak", {"client_id": "us"}, "KEYCLOAK__ISSUER: give"),
        ("github", {"client_id": "us", "issuer": "https://a.example"}, "GITHUB__ISSUER: this kind"),
        ("acme", {"client_id": "us", "kind": "oauth2"}, "ACME: oauth2 needs"),
        ("acme", ACME | {"issuer": "login.example.org"}, "ACME__ISSUER: write a whole URL"),
        ("acme", ACME | {"issuer": "https://a.example?x=1"}, "ACME__ISSUER: write a whole URL"),
        ("acme", ACME | {"jwks_uri": "ftp://a.example"}, "ACME__JWKS_URI: write a whole URL"),
        ("acme", ACME | {"tenant": TENANT}, "ACME__TENANT: only Microsoft"),
        ("microsoft", {"client_id": "us", "tenant": "contoso.com"}, "MICROSOFT__TENANT: write the id"),
        ("apple", {"client_id": "us"}, "APPLE: Apple needs"),
        ("apple", APPLE | {"client_secret": "x"}, "APPLE__CLIENT_SECRET: Apple's is made"),
        ("acme", ACME | {"key_id": "K"}, "ACME: TEAM_ID, KEY_ID"),
        ("acme", ACME | {"algorithms": "RS256,none"}, "ACME__ALGORITHMS: choose among"),
        ("acme", ACME | {"algorithms": "HS256"}, "ACME__ALGORITHMS: choose among"),
        ("acme", ACME | {"roles": "staff"}, "ACME__ROLES: write each as theirs:ours"),
        ("acme", ACME | {"kind": "myspace"}, "ACME__KIND: "),
        ("acme", ACME | {"misspelt": "x"}, "ACME__MISSPELT: "),
        ("acme", ACME | {"emulator": True}, "ACME__EMULATOR: only Firebase"),
        ("a--b", ACME, "A--B: a provider's name"),
        ("a/b", ACME, "A/B: a provider's name"),
        ("a" * 41, ACME, "a provider's name"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_by_name(name, section, problem):
    """Each refusal names the variable and says what would do."""
    with pytest.raises(InvalidSettings) as refused:
        load(providers={name: section})

    assert problem in str(refused.value)


@pytest.mark.parametrize("role", ["ostiary:operator", "ostiary:anything"])
def test_fed_09_no_provider_grants_a_role_of_ostiarys_own(role):
    """Neither by the settings nor by rules that are made in code."""
    with pytest.raises(InvalidSettings, match="ACME__ROLES: no provider gives a role"):
        load(providers={"acme": ACME | {"roles": f"admins:{role}"}})
    with pytest.raises(ValueError, match="No provider grants"):
        ProviderRules(roles={"admins": role})


def test_a_key_of_apples_that_is_none_is_refused_at_the_start():
    """Not when the first person comes back."""
    with pytest.raises(InvalidSettings, match="APPLE__PRIVATE_KEY: "):
        providers_of(load(providers={"apple": APPLE}).providers)


def test_fed_07_production_reaches_providers_over_https():
    """Whoever could listen in between would be anybody; one that is turned off is nobody's danger."""
    plain = ACME | {"issuer": "http://login.example.org"}

    assert any(
        "OSTIARY_PROVIDERS" in danger for danger in load(env="production", providers={"a": plain}).dangers()
    )
    for section in (ACME, plain | {"enabled": False}):
        dangers = load(env="production", providers={"a": section}).dangers()
        assert not any("OSTIARY_PROVIDERS" in danger for danger in dangers)


def test_jwt_01_production_knows_no_emulator():
    """Not even one that is turned off: turning it on is one word."""
    section = {"client_id": "demo", "emulator": True, "enabled": False}
    dangers = load(env="production", providers={"firebase": section}).dangers()

    assert any("emulator" in danger for danger in dangers)


@pytest.mark.parametrize(
    ("tenant", "issuer", "metadata"),
    [
        ("common", "{tenantid}", "common"),
        ("organizations", "{tenantid}", "organizations"),
        ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        (TENANT, TENANT, TENANT),
    ],
)
def test_fed_06_microsofts_issuer_is_a_template_only_for_many_tenants(tenant, issuer, metadata):
    """One tenant is compared letter for letter."""
    provider = providers_of(
        load(providers={"microsoft": {"client_id": "us", "tenant": tenant}}).providers
    ).get("microsoft")

    assert provider.issuer == f"https://login.microsoftonline.com/{issuer}/v2.0"
    assert provider.metadata_url == (
        f"https://login.microsoftonline.com/{metadata}/v2.0/.well-known/openid-configuration"
    )
    assert (provider.tenant_claim is None) == (issuer != "{tenantid}")


def test_domains_restrict_who_comes_in():
    """Everybody without them; with them nobody whose address is not proven, and in no domain below one either."""
    rules = ProviderRules(allowed_domains=frozenset({"example.org"}))

    assert ProviderRules().admits(None)
    assert rules.admits("a@Example.org")
    assert [rules.admits(email) for email in (None, "a@evil.example", "a@sub.example.org")] == [False] * 3
