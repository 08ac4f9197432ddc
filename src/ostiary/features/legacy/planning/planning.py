"""The plan: everything a run will do, rehearsed in one moment of the source. Nothing is written there, nor here."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.legacy.model import ExitCode, LegacyError
from ostiary.features.legacy.planning.census import Census, totals_beside
from ostiary.features.legacy.planning.deciding import require_decisions
from ostiary.features.legacy.planning.plan import Plan, TableCounts, fingerprint
from ostiary.features.legacy.planning.rehearsing import Rehearsal
from ostiary.features.legacy.rows.aggregates import HIDDEN, hidden_key
from ostiary.features.legacy.rows.checking import discrepancies, tables_with_telling_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from ostiary.features.legacy.model import Decisions
    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.features.legacy.work import Tools
    from ostiary.foundation.foreign import Snapshot, Source, Table

    Tell = Callable[[str, int, int], None]

ROWS: Final = "rows.ndjson"
"""The findings but for warnings, one a line."""

RUN_SHARE: Final = 0.4
"""How fast a run is beside its rehearsal, which neither seals nor writes: measured between a third and a half."""
RECORD_BYTES: Final = 500
"""What a record takes with its indexes, beside the sealed originals."""
OWNER_BYTES: Final = 300
"""What an owner's place in the map takes, beside the sealed originals."""
_KEY_SIZE: Final = 32
_LONGEST_KEY: Final = 4096


class Planning:
    """Makes plans. `tell` hears of each phase how much is done of how much; the source is open."""

    def __init__(self, tools: Tools, source: Source, *, now: datetime, tell: Tell) -> None:
        self._tools = tools
        self._source = source
        self._now = now
        self._tell = tell

    async def plan(self, profile: Profile, decisions: Decisions, folder: Path, *, frozen: bool) -> Plan:
        """Return the plan, and write it into a folder with all of its findings.

        Raises `LegacyError` where rows cannot be accounted for, and `ForeignDataError`.
        """
        require_decisions(profile, decisions)
        began = perf_counter()
        tables = await self._source.tables()
        found = discrepancies(profile, tables)
        key = self._tools.entropy.token_bytes(_KEY_SIZE)
        census = Census(
            decisions,
            shown=_showing(key, tables_with_telling_keys(profile, tables)),
            is_renewable=self._tools.passwords.can_hash_like,
        )
        rows = _emptied(folder)
        is_complete = not any(one.hides_rows for one in found)
        estimate: dict[str, Any] = {}
        async with self._source.snapshot() as moment:
            there = await self._counted(moment, profile, tables)
            for one in found:
                census.add_discrepancy(one, there.get(one.table, 0))
            if is_complete:
                _count_whole_tables(census, profile, there)
                rehearsal = Rehearsal(
                    self._tools, profile, decisions, tables, census, key=key, now=self._now, tell=self._tell
                )
                unique = await rehearsal.rehearse(moment, rows, total=there[profile.root])
                if unique:
                    _account_for(census, there)
                estimate = _estimate(rehearsal, census, there[profile.root])
        plan = Plan(
            profile=profile,
            decisions=decisions,
            source=self._source.description,
            fingerprint=fingerprint(profile, tables),
            columns={
                name: tuple(column.name for column in tables[name].columns)
                for name in profile.owned
                if name in tables
            },
            totals={
                name: TableCounts(counts.mapped, counts.quarantined, counts.dropped)
                for name, counts in sorted(census.counts.items())
            },
            blockers=census.blockers,
            report={
                "planned_at": self._now.isoformat(),
                "complete": is_complete,
                "rows": there,
                "findings": census.findings(),
                "hashes": census.hashes(),
                "people": census.people(),
                "estimate": estimate,
                "seconds": round(perf_counter() - began, 3),
            },
            frozen=frozen,
        )
        plan.write(folder)
        return plan

    async def _counted(
        self, moment: Snapshot, profile: Profile, tables: Mapping[str, Table]
    ) -> dict[str, int]:
        named = [name for name in profile.tables if name in tables]
        there = {}
        for done, name in enumerate(named, 1):
            there[name] = await moment.count(name)
            self._tell("counting", done, len(named))
        return there


def _emptied(folder: Path) -> Path:
    """Make the folder, and the file of findings with nothing in it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / ROWS
    rows.write_bytes(b"")
    return rows


def _count_whole_tables(census: Census, profile: Profile, there: Mapping[str, int]) -> None:
    for name, rows in there.items():
        spoken = profile.tables[name]
        if spoken.dropped is not None:
            census.count(name, dropped=rows)
        else:
            census.count(name, rows if spoken.shared else 0)


def _account_for(census: Census, there: Mapping[str, int]) -> None:
    """Every row becomes one thing. Raises `LegacyError`."""
    missing = totals_beside(census.counts, there)
    if missing:
        raise LegacyError(
            f"Not every row was accounted for: {'; '.join(missing)}. Is a column that names an owner compared without "
            "regard to case over there? Please report this; nothing was written.",
            ExitCode.FAILED,
        )


def _estimate(rehearsal: Rehearsal, census: Census, owners: int) -> dict[str, Any]:
    """Guess how long a run takes, and how much room what it makes does."""
    sampled = rehearsal.sampled
    archive = sum(sampled) / len(sampled) if sampled else 0.0
    records = sum(number for name, number in census.made.items() if " " not in name)
    rate = owners / rehearsal.seconds if rehearsal.seconds else 0.0
    return {
        "planned_owners_per_second": round(rate, 1),
        "run_owners_per_second": round(rate * RUN_SHARE, 1),
        "run_seconds": round(owners / (rate * RUN_SHARE), 1) if rate else 0.0,
        "run_share": RUN_SHARE,
        "archive_bytes_per_owner": round(archive),
        "bytes": round(owners * (archive + OWNER_BYTES) + records * RECORD_BYTES),
    }


def _showing(key: bytes, telling: frozenset[str]) -> Callable[[str, str], str]:
    """Return how keys are shown: those that are somebody's secret or address, as a digest nobody can look up."""

    def shown(table: str, text: str) -> str:
        if table in telling and not text.startswith(HIDDEN):
            return hidden_key(key, table, text)
        if text.isprintable() and len(text) <= _LONGEST_KEY:
            return text
        # Whoever reads it has a terminal, which must not be told what to do.
        return "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in text[:_LONGEST_KEY]
        )

    return shown
