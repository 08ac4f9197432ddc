"""What there should be of an owner and what there is, in one form: typed, with lengths, null and the empty text apart.

Whatever expires while nobody looks is left out once it has: it may be gone, and does nothing.
"""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.challenges import Format
from ostiary.features.legacy.running.loading import METHOD, PROFILE_TABLES, ids_of, made_ids
from ostiary.features.legacy.verifying import observing_store as rows
from ostiary.features.legacy_bearers import Form, digest_of_stored
from ostiary.features.vault import LinkedBy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ostiary.features.legacy.model import Aggregate, Derived, MadeIdentity

Record = tuple[Any, ...]
Content = dict[str, list[Record]]
"""By table, what of an owner is there: tuples that begin with what names them."""

_HASHED_HERE: Final = ("hashed here", None, None)
_EXPIRING: Final[Mapping[str, int]] = MappingProxyType({"sessions": 11, "challenges": 6, "legacy_bearers": 4})
"""Where in a record it says until when it is good."""
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: tuple(one.name for one in fields(row))
        for name, row in {
            "identities": rows.IdentityRow,
            **dict.fromkeys(rows.PROFILES, rows.ProfileRow),
            "role_grants": rows.GrantRow,
            "linked_accounts": rows.AccountRow,
            "sessions": rows.SessionRow,
            "challenges": rows.ChallengeRow,
            "legacy_bearers": rows.BearerRow,
            "totp_factors": rows.TotpRow,
            "passkeys": rows.PasskeyRow,
            "login_history": rows.LoginRow,
            "legacy_identities": rows.MapRow,
        }.items()
    }
    | {"legacy_roots": ("root_key", "digest", "made", "counts")}
)
_NAMED_BY: Final[Mapping[str, int]] = MappingProxyType({"role_grants": 2})
"""How many columns name a record, if not the first alone."""
_PASSWORD: Final = _COLUMNS["identities"].index("password_hash")


def encoded(content: Content) -> bytes:
    """Write a content: the same content is the same bytes, and no other is."""
    return msgspec.msgpack.encode(
        [[table, _in_order(table, content[table])] for table in sorted(content) if content[table]],
        order="deterministic",
    )


def of_root(key: str, digest: bytes | None, made: Mapping[str, Any], counts: Mapping[str, Any]) -> Record:
    """Return what is kept about an owner."""
    ids = {table: sorted(given) for table, given in ids_of(made).items() if given}
    return key, digest, ids, {table: list(numbers) for table, numbers in counts.items()}


def expected(
    aggregate: Aggregate, derived: Derived, digest: bytes, *, bearer_key: bytes, now: datetime
) -> Content:
    """Return what there has to be of an owner."""
    counts = {name: [one.mapped, one.quarantined, one.dropped] for name, one in derived.counts.items()}
    content: Content = {
        "legacy_roots": [of_root(aggregate.text, digest, made_ids(derived), counts)],
        "identities": [_identity(made) for made in derived.identities],
        "legacy_identities": [(made.id, aggregate.text) for made in derived.identities],
        "role_grants": [(identity_id, name, None) for identity_id, name in derived.roles],
        "linked_accounts": _accounts(derived),
        "sessions": _sessions(derived),
        "challenges": _challenges(derived),
        "legacy_bearers": list(_bearers(derived, bearer_key)),
        "totp_factors": [
            (one.id, one.identity_id, one.label, one.created_at, one.confirmed_at) for one in derived.totps
        ],
        "passkeys": _passkeys(derived),
        "login_history": _logins(derived),
    }
    for made in derived.identities:
        table = PROFILE_TABLES.get(made.entity_type)
        if made.profile is not None and table is not None:
            values = [made.profile[name] for name in _COLUMNS[table][1:]]
            content.setdefault(table, []).append((made.id, *values))
    return live(content, now)


def live(content: Content, now: datetime) -> Content:
    """Leave out what has expired."""
    for table, place in _EXPIRING.items():
        if content.get(table):
            content[table] = [record for record in content[table] if record[place] > now]
    return content


