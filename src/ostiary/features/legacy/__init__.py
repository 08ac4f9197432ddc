"""Legacy: the accounts of another system, moved here: rehearsed, watched, verified, undoable.

Owns the `legacy_…` tables but for what was handed out (`legacy_bearers`). A profile says, as data, what each table and
column over there is here; whatever it does not say stops a migration before it writes anything.
"""
