"""Records as rows of our tables, many at a time; they come in past the rules that making an account today follows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.challenges import TOKEN_KIND, Format
from ostiary.features.legacy import store
from ostiary.features.legacy_bearers import Form, digest_of_stored
from ostiary.features.profiles import PROFILE_TYPES
from ostiary.features.vault import LinkedBy, OpenTokens
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.legacy.model import (
        Derived,
        MadeAccount,
        MadeChallenge,
        MadeIdentity,
        MadeLogin,
        MadePasskey,
        MadeSession,
        MadeTotp,
    )
    from ostiary.features.mfa import SecondFactors
    from ostiary.features.vault import Vault
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Parameter, Transaction

    Rows = list[Sequence[Parameter]]
    Made = MadeIdentity | MadeAccount | MadeSession | MadeChallenge | MadeTotp | MadePasskey | MadeLogin

SECRETS: Final = "secrets"
"""Beside the ids of what was made: by identity, keyed digests of the tokens and passkeys that only one may have."""
PROFILE_TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {kind.entity_type: kind.table for kind in PROFILE_TYPES}
)
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "identities": (
            *("id", "entity_type", "entity_id", "email", "email_normalized", "email_verified_at", "phone"),
            *("phone_verified_at", "password_hash", "password_scheme", "shadow_scheme", "status"),
            *("must_change_password", "failed_login_attempts", "locked_until", "last_login_at", "locale"),
            *("token_epoch", "created_at", "updated_at", "deleted_at"),
        ),
        **dict.fromkeys(
            PROFILE_TABLES.values(),
            (
                *("id", "identity_id", "display_name", "given_name", "family_name", "locale", "avatar_url"),
                *("metadata", "created_at", "updated_at", "deleted_at"),
            ),
        ),
        "role_grants": ("identity_id", "role_id", "granted_by", "granted_at"),
        "linked_accounts": (
            *("id", "identity_id", "entity_type", "provider", "provider_account_id", "access_token"),
            *("refresh_token", "id_token", "data_key_id", "access_token_expires_at"),
            *("refresh_token_expires_at", "scope", "token_type", "profile", "linked_by", "created_at"),
            "updated_at",
        ),
        "sessions": (
            *("id", "identity_id", "linked_account_id", "provider_session_id", "ip_address", "user_agent"),
            *("device_label", "amr", "authenticated_at", "metadata", "created_at", "updated_at"),
            *("last_used_at", "idle_expires_at", "expires_at"),
        ),
        "challenges": (
            *("id", "identity_id", "entity_type", "purpose", "destination", "format", "secret_digest"),
            *("attempts", "max_attempts", "created_at", "expires_at"),
        ),
        "legacy_bearers": ("digest", "identity_id", "session_id", "challenge_id", "expires_at"),
        "totp_factors": ("id", "identity_id", "secret_sealed", "label", "created_at", "confirmed_at"),
        "passkeys": (
            *("id", "identity_id", "credential_id", "public_key", "sign_count", "aaguid", "transports"),
            *("backup_eligible", "backed_up", "label", "created_at"),
        ),
        "login_history": (
            *("id", "identity_id", "session_id", "occurred_at", "provider", "method", "success"),
            *("ip_address", "user_agent", "session_ended_at"),
        ),
        "legacy_identities": ("identity_id", "migration_id", "root_key", "is_adopted"),
        "legacy_roots": ("migration_id", "root_key", "version", "digest", "archive", "made", "counts"),
        "legacy_findings": (
            *("migration_id", "source_table", "source_key", "reason", "root_key", "severity"),
            *("column_name", "claim", "found_at"),
        ),
    }
)
METHOD: Final = "legacy_session"


class Loading:
    """Writes records. Tokens are sealed on the way, and what was handed out over there becomes a digest."""

    def __init__(
        self, entropy: Entropy, *, vault: Vault, second_factors: SecondFactors, bearer_key: bytes
    ) -> None:
        self._entropy = entropy
        self._vault = vault
        self._second_factors = second_factors
        self._bearer_key = bearer_key

    def bearer_digest(self, form: str, token: str) -> bytes:
        """Return what a token is known by here."""
        return digest_of_stored(self._bearer_key, token, Form(form))

    def add(
        self,
        rows: dict[str, Rows],
        derived: Derived,
        *,
        there: Collection[UUID],
        role_ids: Mapping[str, UUID],
    ) -> None:
        """Add the rows of everything an owner becomes, by table; what is `there` already is left out."""
        for identity in derived.identities:
            if identity.id not in there:
                self._add_identity(rows, identity)
        first = derived.identities[0] if derived.identities else None
        if first is not None and derived.roles:
            rows.setdefault("role_grants", []).extend(
                (identity_id, role_ids[name], store.GRANTED_BY, first.created_at)
                for identity_id, name in derived.roles
            )
        if derived.accounts:
            rows.setdefault("linked_accounts", []).extend(map(self._account, derived.accounts))
        for session in derived.sessions:
            if session.id not in there:
                self._add_session(rows, session)
        for challenge in derived.challenges:
            if challenge.id not in there:
                self._add_challenge(rows, challenge)
        self._add_factors(rows, derived)

    def _add_identity(self, rows: dict[str, Rows], made: MadeIdentity) -> None:
        rows.setdefault("identities", []).append(
            (
                *(made.id, made.entity_type, made.entity_id, made.email, made.email_normalized),
                *(made.email_verified_at, made.phone, made.phone_verified_at, made.password_hash),
                *(made.password_scheme, made.password_scheme, made.status, False),
                *(made.failed_login_attempts, made.locked_until, made.last_login_at, made.locale, 0),
                *(made.created_at, made.updated_at, made.deleted_at),
            )
        )
        profile, table = made.profile, PROFILE_TABLES.get(made.entity_type)
        if profile is None or table is None:
            return
        rows.setdefault(table, []).append(
            (
                *(made.id, made.id, profile["display_name"], profile["given_name"], profile["family_name"]),
                *(profile["locale"], profile["avatar_url"], {}, made.created_at, made.updated_at),
                made.deleted_at,
            )
        )

    def _account(self, made: MadeAccount) -> Sequence[Parameter]:
        tokens = OpenTokens(_secret(made.access_token), _secret(made.refresh_token), _secret(made.id_token))
        key_id, sealed = self._vault.sealed(made.id, made.identity_id, tokens)
        return (
            *(made.id, made.identity_id, made.entity_type, made.provider, made.provider_account_id),
            *(*sealed, key_id, made.access_token_expires_at, made.refresh_token_expires_at),
            *(made.scope, made.token_type, made.profile, LinkedBy.SIGN_IN.value, made.created_at),
            made.updated_at,
        )

    def _add_session(self, rows: dict[str, Rows], made: MadeSession) -> None:
        rows.setdefault("sessions", []).append(
            (
                *(made.id, made.identity_id, made.linked_account_id, made.provider_session_id),
                *(made.ip_address, made.user_agent, made.device_label, [], made.created_at, {}),
                *(made.created_at, made.created_at, made.last_used_at, made.expires_at, made.expires_at),
            )
        )
        for form, token in made.tokens:
            digest = self.bearer_digest(form, token)
            rows.setdefault("legacy_bearers", []).append(
                (digest, made.identity_id, made.id, None, made.expires_at)
            )

    def _add_challenge(self, rows: dict[str, Rows], made: MadeChallenge) -> None:
        # A secret that nobody has: whoever shows the old token is given another.
        secret = BearerSecret.new(TOKEN_KIND, made.id, self._entropy)
        rows.setdefault("challenges", []).append(
            (
                *(made.id, made.identity_id, "", made.purpose, made.destination, Format.LINK.value),
                *(secret.digest, 0, 1, made.created_at, made.expires_at),
            )
        )
        form, token = made.token
        digest = self.bearer_digest(form, token)
        rows.setdefault("legacy_bearers", []).append(
            (digest, made.identity_id, None, made.id, made.expires_at)
        )

    def _add_factors(self, rows: dict[str, Rows], derived: Derived) -> None:
        if derived.totps:
            rows.setdefault("totp_factors", []).extend(
                (
                    *(made.id, made.identity_id, self._second_factors.sealed(made.id, made.secret)),
                    *(made.label, made.created_at, made.confirmed_at),
                )
                for made in derived.totps
            )
        if derived.passkeys:
            rows.setdefault("passkeys", []).extend(
                (
                    *(made.id, made.identity_id, made.credential_id, made.public_key, made.sign_count),
                    *(made.aaguid, made.transports, made.backup_eligible, made.backed_up, made.label),
                    made.created_at,
                )
                for made in derived.passkeys
            )
        if derived.logins:
            rows.setdefault("login_history", []).extend(
                (
                    *(made.id, made.identity_id, made.session_id, made.occurred_at, made.provider),
                    *(METHOD, True, made.ip_address, made.user_agent, made.ended_at),
                )
                for made in derived.logins
            )


def ids_of(made: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the ids of what was made of an owner, as they are kept beside their rows."""
    return {table: ids for table, ids in made.items() if table != SECRETS}


