"""What a plan counts: rows by what becomes of them, findings by reason, password hashes by scheme, and what will be made.

Whatever was counted can be taken back, as who keeps what two owners claim is only known at the end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.legacy.model import RowCounts
from ostiary.features.legacy.rows.reasons import Reason, Severity
from ostiary.features.passwords import WEAK_SCHEMES, PasswordHash, Readability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ostiary.features.legacy.model import Decisions, Derived, Finding
    from ostiary.features.legacy.rows.checking import Discrepancy

_EXAMPLES: Final = 5
# More than are shown, as some may be taken back.
_REMEMBERED: Final = 20
_DECIDED_BY_DUPLICATES: Final = frozenset({Reason.IDENT_DUP, Reason.ACCOUNT_DUP})
_ORDER: Final = tuple(Severity)
_FIELDS_OF_DERIVED: Final = (
    *("identities", "roles", "accounts", "sessions", "challenges", "totps", "passkeys", "logins"),
)

Place = tuple[Reason, str, str | None]
"""A reason, a table, and a column of it."""


@dataclass(slots=True)
class Tally:
    """How many rows have one finding, and some of them."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)


class Census:
    """Counts owners and what they become. `shown` writes a row's key as it may be shown."""

    def __init__(
        self,
        decisions: Decisions,
        *,
        shown: Callable[[str, str], str],
        is_renewable: Callable[[PasswordHash], bool],
    ) -> None:
        self.counts: dict[str, RowCounts] = {}
        self.made: Counter[str] = Counter()
        self._decisions = decisions
        self._shown = shown
        self._is_renewable = is_renewable
        self._findings: dict[Place, Tally] = {}
        self._schemes: Counter[str] = Counter()
        self._unwritable: Counter[str] = Counter()
        self._unusable: Counter[tuple[str, Readability]] = Counter()

    def severity(self, reason: Reason) -> Severity:
        """Return the weight of a reason, now that some things are decided."""
        if reason in _DECIDED_BY_DUPLICATES and self._decisions.duplicates is not None:
            return Severity.QUARANTINE
        return reason.severity

    def add(self, derived: Derived, unusable: Iterable[tuple[str, Readability]], *, sign: int = 1) -> None:
        """Count an owner, or take it back with a `sign` of -1. `unusable` are hashes nothing can be compared with."""
        for table, counts in derived.counts.items():
            self.count(
                table,
                sign * counts.mapped,
                quarantined=sign * counts.quarantined,
                dropped=sign * counts.dropped,
            )
        for finding in _distinct(derived.findings):
            self._note(finding, sign)
        for name in _FIELDS_OF_DERIVED:
            self.made[name] += sign * len(getattr(derived, name))
        for identity in derived.identities:
            self.made[f"identities of {identity.entity_type}"] += sign
            if identity.password_hash is None or identity.password_scheme is None:
                continue
            self._schemes[identity.password_scheme] += sign
            if not self._is_renewable(PasswordHash(identity.password_hash, identity.password_scheme)):
                self._unwritable[identity.password_scheme] += sign
        for each in unusable:
            self._unusable[each] += sign

    def count(self, table: str, mapped: int = 0, *, quarantined: int = 0, dropped: int = 0) -> None:
        """Count rows of a table."""
        counts = self.counts.setdefault(table, RowCounts())
        counts.mapped += mapped
        counts.quarantined += quarantined
        counts.dropped += dropped

    def add_stray(self, finding: Finding) -> None:
        """Count a row whose owner is not there."""
        self.count(finding.table, quarantined=1)
        self._note(finding, 1)

    def add_discrepancy(self, found: Discrepancy, rows: int, examples: Iterable[str] = ()) -> None:
        """Count something about a whole table."""
        tally = self._findings.setdefault((found.reason, found.table, found.column), Tally())
        tally.rows += rows
        tally.examples = [self._shown(found.table, key) for key in examples][:_REMEMBERED]

    @property
    def blockers(self) -> int:
        """How many findings have to be decided first."""
        return sum(1 for finding in self.findings() if finding["severity"] == Severity.BLOCK)

    def findings(self) -> list[dict[str, Any]]:
        """Return every finding by reason, table and column, the weightiest first."""
        rows = [
            {
                "reason": reason,
                "severity": self.severity(reason),
                "table": table,
                "column": column,
                "rows": tally.rows,
                "examples": tally.examples[:_EXAMPLES],
                "meaning": reason.meaning,
                "fix": _fix(reason, table, column),
            }
            for (reason, table, column), tally in self._findings.items()
            if tally.rows or not tally.examples
        ]
        found = [row for row in rows if row["rows"] or row["reason"] in _OF_TABLES]
        return sorted(
            found,
            key=lambda row: (
                _ORDER.index(row["severity"]), -row["rows"], row["reason"], row["table"], row["column"] or "",
            ),
        )  # fmt: skip

    def hashes(self) -> dict[str, Any]:
        """Return how passwords are kept over there."""
        total = self.made["identities"]
        usable = +self._schemes
        return {
            "identities": total,
            "schemes": [
                {
                    "scheme": scheme,
                    "identities": number,
                    "share": round(number / total, 4),
                    "weak": scheme.partition("+")[0] in WEAK_SCHEMES,
                    "reset_on_the_way_back": self._unwritable[scheme],
                }
                for scheme, number in sorted(usable.items(), key=lambda item: (-item[1], item[0]))
            ],
            "without": total - usable.total(),
            "unusable": [
                {"scheme": scheme, "why": why, "hashes": number}
                for (scheme, why), number in sorted((+self._unusable).items())
            ],
            "resets_on_the_way_back": (+self._unwritable).total(),
        }

    def people(self) -> dict[str, int]:
        """Return how many of each kind of record will be made."""
        return {name: number for name, number in sorted(self.made.items()) if number}

    def shown(self, finding: Finding, root: str | None, root_table: str) -> dict[str, Any]:
        """Write a finding as a line of the report: names and keys, never a value."""
        return {
            "table": finding.table,
            "key": self._shown(finding.table, finding.key),
            "reason": finding.reason,
            "severity": self.severity(finding.reason),
            "column": finding.column,
            "fix": _fix(finding.reason, finding.table, finding.column),
            "root": None if root is None else self._shown(root_table, root),
        }

    def _note(self, finding: Finding, sign: int) -> None:
        tally = self._findings.setdefault((finding.reason, finding.table, finding.column), Tally())
        tally.rows += sign
        if sign > 0 and len(tally.examples) < _REMEMBERED:
            tally.examples.append(self._shown(finding.table, finding.key))
        elif sign < 0:
            gone = self._shown(finding.table, finding.key)
            tally.examples = [key for key in tally.examples if key != gone]


_OF_TABLES: Final = frozenset(
    {Reason.COLUMN_UNMAPPED, Reason.COLUMN_MISSING, Reason.TABLE_MISSING, Reason.NO_PRIMARY_KEY}
)


def _fix(reason: Reason, table: str, column: str | None) -> str:
    return reason.fix.replace("TABLE.COLUMN", f"{table}.{column}")


def held_back(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are told one by one: all but warnings, each once."""
    return [finding for finding in _distinct(findings) if finding.reason.severity is not Severity.WARNING]


def totals_beside(counts: Mapping[str, RowCounts], there: Mapping[str, int]) -> list[str]:
    """Return in words where what was counted is not what there is."""
    return [
        f"{name} has {total} rows, of which {counts[name].total if name in counts else 0} were accounted for"
        for name, total in there.items()
        if total != (counts[name].total if name in counts else 0)
    ]


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    found = {(one.reason, one.table, one.key, one.column): one for one in findings}
    return [*found.values()]
