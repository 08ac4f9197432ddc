"""One migration at work: its source, its keys, and everything that is built for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from ostiary.features.identities import Identities
from ostiary.features.legacy.model import ExitCode, LegacyError
from ostiary.features.legacy.planning.plan import Plan, fingerprint
from ostiary.features.legacy.rows.aggregates import Owners
from ostiary.features.legacy.rows.deriving import Deriving
from ostiary.features.legacy.running.applying import Applying
from ostiary.features.legacy.running.loading import Loading
from ostiary.features.mfa import SecondFactors
from ostiary.features.passwords import Passwords
from ostiary.features.sessions import Sessions
from ostiary.features.vault import Vault
from ostiary.foundation.clock import Clock
from ostiary.foundation.crypto import CannotOpen, Keyring, associated_data, derive_key, unseal
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.storage import Database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ostiary.features.legacy.model import Migration
    from ostiary.foundation.foreign import Source, Table


@dataclass(frozen=True)
class Tools:
    """What every migration needs of the installation."""

    database: Database
    clock: Clock
    entropy: Entropy
    keys: Keyring
    identities: Identities
    vault: Vault
    second_factors: SecondFactors
    passwords: Passwords
    sessions: Sessions
    bearer_key: bytes
    session_lifetime: timedelta


class Work:
    """A migration that is under way, with its source open."""

    def __init__(
        self,
        tools: Tools,
        migration: Migration,
        plan: Plan,
        source: Source,
        tables: Mapping[str, Table],
    ) -> None:
        self.tools = tools
        self.migration = migration
        self.plan = plan
        self.source = source
        self.tables = tables
        key = key_of(tools.keys, migration.id)
        self.owners = Owners(plan.profile, tables, key=derive_key(key, "keys of rows"))
        self.deriving = Deriving(
            plan.profile,
            plan.decisions,
            key=derive_key(key, "deriving"),
            now=migration.started_at,
            readability=tools.passwords.readability,
            session_lifetime=tools.session_lifetime,
        )
        self._archive_key = derive_key(key, "archive")
        self.digest_key = derive_key(key, "digests")
        self.applying = Applying(
            migration.id,
            self.deriving,
            self.owners,
            Loading(
                tools.entropy,
                vault=tools.vault,
                second_factors=tools.second_factors,
                bearer_key=tools.bearer_key,
            ),
            tools.entropy,
            passwords=tools.passwords,
            digest_key=self.digest_key,
            archive_key=self._archive_key,
        )

    @classmethod
    async def on(cls, tools: Tools, migration: Migration, source: Source) -> Work:
        """Take up a migration with its source, which is open. Raises `LegacyError` when the source has changed its shape."""
        plan = msgspec.convert(migration.plan, Plan)
        tables = await source.tables()
        if fingerprint(plan.profile, tables) != plan.fingerprint:
            raise LegacyError(
                "The tables over there are not those that were planned for: look what changed, and plan again.",
                ExitCode.DRIFT,
            )
        return cls(tools, migration, plan, source, tables)

    def opened(self, root_key: str, archive: bytes) -> bytes:
        """Open the archived rows of an owner. Raises `LegacyError`."""
        place = associated_data("legacy_roots", "archive", self.migration.id, root_key)
        try:
            return unseal(self._archive_key, archive, place)
        except CannotOpen:
            raise LegacyError(
                "An archived row does not open with the keys at hand: is this the installation it was made with?",
                ExitCode.FAILED,
            ) from None


def key_of(keys: Keyring, migration_id: UUID) -> bytes:
    """Return a migration's own key, of 32 bytes, that everything of it is derived from."""
    return keys.derive(f"legacy migration {migration_id}")
