"""Cutting over: the other system stops writing what is taken over, the last changes come along, and this one has it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.legacy import store
from ostiary.features.legacy.model import LegacyError, State
from ostiary.features.legacy.rows.fields import columns_of
from ostiary.features.legacy.rows.profile import FIELDS, Make, field_of
from ostiary.features.legacy.running.leasing import Overtaken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.running.running import Running
    from ostiary.features.legacy.work import Work

_MESSAGE: Final = (
    "Signing in has moved to Ostiary: this row can no longer be changed here (ostiary legacy cutover)."
)
# What somebody signs in with. Names and moments stay the application's to change.
_CREDENTIALS: Final = frozenset({"email", "phone", "password", "provider_account_id"})


async def cut_over(work: Work, lease: Lease, running: Running, *, verified_within: timedelta) -> None:
    """Close the tables over there, take over what is left, and begin to soak.

    Of what was cut over already nothing is changed. Raises `LegacyError` unless it was verified a short time ago.
    """
    migration, now = work.migration, work.tools.clock.now()
    if migration.state is State.SOAKING:
        return
    if migration.state is not State.VERIFIED or migration.verified_at is None:
        raise LegacyError("Cut over what has been verified: run `ostiary legacy verify` first.")
    if now - migration.verified_at > verified_within:
        raise LegacyError(
            f"It was verified more than {verified_within.total_seconds() / 60:.0f} minutes ago: run `ostiary legacy verify` again."
        )
    await running.run()
    capture = work.source.capture
    if capture is not None and not work.plan.frozen:
        await capture.close_tables(closed_columns(work), _MESSAGE)
        # Once more, with the rows that have lost their owner meanwhile: nobody writes any more.
        await running.run()
    async with work.tools.database.transaction() as tx:
        values = (migration.id, lease.fence, State.SOAKING, work.tools.clock.now())
        if await tx.execute(store.CUT_OVER, *values) == 0:
            raise Overtaken


def closed_columns(work: Work) -> Mapping[str, tuple[str, ...]]:
    """Return which columns of which tables are closed: of tables that hold nothing else, all of them."""
    profile = work.plan.profile
    closed: dict[str, tuple[str, ...]] = {}
    for name in work.owners.shapes:
        table = profile.tables[name]
        if table.transient:
            closed[name] = ()
            continue
        columns: set[str] = set(table.secrets)
        for record in profile.records_of(name):
            for field_name, written in record.fields.items():
                is_secret = FIELDS[record.make][field_name] == "secret"
                if not is_secret and (field_name not in _CREDENTIALS or record.make is Make.ROLE):
                    continue
                columns |= {
                    column for owner, column in columns_of(profile, name, field_of(written)) if owner == name
                }
        existing = {column.name for column in work.tables[name].columns} - set(work.owners.shapes[name].key)
        if columns & existing:
            closed[name] = tuple(sorted(columns & existing))
    return closed
