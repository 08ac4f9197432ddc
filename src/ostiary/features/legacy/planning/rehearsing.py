"""The rehearsal: every owner is read and derived as a run would, and nothing is made of it but numbers and findings."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.features.legacy.model import Finding
from ostiary.features.legacy.planning.census import Census, held_back
from ostiary.features.legacy.planning.contests import Contest, Index, Keys
from ostiary.features.legacy.planning.twins import Twins
from ostiary.features.legacy.rows.aggregates import Owners, encode_rows, key_text, parse_key
from ostiary.features.legacy.rows.claims import claims_with_secrets, holders_here
from ostiary.features.legacy.rows.collecting import collected_less_often
from ostiary.features.legacy.rows.deriving import Deriving
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.legacy.running.strays import strays
from ostiary.features.passwords import PasswordHash, Readability

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from ostiary.features.legacy.model import Aggregate, Decisions, Derived
    from ostiary.features.legacy.rows.fields import Shared
    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.features.legacy.work import Tools
    from ostiary.foundation.foreign import Key, Snapshot, Table

    Tell = Callable[[str, int, int], None]

_PAGE: Final = 1000
_SAMPLED: Final = 50
"""Of so many owners, the archive of one is measured."""
PART: Final = ".part"


class Rehearsal:
    """One rehearsal, in one moment of a source. `key` is of 32 bytes, and good for this one only."""

    def __init__(
        self,
        tools: Tools,
        profile: Profile,
        decisions: Decisions,
        tables: Mapping[str, Table],
        census: Census,
        *,
        key: bytes,
        now: datetime,
        tell: Tell,
    ) -> None:
        self.owners = Owners(profile, tables, key=key)
        self.census = census
        self.seconds = 0.0
        self.sampled: list[int] = []
        self._tools = tools
        self._tell = tell
        self._unusable: list[tuple[str, Readability]] = []
        self._deriving = Deriving(
            profile,
            decisions,
            key=key,
            now=now,
            readability=self._readability,
            session_lifetime=tools.session_lifetime,
        )
        self._twins = Twins(profile, tables, key)
        self._claims = Index()
        self._keys = Keys()
        self._contested: set[int] = set()
        self._changed: dict[str, bytes] = {}

    async def rehearse(self, moment: Snapshot, rows: Path, *, total: int) -> bool:
        """Look at every owner and every stray, write findings into `rows`, and say whether every key named one row only."""
        began = perf_counter()
        shared = await self.owners.shared(moment)
        part = rows.with_name(rows.name + PART)
        try:
            with part.open("wb") as lines:
                with collected_less_often():
                    await self._read_all(moment, shared, lines.write, total)
                self.seconds = perf_counter() - began
                await self._read_strays(moment, lines.write)
            await self._settle(moment, shared)
            self._write_rows(part, rows)
        finally:
            part.unlink(missing_ok=True)
        twins = self._twins.found()
        for found, number in twins:
            self.census.add_discrepancy(found, number)
        return not twins

    async def _read_all(
        self, moment: Snapshot, shared: Shared, write: Callable[[bytes], int], total: int
    ) -> None:
        after: Key | None = None
        while page := await self.owners.page(moment, after, _PAGE):
            after = page[-1].key
            first = self._keys.add([aggregate.text for aggregate in page])
            found = [self._look_at(aggregate, shared, first + n, write) for n, aggregate in enumerate(page)]
            await self._look_who_is_here(found, first)
            self._tell("owners", len(self._keys), total)

    def _look_at(
        self, aggregate: Aggregate, shared: Shared, number: int, write: Callable[[bytes], int]
    ) -> Derived:
        derived = self._count(aggregate, shared)
        for claim in claims_with_secrets(self._deriving, derived):
            self._claims.add(claim, number)
        for finding in held_back(derived.findings):
            write(self._line(finding, aggregate.text))
        self._twins.look_at(aggregate)
        if number % _SAMPLED == 0:
            self.sampled.append(len(encode_rows(aggregate, self.owners.shapes)))
        return derived

    async def _look_who_is_here(self, found: Sequence[Derived], first: int) -> None:
        """Whoever claims what somebody has here who was born here is contested as well."""
        taken = await self.taken(found)
        if taken:
            self._contested |= {
                first + n
                for n, derived in enumerate(found)
                if taken & claims_with_secrets(self._deriving, derived).keys()
            }

    async def taken(self, found: Sequence[Derived]) -> set[bytes]:
        """Return which of their claims somebody has who was born here."""
        holders = await holders_here(self._tools.database, self._deriving, found)
        return {claim for claim, (_, root_key) in holders if root_key is None}

    async def _read_strays(self, moment: Snapshot, write: Callable[[bytes], int]) -> None:
        done = 0
        async for shape, row in strays(self.owners, moment):
            key = key_text(tuple(row[name] for name in shape.key))
            finding = Finding(
                Reason.OWNER_MISSING, shape.name, key, shape.owner.column if shape.owner else None
            )
            self.census.add_stray(finding)
            write(self._line(finding, None))
            done += 1
            if done % _PAGE == 0:
                self._tell("strays", done, 0)

    async def _settle(self, moment: Snapshot, shared: Shared) -> None:
        """Decide who keeps what several claim."""
        self._claims.sort()
        contested = self._contested | self._claims.shared()
        if contested:
            self._tell("duplicates", 0, len(contested))
            await Contest(_Contested(self, moment, shared), self._claims).settle(contested)
            self._tell("duplicates", len(contested), len(contested))

    def _count(
        self, aggregate: Aggregate, shared: Shared, lost: Collection[bytes] = (), *, sign: int = 1
    ) -> Derived:
        self._unusable = []
        derived = self._deriving.derive(aggregate, shared, lost=lost)
        self.census.add(derived, self._unusable, sign=sign)
        return derived

    def recount(
        self, aggregate: Aggregate, shared: Shared, before: Collection[bytes], after: Collection[bytes]
    ) -> None:
        """Count an owner anew who loses other claims than was thought."""
        self._count(aggregate, shared, before, sign=-1)
        derived = self._count(aggregate, shared, after)
        lines = [self._line(finding, aggregate.text) for finding in held_back(derived.findings)]
        self._changed[self._shown_root(aggregate.text)] = b"".join(lines)

    def derive(self, aggregate: Aggregate, shared: Shared, lost: Collection[bytes]) -> Derived:
        """Return what an owner becomes, without counting it."""
        return self._deriving.derive(aggregate, shared, lost=lost)

    def keys_of(self, numbers: Collection[int]) -> dict[int, str]:
        """Return the keys of some owners by their numbers."""
        return self._keys.of(numbers)

    def claims(self, derived: Derived) -> dict[bytes, UUID]:
        """Return what an owner claims."""
        return claims_with_secrets(self._deriving, derived)

    def _write_rows(self, part: Path, rows: Path) -> None:
        """Write the findings but for those of owners that were looked at again, and then theirs."""
        with part.open("rb") as before, rows.open("wb") as lines:
            for line in before:
                if not self._changed or msgspec.json.decode(line)["root"] not in self._changed:
                    lines.write(line)
            lines.writelines(self._changed.values())

    def _line(self, finding: Finding, root: str | None) -> bytes:
        return msgspec.json.encode(self.census.shown(finding, root, self.owners.root.name)) + b"\n"

    def _shown_root(self, root: str) -> str:
        shown: str = self.census.shown(
            Finding(Reason.NO_IDENTIFIER, self.owners.root.name, root), root, self.owners.root.name
        )["root"]
        return shown

    def _readability(self, stored: PasswordHash) -> Readability:
        answer = self._tools.passwords.readability(stored)
        if answer is not Readability.READABLE:
            self._unusable.append((stored.scheme, answer))
        return answer


class _Contested:
    """Owners of a rehearsal, as a contest reads them."""

    def __init__(self, rehearsal: Rehearsal, moment: Snapshot, shared: Shared) -> None:
        self._rehearsal = rehearsal
        self._moment = moment
        self._shared = shared

    async def read(self, numbers: Collection[int]) -> dict[int, Aggregate]:
        texts = self._rehearsal.keys_of(numbers)
        size = len(self._rehearsal.owners.root.key)
        found = await self._rehearsal.owners.of(
            self._moment, [parse_key(text, size) for text in texts.values()]
        )
        by_text = {aggregate.text: aggregate for aggregate in found}
        return {number: by_text[text] for number, text in texts.items()}

    async def taken_here(self, derived: Sequence[Derived]) -> set[bytes]:
        return await self._rehearsal.taken(derived)

    def claims(self, aggregate: Aggregate, lost: Collection[bytes]) -> tuple[dict[bytes, UUID], Derived]:
        derived = self._rehearsal.derive(aggregate, self._shared, lost)
        return self._rehearsal.claims(derived), derived

    def replace(self, aggregate: Aggregate, before: Collection[bytes], after: Collection[bytes]) -> None:
        self._rehearsal.recount(aggregate, self._shared, before, after)