def as_hashed_here(record: Record) -> Record:
    """Return an identity whose password lay open over there as if its hash could be foretold: it has a salt of its own."""
    if str(record[_PASSWORD + 1]).startswith("argon2id"):
        return (*record[:_PASSWORD], *_HASHED_HERE, *record[_PASSWORD + 3 :])
    return record


def differences(there: Content, here: Content) -> Iterator[tuple[str, str]]:
    """Name what differs, by table: columns, never values."""
    for table in sorted(there.keys() | here.keys()):
        named = _NAMED_BY.get(table, 1)
        wanted = {record[:named]: record for record in there.get(table, ())}
        found = {record[:named]: record for record in here.get(table, ())}
        what = {
            "is missing": len(wanted.keys() - found.keys()),
            "is too many": len(found.keys() - wanted.keys()),
        }
        yield from ((table, f"{number} {text}") for text, number in what.items() if number)
        changed = {
            column
            for key in wanted.keys() & found.keys()
            for column, one, other in zip(_COLUMNS[table], wanted[key], found[key], strict=True)
            if one != other
        }
        yield from ((table, f"{column} is another") for column in sorted(changed))


def _in_order(table: str, records: list[Record]) -> list[Record]:
    if len(records) == 1:
        return records
    named = _NAMED_BY.get(table, 1)
    return sorted(records, key=lambda record: record[:named])


def _identity(made: MadeIdentity) -> Record:
    password = (made.password_hash, made.password_scheme, made.password_scheme)
    return (
        *(made.id, made.entity_type, made.entity_id, made.email, made.email_normalized),
        *(made.email_verified_at, made.phone, made.phone_verified_at),
        *(password if made.open_password is None else _HASHED_HERE),
        *(made.status, made.failed_login_attempts, made.locked_until, made.last_login_at, made.locale),
        *(made.created_at, made.updated_at, made.deleted_at),
    )


def _accounts(derived: Derived) -> list[Record]:
    return [
        (
            *(one.id, one.identity_id, one.entity_type, one.provider, one.provider_account_id),
            *(one.access_token is not None, one.refresh_token is not None, one.id_token is not None),
            *(one.access_token_expires_at, one.refresh_token_expires_at, one.scope, one.token_type),
            *(one.profile, LinkedBy.SIGN_IN.value, one.created_at, one.updated_at),
        )
        for one in derived.accounts
    ]


def _sessions(derived: Derived) -> list[Record]:
    return [
        (
            *(one.id, one.identity_id, one.linked_account_id, one.provider_session_id, one.ip_address),
            *(one.user_agent, one.device_label, one.created_at, one.created_at, one.last_used_at),
            *(one.expires_at, one.expires_at, None),
        )
        for one in derived.sessions
    ]


def _challenges(derived: Derived) -> list[Record]:
    return [
        (
            *(one.id, one.identity_id, one.purpose, one.destination, Format.LINK.value, one.created_at),
            *(one.expires_at, None),
        )
        for one in derived.challenges
    ]


def _bearers(derived: Derived, key: bytes) -> Iterator[Record]:
    for session in derived.sessions:
        for form, token in session.tokens:
            digest = digest_of_stored(key, token, Form(form))
            yield digest, session.identity_id, session.id, None, session.expires_at
    for challenge in derived.challenges:
        form, token = challenge.token
        digest = digest_of_stored(key, token, Form(form))
        yield digest, challenge.identity_id, None, challenge.id, challenge.expires_at


def _passkeys(derived: Derived) -> list[Record]:
    return [
        (
            *(one.id, one.identity_id, one.credential_id, one.public_key, one.sign_count, one.aaguid),
            *(one.transports, one.backup_eligible, one.backed_up, one.label, one.created_at),
        )
        for one in derived.passkeys
    ]


def _logins(derived: Derived) -> list[Record]:
    return [
        (
            *(one.id, one.identity_id, one.session_id, one.occurred_at, one.provider, METHOD, True),
            *(one.ip_address, one.user_agent, one.ended_at),
        )
        for one in derived.logins
    ]
