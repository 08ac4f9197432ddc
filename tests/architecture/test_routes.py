"""The route table: every route is guarded, and those that are not are few and known."""

from __future__ import annotations

import pytest

from ostiary import Ostiary
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.routes import Guard

PUBLIC = {
    "POST /v1/account-deletion/cancel",
    "GET /v1/erasures/{id}",
    "POST /v1/register",
    "POST /v1/register/confirm",
    "POST /v1/address-change/undo",
    "POST /v1/bootstrap",
    "POST /v1/login",
    "GET /v1/providers",
    "GET /v1/providers/{name}/start",
    "GET /v1/providers/{name}/callback",
    "POST /v1/providers/{name}/callback",
    "POST /v1/providers/{name}/nonce",
    "POST /v1/providers/{name}/token",
    "POST /v1/providers/{name}/backchannel-logout",
    "POST /v1/providers/{name}/register",
    "POST /v1/providers/{name}/register/confirm",
    "POST /v1/providers/{name}/register/resend",
    "POST /v1/providers/{name}/login",
    "POST /v1/login/factor",
    "POST /v1/login/factor/send",
    "POST /v1/login/enrol",
    "POST /v1/login/factor/passkey",
    "POST /v1/login/passkey/options",
    "POST /v1/login/passkey",
    "POST /v1/login/factor/lost",
    "POST /v1/factor-reset/cancel",
    "POST /v1/login/link",
    "POST /v1/login/link/confirm",
    "POST /v1/login/code",
    "POST /v1/login/code/confirm",
    "POST /v1/legacy/exchange",
    "POST /v1/password/forgot",
    "POST /v1/password/reset",
    "POST /v1/refresh",
    "GET /.well-known/jwks.json",
    "GET /.well-known/oauth-authorization-server",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}
