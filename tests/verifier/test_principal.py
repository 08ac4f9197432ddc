"""A principal says what the token said, in an application's words."""

from datetime import timedelta

import msgspec

from ostiary.verifier import Principal


def test_the_claims_have_the_names_of_the_api(claims):
    """The wire names are a contract with every resource server (RFC 9068 §2.2)."""
    assert set(msgspec.to_builtins(claims)) == {
        *("iss", "aud", "exp", "iat", "sub", "client_id", "ent", "eid", "sid", "epc", "jti"),
        *("auth_time", "amr", "roles", "scope"),
    }


def test_a_principal_holds_what_the_claims_say(alice, now):
    """Names are whole, lists are sets, times are aware."""
    assert (alice.identity_id, alice.entity_type, alice.entity_id) == ("idn_alice", "user", "usr_alice")
    assert (alice.session_id, alice.token_id, alice.client_id) == ("ses_phone", "token-1", "ostiary")
    assert (alice.epoch, alice.amr) == (3, ("pwd", "otp"))
    assert (alice.roles, alice.scope) == ({"editor", "reader"}, {"profile", "email"})
    assert (alice.issued_at, alice.expires_at) == (now, now + timedelta(minutes=15))
    assert alice.authenticated_at == now - timedelta(minutes=10)


def test_a_role_is_held_by_its_whole_name(alice):
    """A part of a role's name is not the role."""
    assert alice.has_role("editor")
    assert not alice.has_role("edit")


def test_a_permission_is_a_claim_of_its_own_and_absent_when_there_is_none(claims):
    """Resource servers of an older release read a token without the claim, and one with it (RFC 7519 §4.3)."""
    said = msgspec.structs.replace(claims, permissions=("reports:read", "reports:list"))
    principal = Principal.from_claims(said)

    assert "permissions" not in msgspec.to_builtins(claims)
    assert msgspec.to_builtins(said)["permissions"] == ("reports:read", "reports:list")
    assert principal.has("reports:read")
    assert not principal.has("reports")
    assert not Principal.from_claims(claims).has("reports:read")


def test_authentication_ages(alice, now):
    """Ten minutes after the password, it was entered within ten minutes, and not within less."""
    assert alice.authenticated_within(timedelta(minutes=10), now)
    assert not alice.authenticated_within(timedelta(minutes=10), now + timedelta(seconds=1))