async def load(tx: Transaction, rows: Mapping[str, Rows]) -> None:
    """Write rows, those that others point at first."""
    for table, columns in _COLUMNS.items():
        if rows.get(table):
            await tx.load(table, columns, rows[table])


async def role_ids(
    tx: Transaction, names: set[str], known: dict[str, UUID], *, entropy: Entropy, now: datetime
) -> Mapping[str, UUID]:
    """Return the ids of roles, made where there is none of a name; `known` remembers them once they are there for good."""
    found = {
        name: await tx.fetch_one(store.ROLE_ID, new_id(now, entropy), name)
        for name in sorted(names - known.keys())
    }
    made = {name: role_id for name, role_id in found.items() if role_id is not None}
    if made:
        tx.on_commit(lambda: known.update(made))
    return known | made


def made_ids(derived: Derived) -> dict[str, Any]:
    """Return the ids of what an owner becomes, as they are kept beside their rows."""
    made: tuple[tuple[str, Sequence[Made]], ...] = (
        ("identities", derived.identities),
        ("linked_accounts", derived.accounts),
        ("sessions", derived.sessions),
        ("challenges", derived.challenges),
        ("totp_factors", derived.totps),
        ("passkeys", derived.passkeys),
        ("login_history", derived.logins),
    )
    return {table: [one.id.hex for one in records] for table, records in made if records}


def _secret(written: str | None) -> Secret | None:
    return None if written is None else Secret(written)
