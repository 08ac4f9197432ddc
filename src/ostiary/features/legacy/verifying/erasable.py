"""Verifying what soaks: whatever is erased in the end is in the archive as it is, and what is sealed opens.

The other system goes on writing what is its own: of its rows only those that will be deleted, and the secrets that will be
emptied, have to be as they were archived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.model import LegacyError
from ostiary.features.legacy.running.strays import as_root, strays
from ostiary.features.legacy.store import packed
from ostiary.features.legacy.switching.comparing import archived_owner
from ostiary.features.legacy.switching.contracting import loses_rows, secrets_of
from ostiary.features.legacy.verifying import observing_store
from ostiary.features.legacy.verifying.opening import VAULT
from ostiary.features.vault import SealedTokens
from ostiary.foundation.crypto import CannotOpen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ostiary.features.legacy.model import Aggregate
    from ostiary.features.legacy.verifying.observing_store import KnownRoot
    from ostiary.features.legacy.verifying.verification import Verification
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Key, Row, Snapshot

    Rows = dict[tuple[str, str], Row]

ERASABLE: Final = "what is to be erased"
_PORTION: Final = 500


class Erasable:
    """Compares what is to be erased with what is archived."""

    def __init__(self, work: Work, result: Verification) -> None:
        self._work = work
        self._result = result
        self._tables = {
            name: (shape.columns if loses_rows(work, name) else secrets_of(work, name))
            for name, shape in work.owners.shapes.items()
        }

    async def portions(self) -> AsyncIterator[int]:
        """Compare all there is, some owners at a time, and yield how many were looked at.

        Once erasing was begun there is nothing to compare any more.
        """
        work = self._work
        if work.migration.archive_until is not None or work.source.dialect == "files":
            return
        after: Key | None = None
        async with work.source.snapshot() as moment:
            while page := await work.owners.page(moment, after, _PORTION):
                await self._compare(page)
                after = page[-1].key
                yield len(page)
            async for portion in self._strays(moment):
                await self._compare(portion)
                yield 0

    async def check_vault(self, known: Sequence[KnownRoot]) -> None:
        """Open the tokens of the accounts that came along."""
        tools = self._work.tools
        owners = {
            UUID(hex=text): root.root_key for root in known for text in root.made.get("linked_accounts", ())
        }
        for row in await tools.database.fetch_all(
            observing_store.SEALED_ACCOUNTS, *packed(one.bytes for one in owners)
        ):
            self._result.check(VAULT).total += 1
            try:
                sealed = SealedTokens(row.access_token, row.refresh_token, row.id_token)
                await tools.vault.opened(tools.database, row.id, row.identity_id, sealed)
            except CannotOpen:
                self._result.differ(VAULT, "linked_accounts", owners[row.id], "a token does not open")

    async def _strays(self, moment: Snapshot) -> AsyncIterator[list[Aggregate]]:
        found: list[Aggregate] = []
        async for shape, row in strays(self._work.owners, moment):
            found.append(as_root(self._work.owners, shape, row))
            if len(found) == _PORTION:
                yield found
                found = []
        if found:
            yield found

    async def _compare(self, page: Sequence[Aggregate]) -> None:
        work = self._work
        archives = {
            row.root_key: row.archive
            for row in await work.tools.database.fetch_all(
                observing_store.ARCHIVES, work.migration.id, [one.text for one in page]
            )
        }
        for owner in page:
            archive = archives.get(owner.text)
            try:
                known = {} if archive is None else self._erased_of(archived_owner(work, owner.text, archive))
            except LegacyError:
                # Named already, as an archive that does not open.
                continue
            for (table, key), values in self._erased_of(owner).items():
                self._result.check(ERASABLE).total += 1
                if known.get((table, key)) != values:
                    self._result.differ(ERASABLE, table, key, "is not archived as it is over there")

    def _erased_of(self, owner: Aggregate) -> Rows:
        """Return what of an owner's rows will be gone: whole rows, or secrets there are."""
        found: Rows = {}
        for name, rows in owner.rows.items():
            columns = self._tables[name]
            for row in rows:
                values = {column: row.values[column] for column in columns}
                if any(value is not None for value in values.values()):
                    found[name, row.key] = values
        return found
