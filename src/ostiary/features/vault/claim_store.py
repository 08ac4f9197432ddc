"""All SQL about reading and refreshing the tokens of linked accounts: what is kept, and who may replace it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.vault.claim_model import ClaimedRow, KeptToken
from ostiary.foundation.storage import Query

# What was linked by signing in is in use while a session that began with it lives; expiry ends one, too. $2 now.
_IN_USE: Final = """
    (account.linked_by = 'intent'
     OR EXISTS (SELECT 1 FROM ostiary.sessions AS session
                 WHERE session.linked_account_id = account.id AND session.ended_at IS NULL
                   AND session.expires_at > $2 AND session.idle_expires_at > $2))
"""

KEPT = Query(
    f"""
    SELECT account.id, account.identity_id, account.provider, account.scope, account.token_type,
           account.access_token, account.access_token_expires_at,
           account.refresh_token IS NOT NULL AS has_refresh_token, account.refresh_token_expires_at,
           account.needs_reconnection, account.refresh_not_before,
           COALESCE(account.last_token_refresh_at, account.created_at) AS issued_at,
           identity.status = 'active' AND identity.deleted_at IS NULL AND {_IN_USE} AS is_in_use
      FROM ostiary.linked_accounts AS account
      JOIN ostiary.identities AS identity ON identity.id = account.identity_id
     WHERE account.id = $1
    """,
    into=KeptToken,
)

# One of all that want it wins; the next may when this claim ends. What is unknown since an earlier claim that was never
# settled stays unknown since then. $1 the account, $2 now, $3 the claim, $4 its end, $5 until when the access token must
# end for it to be replaced: whoever comes after another's success finds nothing to do.
CLAIM = Query(
    """
    UPDATE ostiary.linked_accounts
       SET refresh_claim = $3, refresh_claimed_until = $4, refresh_begun_at = COALESCE(refresh_begun_at, $2)
     WHERE id = $1 AND refresh_token IS NOT NULL AND NOT needs_reconnection
       AND (access_token IS NULL OR access_token_expires_at <= $5)
       AND (refresh_claimed_until IS NULL OR refresh_claimed_until <= $2)
       AND (refresh_not_before IS NULL OR refresh_not_before <= $2)
    RETURNING identity_id, provider, provider_account_id, refresh_token, refresh_begun_at, refresh_failures
    """,
    into=ClaimedRow,
)

# Whether somebody else is at it. $2 now.
IS_CLAIMED = Query(
    """
    SELECT id FROM ostiary.linked_accounts WHERE id = $1 AND refresh_claimed_until > $2 AND NOT needs_reconnection
    """,
    into=UUID,
)

# The answer to the refresh token that is kept, whoever holds the claim by now: nobody has replaced it since. Whose the
# account is may have changed meanwhile. $2 since when this refresh was under way, $3 now.
SETTLE = Query(
    """
    UPDATE ostiary.linked_accounts
       SET refresh_claim = NULL, refresh_claimed_until = NULL, refresh_begun_at = NULL, refresh_failures = 0,
           refresh_not_before = NULL, last_token_refresh_at = $3
     WHERE id = $1 AND refresh_begun_at = $2 AND refresh_token IS NOT NULL
    RETURNING identity_id
    """,
    into=UUID,
)

# Since when it is unknown what became of the refresh token stays: perhaps the provider did answer. $2 the claim, $3 when
# to try again.
PUT_OFF: Query[Any] = Query(
    """
    UPDATE ostiary.linked_accounts
       SET refresh_claim = NULL, refresh_claimed_until = NULL, refresh_failures = refresh_failures + 1,
           refresh_not_before = $3
     WHERE id = $1 AND refresh_claim = $2
    """
)

# $2 the claim, $3 whose account it was when it was claimed, $4 now.
END_GRANT: Query[Any] = Query(
    """
    UPDATE ostiary.linked_accounts
       SET needs_reconnection = true, refresh_claim = NULL, refresh_claimed_until = NULL, refresh_begun_at = NULL,
           refresh_failures = 0, refresh_not_before = NULL, updated_at = $4
     WHERE id = $1 AND refresh_claim = $2 AND identity_id = $3 AND NOT needs_reconnection
    """
)

# Nothing is handed out that was taken away in between. $2 whose it is, $3 now.
USED: Query[Any] = Query(
    """
    UPDATE ostiary.linked_accounts SET last_used_at = $3
     WHERE id = $1 AND identity_id = $2 AND access_token IS NOT NULL AND NOT needs_reconnection
    """
)
