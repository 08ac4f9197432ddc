"""Audit: what happened, by whom, to whom, and who signed in when; and the seals that show whether it was changed.

Owns `audit_events` (append-only), `audit_keys`, `audit_seals` and `login_history`. A security-relevant change and its audit row are one
transaction: `record` takes the transaction and lets a failure refuse the change. Only the audit of a plain read
may be lost: `record_read`. docs/guides/secure.md has the table of which is which.
"""

from ostiary.features.audit.catalogue import CATALOGUE, Entry
from ostiary.features.audit.errors import PurgedMeanwhile, SealNotOurs, UnreadableExport
from ostiary.features.audit.export import ExportVerification, Selection, keys_of_export
from ostiary.features.audit.keys import PersonalData
from ostiary.features.audit.log import AuditLog
from ostiary.features.audit.model import (
    APPLICATION,
    EVENT_PREFIX,
    NOBODY,
    NOWHERE,
    OSTIARY,
    SYSTEM,
    Action,
    Actor,
    Event,
    EventFilter,
    Login,
    LoginRecord,
    Origin,
    RecordedEvent,
)
from ostiary.features.audit.sealing import SEAL_KEY, Seals, Verification
from ostiary.features.audit.seals import Seal
from ostiary.features.audit.service import Audit
from ostiary.features.audit.verification import Finding, Kind, Tally

__all__ = [
    "APPLICATION",
    "CATALOGUE",
    "EVENT_PREFIX",
    "NOBODY",
    "NOWHERE",
    "OSTIARY",
    "SEAL_KEY",
    "SYSTEM",
    "Action",
    "Actor",
    "Audit",
    "AuditLog",
    "Entry",
    "Event",
    "EventFilter",
    "ExportVerification",
    "Finding",
    "Kind",
    "Login",
    "LoginRecord",
    "Origin",
    "PersonalData",
    "PurgedMeanwhile",
    "RecordedEvent",
    "Seal",
    "SealNotOurs",
    "Seals",
    "Selection",
    "Tally",
    "UnreadableExport",
    "Verification",
    "keys_of_export",
]
