"""All SQL about what an identity can sign in with."""

from __future__ import annotations

from typing import Final

from ostiary.features.accounts_elsewhere.model import WaysIn
from ostiary.foundation.storage import Query

_WAYS: Final = """
    SELECT identity.password_hash IS NOT NULL AS by_password,
           EXISTS (SELECT 1 FROM ostiary.passkeys WHERE identity_id = identity.id) AS by_passkey,
           identity.email_verified_at IS NOT NULL OR identity.phone_verified_at IS NOT NULL AS by_message,
           {providers} AS providers
      FROM ostiary.identities AS identity WHERE identity.id = $1
    """
_LINKED: Final = "FROM ostiary.linked_accounts AS account WHERE account.identity_id = identity.id"

WAYS_IN = Query(
    postgresql=_WAYS.format(
        providers=f"(SELECT coalesce(jsonb_agg(account.provider), '[]'::jsonb) {_LINKED})"
    ),
    sqlite=_WAYS.format(providers=f"(SELECT json_group_array(account.provider) {_LINKED})"),
    into=WaysIn,
)
