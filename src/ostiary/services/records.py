"""The records of an installation: what happened, and what is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.audit import SEAL_KEY, Audit, AuditLog, Seals
from ostiary.features.outbox import Outbox

if TYPE_CHECKING:
    from ostiary.services.ground import Ground


@dataclass(frozen=True)
class Records:
    """The lowest tier: everybody writes here."""

    outbox: Outbox
    audit: Audit
    audit_log: AuditLog
    seals: Seals


def build_records(ground: Ground) -> Records:
    """Build the records."""
    outbox = Outbox(ground.entropy, key=ground.keys.derive("outbox payloads"))
    audit = Audit(ground.database, ground.entropy, root_keys=ground.keys, outbox=outbox)
    return Records(
        outbox=outbox,
        audit=audit,
        audit_log=AuditLog(ground.database, audit.personal_data),
        seals=Seals(ground.database, ground.keys.derive(SEAL_KEY)),
    )
