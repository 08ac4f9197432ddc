"""All SQL about who is known of those that arrive."""

from __future__ import annotations

from typing import Final

from ostiary.features.federation.model import Known
from ostiary.foundation.storage import Query

# $1 the provider, $2 the account's key there, $3 the kind of account here, $4 the proven address or null. At most one row
# is linked and at most one has the address; they are locked in the order of their ids, as everybody locks identities.
_KNOWN: Final = """
    SELECT account.id AS account_id, account.profile, identity.email_verified_at, identity.deleted_at,
           identity.id, identity.entity_type, identity.entity_id, identity.status, identity.token_epoch,
           identity.must_change_password, identity.email, identity.phone, identity.locale, identity.password_hash,
           identity.password_scheme, identity.shadow_scheme, identity.shadow_hash
      FROM ostiary.identities AS identity
      LEFT JOIN ostiary.linked_accounts AS account
             ON account.identity_id = identity.id AND account.provider = $1 AND account.provider_account_id = $2
            AND account.entity_type = $3
     WHERE identity.id = (
               SELECT linked.identity_id FROM ostiary.linked_accounts AS linked
                WHERE linked.provider = $1 AND linked.provider_account_id = $2 AND linked.entity_type = $3)
        OR (identity.entity_type = $3 AND identity.email_normalized = $4 AND identity.deleted_at IS NULL)
     ORDER BY identity.id
    """

KNOWN = Query(_KNOWN, into=Known)
LOCK_KNOWN = Query(postgresql=f"{_KNOWN} FOR UPDATE OF identity", sqlite=_KNOWN, into=Known)
