"""What owners were refused as somebody else has it, told from what is kept of it and from who has what here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.legacy.rows.claims import claims_of, holders_here
from ostiary.features.legacy.verifying.observing_store import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from ostiary.features.legacy.model import Aggregate, Derived
    from ostiary.features.legacy.rows.deriving import Deriving
    from ostiary.features.legacy.rows.fields import Shared
    from ostiary.foundation.storage import Database


class Refusals:
    """What the owners of one migration were refused."""

    def __init__(self, database: Database, deriving: Deriving, migration_id: UUID) -> None:
        self._database = database
        self._deriving = deriving
        self._migration_id = migration_id

    async def find(self, page: Sequence[Aggregate], shared: Shared) -> dict[str, tuple[set[bytes], Derived]]:
        """Return what each owner lost to others, and what they would be if nobody else had it; most lost nothing."""
        stored: dict[str, set[bytes]] = {}
        for row in await self._database.fetch_all(CLAIMS, self._migration_id, [one.text for one in page]):
            stored.setdefault(row.root_key, set()).add(row.claim)
        alone = {one.text: self._deriving.derive(one, shared) for one in page if one.text in stored}
        held = await holders_here(self._database, self._deriving, alone.values()) if alone else []
        for key, derived in alone.items():
            # Two rows of one owner may claim the same: the second is refused it, but the owner has it.
            among_themselves = {finding.claim for finding in derived.findings}
            elsewhere = {claim for claim, (_, holder) in held if holder != key}
            stored[key] = (
                stored[key] - among_themselves | elsewhere & claims_of(self._deriving, derived).keys()
            )
        return {key: (stored[key], derived) for key, derived in alone.items()}