KNOWS_CALLERS = {"POST /v1/verification/email/confirm", "POST /v1/invitations/accept"}
SIGNED_IN = {
    "POST /v1/verification/email",
    "POST /v1/verification/phone",
    "POST /v1/verification/phone/confirm",
    "POST /v1/me/email",
    "POST /v1/me/phone",
    "POST /v1/admin/identities/{id}/approve",
    "POST /v1/admin/identities/{id}/reject",
    "POST /v1/admin/invitations",
    "GET /v1/admin/invitations",
    "DELETE /v1/admin/invitations/{id}",
    "POST /v1/logout",
    "POST /v1/logout-all",
    "GET /v1/me",
    "PATCH /v1/me",
    "DELETE /v1/me",
    "GET /v1/me/export",
    "GET /v1/me/accounts",
    "POST /v1/me/accounts/{provider}/link",
    "DELETE /v1/me/accounts/{id}",
    "POST /v1/me/merge-proof",
    "POST /v1/me/merge",
    "GET /v1/me/sessions",
    "DELETE /v1/me/sessions/{id}",
    "GET /v1/me/login-history",
    "GET /v1/me/audit",
    "GET /v1/me/devices",
    "DELETE /v1/me/devices/{id}",
    "POST /v1/me/password",
    "POST /v1/me/reauthenticate",
    "POST /v1/me/reauthenticate/send",
    "POST /v1/me/reauthenticate/passkey",
    "POST /v1/me/passkeys/options",
    "POST /v1/me/passkeys",
    "GET /v1/me/passkeys",
    "PATCH /v1/me/passkeys/{id}",
    "DELETE /v1/me/passkeys/{id}",
    "GET /v1/me/factors",
    "POST /v1/me/factors/totp",
    "POST /v1/me/factors/totp/{id}/confirm",
    "DELETE /v1/me/factors/{id}",
    "PUT /v1/me/factors/email",
    "DELETE /v1/me/factors/email",
    "PUT /v1/me/factors/sms",
    "DELETE /v1/me/factors/sms",
    "POST /v1/me/recovery-codes",
    "GET /v1/admin/factor-resets",
    "POST /v1/admin/factor-resets/{id}/approve",
    "POST /v1/admin/factor-resets/{id}/reject",
    "POST /v1/token/introspect",
    "POST /v1/token/revoke",
    "POST /v1/onboarding",
    "GET /v1/onboarding",
    "PUT /v1/onboarding/steps/{step}",
    "POST /v1/onboarding/complete",
    "GET /v1/admin/onboarding",
    "POST /v1/admin/webhook-endpoints",
    "GET /v1/admin/webhook-endpoints",
    "PATCH /v1/admin/webhook-endpoints/{id}",
    "DELETE /v1/admin/webhook-endpoints/{id}",
    "POST /v1/admin/webhook-endpoints/{id}/rotate",
    "POST /v1/admin/webhook-endpoints/{id}/test",
    "GET /v1/admin/outbox",
    "POST /v1/admin/outbox/{id}/retry",
    "GET /v1/admin/stats",
}
ADMINISTRATION = {
    "GET /v1/admin/identities",
    "POST /v1/admin/identities",
    "GET /v1/admin/identities/{id}",
    "GET /v1/admin/identities/{id}/login-history",
    "GET /v1/admin/identities/{id}/roles",
    "GET /v1/admin/identities/{id}/sessions",
    "POST /v1/admin/identities/{id}/suspend",
    "POST /v1/admin/identities/{id}/reactivate",
    "POST /v1/admin/identities/{id}/unlock",
    "POST /v1/admin/identities/{id}/require-password-change",
    "POST /v1/admin/identities/{id}/end-sessions",
    "POST /v1/admin/identities/{id}/send-password-link",
    "GET /v1/admin/roles",
    "GET /v1/admin/roles/{name}",
    "PUT /v1/admin/roles/{name}",
    "DELETE /v1/admin/roles/{name}",
    "PUT /v1/admin/roles/{name}/permissions/{permission}",
    "DELETE /v1/admin/roles/{name}/permissions/{permission}",
    "GET /v1/admin/role-grants",
    "POST /v1/admin/role-grants",
    "DELETE /v1/admin/role-grants/{id}/{role}",
    "GET /v1/admin/sessions",
    "DELETE /v1/admin/sessions/{id}",
    "GET /v1/admin/revocations",
    "POST /v1/admin/revocations",
    "GET /v1/admin/audit",
    "GET /v1/admin/service-credentials",
    "POST /v1/admin/service-credentials",
    "DELETE /v1/admin/service-credentials/{id}",
    "GET /v1/admin/keys",
    "POST /v1/admin/keys/rotate",
    "POST /v1/admin/keys/{kid}/retire",
    "GET /v1/admin/maintenance",
    "POST /v1/admin/maintenance/{task}/run",
}
FOR_SERVICES = {"GET /v1/revocations", "GET /v1/vault/accounts", "POST /v1/vault/{account_id}/token"}
RECENT = {
    "POST /v1/me/accounts/{provider}/link",
    "DELETE /v1/me/accounts/{id}",
    "POST /v1/me/merge-proof",
    "POST /v1/me/merge",
    "POST /v1/me/factors/totp",
    "POST /v1/me/factors/totp/{id}/confirm",
    "DELETE /v1/me/factors/{id}",
    "PUT /v1/me/factors/email",
    "DELETE /v1/me/factors/email",
    "PUT /v1/me/factors/sms",
    "DELETE /v1/me/factors/sms",
    "POST /v1/me/recovery-codes",
    "GET /v1/admin/factor-resets",
    "POST /v1/admin/factor-resets/{id}/approve",
    "POST /v1/admin/factor-resets/{id}/reject",
    "POST /v1/me/email",
    "POST /v1/me/phone",
    "POST /v1/admin/identities/{id}/approve",
    "POST /v1/admin/identities/{id}/reject",
    "POST /v1/admin/invitations",
    "GET /v1/admin/invitations",
    "DELETE /v1/admin/invitations/{id}",
    "GET /v1/admin/onboarding",
    "POST /v1/admin/webhook-endpoints",
    "GET /v1/admin/webhook-endpoints",
    "PATCH /v1/admin/webhook-endpoints/{id}",
    "DELETE /v1/admin/webhook-endpoints/{id}",
    "POST /v1/admin/webhook-endpoints/{id}/rotate",
    "POST /v1/admin/webhook-endpoints/{id}/test",
    "GET /v1/admin/outbox",
    "POST /v1/admin/outbox/{id}/retry",
    "GET /v1/admin/stats",
    "POST /v1/logout-all",
    "DELETE /v1/me",
    "GET /v1/me/export",
    "DELETE /v1/me/sessions/{id}",
    "POST /v1/me/passkeys/options",
    "POST /v1/me/passkeys",
    "PATCH /v1/me/passkeys/{id}",
    "DELETE /v1/me/passkeys/{id}",
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    document = Ostiary(data=tmp_path_factory.mktemp("data"))
    return {f"{route.method} {route.path}": route for route in document.routes()}


def test_the_contract_is_all_there_and_nothing_else_is_public(routes):
    """Exactly the routes of the contract exist, and exactly these need no token (ADM-01)."""
    public = {name for name, route in routes.items() if route.guard.is_public}
    knows_callers = {name for name, route in routes.items() if route.guard.knows_callers}
    signed_in = {name for name, route in routes.items() if route.guard.identified}

    assert public == PUBLIC | KNOWS_CALLERS
    assert knows_callers == KNOWS_CALLERS
    assert signed_in == SIGNED_IN | ADMINISTRATION
    assert set(routes) - public - signed_in == FOR_SERVICES


def test_every_route_declares_its_guard(routes):
    """A route without a guard cannot be made, and none is here."""
    assert all(isinstance(route.guard, Guard) for route in routes.values())


def test_ses_07_what_ends_sessions_or_accounts_needs_recent_proof(routes):
    """These ask for authentication within the last minutes."""
    assert {name for name, route in routes.items() if route.guard.recent} == RECENT | ADMINISTRATION


def test_adm_01_operators_have_one_guard(routes):
    """Whatever is below /v1/admin asks for the same: the kind, the role, two factors, a moment ago."""
    guards = {route.guard for name, route in routes.items() if "/v1/admin/" in name}

    assert guards == {OPERATORS}


def test_every_route_says_what_it_does(routes):
    """Summary and tag are there for the reference, and a GET has no body."""
    assert all(route.summary and route.tag for route in routes.values())
    assert not any(route.body for route in routes.values() if route.method == "GET")
