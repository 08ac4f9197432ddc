"""For whom passkeys are made, and whose pages may use them, as the settings have it."""

from __future__ import annotations

import pytest

from ostiary.features.passkeys import RelyingParty
from ostiary.services.proofs import relying_party
from ostiary.settings import InvalidSettings, Settings, load


@pytest.fixture
def settings(tmp_path):
    """Settings of an installation at a domain."""
    return lambda **wanted: Settings(
        data=tmp_path, public_url="https://auth.example.org:443/auth", _env_file=None, **wanted
    )


def test_it_is_the_public_url_unless_said_otherwise(settings):
    """Its host, and its origin as browsers write it, beside the origins that may call anyway."""
    found = relying_party(settings(allowed_origins=["https://app.example.org"]))

    assert found == RelyingParty("auth.example.org", ("https://auth.example.org", "https://app.example.org"))


def test_what_is_listed_is_all(settings):
    """A parent domain and pages of one's own replace what would be."""
    wanted = {"rp_id": "example.org", "origins": ["https://www.example.org"]}
    found = relying_party(settings(passkeys=wanted, allowed_origins=["https://app.example.org"]))

    assert (found.id, found.origins) == ("example.org", ("https://www.example.org",))


def test_the_rules_are_strict_unless_said_otherwise(settings):
    """User verification is demanded and copies are refused; each can be let go."""
    strict = relying_party(settings())
    lenient = relying_party(settings(passkeys={"user_verification": "preferred", "on_clone": "record"}))

    assert (strict.requires_user_verification, strict.refuses_clones) == (True, True)
    assert (lenient.requires_user_verification, lenient.refuses_clones) == (False, False)


@pytest.mark.parametrize(
    "rp_id", ["https://example.org", "example.org:443", "Example.org", "", "example..org"]
)
def test_a_domain_is_written_as_one(rp_id):
    """No scheme, no port, no capitals; the start says so."""
    with pytest.raises(InvalidSettings, match="OSTIARY_PASSKEYS__RP_ID"):
        load(passkeys={"rp_id": rp_id}, _env_file=None)
