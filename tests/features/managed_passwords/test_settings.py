"""The settings of providers that keep passwords: what is missing is said at the start, and what is set is used."""

from __future__ import annotations

import pytest

from ostiary.features.managed_passwords import Cognito, Firebase, Keycloak
from ostiary.foundation.outbound import Outbound
from ostiary.services.managed_passwords import managed_passwords_of, own_refreshes_of
from ostiary.settings import InvalidSettings, load

COGNITO = {
    "client_id": "c",
    "issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A",
    "managed": True,
}
FIREBASE = {"client_id": "acme", "managed": True, "api_key": "a-key-that-is-not-told"}
KEYCLOAK = {"client_id": "c", "issuer": "https://login.example.org/realms/acme", "managed": True}


@pytest.mark.parametrize(
    ("providers", "passwords", "said"),
    [
        ({"google": {"client_id": "c", "managed": True}}, {}, "MANAGED: only Cognito, Firebase and Keycloak"),
        ({"firebase": {"client_id": "acme", "managed": True}}, {}, "API_KEY: Firebase is asked with"),
        ({"cognito": COGNITO | {"api_key": "k"}}, {}, "API_KEY: only Firebase has one"),
        ({"keycloak": KEYCLOAK | {"issuer": "https://login.example.org"}}, {}, "the realm's address"),
        ({"cognito": COGNITO | {"managed_endpoint": "moto"}}, {}, "MANAGED_ENDPOINT: write a whole URL"),
        ({}, {"managed_by": "cognito"}, "PASSWORDS__MANAGED_BY: name a provider"),
        ({"cognito": COGNITO | {"managed": False}}, {"managed_by": "cognito"}, "whose MANAGED is on"),
        ({"cognito": COGNITO}, {"migrate_from_managed": True}, "MIGRATE_FROM_MANAGED: say from whom"),
    ],
)
def test_what_does_not_fit_is_said_at_the_start(providers, passwords, said):
    """One sentence names the setting and what to do."""
    with pytest.raises(InvalidSettings) as invalid:
        load(providers=providers, passwords=passwords)

    assert said in invalid.value.problems[0]


def test_each_kind_is_asked_in_its_own_way():
    """A provider that is managed and turned on is there, under its name; the others are not."""
    settings = load(
        providers={
            "cognito": COGNITO,
            "firebase": FIREBASE,
            "staff": KEYCLOAK | {"kind": "keycloak"},
            "old": COGNITO | {"kind": "cognito", "enabled": False},
            "other": KEYCLOAK | {"kind": "keycloak", "managed": False},
        }
    )
    managed = managed_passwords_of(settings.providers, outbound=Outbound())

    kinds = {name: type(provider) for name, provider in managed._providers.items()}
    assert kinds == {"cognito": Cognito, "firebase": Firebase, "staff": Keycloak}
    assert managed.for_provider("cognito")._url == "https://cognito-idp.eu-west-1.amazonaws.com/"
    assert "a-key-that-is-not-told" not in repr(settings)


def test_fed_08_only_who_is_turned_on_and_has_no_token_endpoint_refreshes_by_a_call_of_its_own():
    """Firebase needs its key for it, and no password; a token endpoint that is set comes first."""
    native = FIREBASE | {"kind": "firebase", "managed": False}
    at_its_domain = {"token_endpoint": "https://acme.example.org/oauth2/token"}
    settings = load(
        providers={
            "cognito": COGNITO,
            "firebase": FIREBASE,
            "native": native,
            "keyless": native | {"api_key": None},
            "pool": COGNITO | {"kind": "cognito", "managed": False},
            "rotating": COGNITO | {"kind": "cognito"} | at_its_domain,
            "old": COGNITO | {"kind": "cognito", "enabled": False},
            "staff": KEYCLOAK | {"kind": "keycloak"},
        }
    )

    found = own_refreshes_of(settings.providers, outbound=Outbound())

    assert found.keys() == {"cognito", "firebase", "native"}
