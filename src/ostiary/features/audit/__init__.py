"""Audit: what happened, by whom, to whom, and who signed in when.

Owns `audit_events` (append-only) and `login_history`. A security-relevant change and its audit row are one
transaction: `record` takes the transaction and lets a failure refuse the change. Only the audit of a plain read
may be lost: `record_read`. docs/guides/secure.md has the table of which is which.
"""

from ostiary.features.audit.model import NOBODY, SYSTEM, Action, Actor, Event, Login, LoginRecord, Origin
from ostiary.features.audit.service import Audit

__all__ = ["NOBODY", "SYSTEM", "Action", "Actor", "Audit", "Event", "Login", "LoginRecord", "Origin"]
