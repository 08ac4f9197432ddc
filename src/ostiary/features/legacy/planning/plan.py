"""A plan as it lies in a folder: what was found over there, what people decided, and a digest that holds it together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.legacy.model import Decisions, ExitCode, LegacyError
from ostiary.features.legacy.rows.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.foundation.foreign import Table

_FILE: Final = "plan.json"


class TableCounts(msgspec.Struct, frozen=True):
    """What becomes of the rows of a table."""

    mapped: int
    quarantined: int
    dropped: int

    @property
    def total(self) -> int:
        """How many there are."""
        return self.mapped + self.quarantined + self.dropped


class Plan(msgspec.Struct, frozen=True):
    """What a plan says. Nothing in it is a value of a row: only names, keys and numbers."""

    profile: Profile
    decisions: Decisions
    source: str
    """What it is about, for people."""
    fingerprint: str
    """Of the tables as the source declares them."""
    columns: dict[str, tuple[str, ...]]
    """By table, in the order in which rows are archived."""
    totals: dict[str, TableCounts]
    blockers: int
    """How many kinds of findings have to be decided first."""
    report: dict[str, Any] = {}
    """Findings by reason, with examples; hash schemes; estimates."""
    frozen: bool = False
    """Whether people promised that nobody writes over there meanwhile, so that nothing has to be captured."""

    @property
    def owners(self) -> int:
        """How many owners there were."""
        return self.totals[self.profile.root].total if self.profile.root in self.totals else 0

    @property
    def digest(self) -> str:
        """Return the digest of the whole plan (SHA-256)."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    def write(self, folder: Path) -> Path:
        """Write the plan into a folder, which is made, and return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FILE
        document = {"digest": self.digest, "plan": self}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return path

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read a plan from its folder. Raises `LegacyError`, also for one that was changed by hand."""
        path = folder / _FILE
        try:
            document = msgspec.json.decode(path.read_bytes())
            plan = msgspec.convert(document["plan"], cls)
        except (OSError, msgspec.MsgspecError, KeyError, TypeError):
            raise LegacyError(
                f"There is no plan in {folder}: make one with `ostiary legacy plan --out {folder}`."
            ) from None
        if document.get("digest") != plan.digest:
            raise LegacyError(
                f"The plan in {folder} was changed after it was made: make it again, with the decisions as options.",
                ExitCode.DRIFT,
            )
        return plan


def fingerprint(profile: Profile, tables: Mapping[str, Table]) -> str:
    """Return the fingerprint of the tables a profile speaks of: columns, types, keys and references (SHA-256)."""
    spoken = {name: msgspec.to_builtins(tables[name]) for name in sorted(profile.tables) if name in tables}
    return hashlib.sha256(msgspec.json.encode(spoken, order="deterministic")).hexdigest()
