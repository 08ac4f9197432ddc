"""`ostiary doctor`: whether everything is as it should be."""

from __future__ import annotations

import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary import schema
from ostiary.entrypoints.cli.output import print_json, print_table
from ostiary.features.data_keys import DataKeys, RootKeyMissing, carried_keys, installation_keyring
from ostiary.features.outbox import Messages
from ostiary.first_run import KEY_FILE, NoRootKeys, key_service_at, keys_to_adopt
from ostiary.foundation.clock import LARGEST_SKEW, SystemClock
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.mail import mail_server_at
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.sms import sms_gateway_at
from ostiary.foundation.storage import DATABASE_TIME, database_at
from ostiary.settings import load, unknown_variables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ostiary.settings import Settings

_LONGEST_WAIT: Final = timedelta(minutes=15)


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


async def doctor(*, json: bool = False) -> int:
    """Look at settings, files, database, schema and clock; exit 1 when something is wrong.

    Example: `ostiary doctor --json`.

    Parameters
    ----------
    json:
        Print JSON.
    """
    findings = [finding async for finding in _findings(load())]
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        rows = (("ok" if ok else "WRONG", what, detail) for what, ok, detail in findings)
        print_table("Ostiary's health", ("", "what", "detail"), rows)
    return 0 if all(finding.ok for finding in findings) else 1


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding("settings", ok=True, detail=f"{settings.env}, {settings.public_url}")
    unknown = unknown_variables()
    yield Finding(
        "variables", not unknown, f"no such setting: {', '.join(unknown)}" if unknown else "all known"
    )
    for danger in settings.dangers():
        yield Finding("production", ok=False, detail=danger)
    if settings.data.exists():
        yield _private("data folder", settings.data)
    if (settings.data / KEY_FILE).exists():
        yield _private("root key", settings.data / KEY_FILE)
    try:
        found = await schema.deployed(settings.database)
        is_current = found.serves(schema.HEAD)
        yield Finding("database", ok=True, detail="reachable")
        yield Finding("revision", is_current, f"at {found.revision}, needs {schema.HEAD}")
        if not is_current or found.revision == schema.HEAD:
            differences = await schema.check(settings.database)
            yield Finding(
                "schema", not differences, "; ".join(map(str, differences)) or "as this release wants it"
            )
        yield await _clock(settings)
        yield await _root_keys(settings, is_current=is_current)
        yield _transports(settings)
        if is_current:
            yield await _messages(settings)
    except OstiaryError as error:
        yield Finding("database or keys", ok=False, detail=str(error))


async def _root_keys(settings: Settings, *, is_current: bool) -> Finding:
    """Say whether the root keys are there, and open the keys that hang on them."""
    try:
        service = key_service_at(settings, Entropy(), SystemClock(), make=False)
    except NoRootKeys:
        return Finding("root keys", ok=True, detail="none yet: the first start makes one")
    database = database_at(settings.database)
    try:
        if is_current:
            await database.open()
            await installation_keyring(
                await carried_keys(database), service, adopt=keys_to_adopt(settings, Entropy())
            )
            await DataKeys(database, service, Entropy()).check()
        shown = ", ".join(f"version {number} in {holder}" for number, holder in service.versions.items())
        return Finding("root keys", ok=True, detail=shown)
    except (RootKeyMissing, CannotOpen) as error:
        return Finding("root keys", ok=False, detail=str(error))
    finally:
        await database.close()
        await service.close()


def _private(what: str, path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    private = not mode & 0o077
    return Finding(
        what, private, f"{mode:04o}" + ("" if private else f": others can read it, chmod go= {path}")
    )


async def _clock(settings: Settings) -> Finding:
    database = database_at(settings.database)
    await database.open()
    try:
        theirs = await database.fetch_one(DATABASE_TIME)
    finally:
        await database.close()
    skew = abs((theirs - SystemClock().now()).total_seconds()) if theirs else 0.0
    return Finding("clock", skew <= LARGEST_SKEW.total_seconds(), f"{skew:.3f} s apart from the database")


def _transports(settings: Settings) -> Finding:
    """Read the URLs of mail and SMS, without calling anybody."""
    mail, sms = settings.mail.url.get_secret_value(), settings.sms.url.get_secret_value()
    mail_server_at(mail, sender=settings.mail.sender)
    sms_gateway_at(sms, outbound=Outbound(), clock=SystemClock())
    shown = [f"{name} by {url.partition(':')[0]}" for name, url in (("e-mail", mail), ("SMS", sms))]
    return Finding("transports", ok=True, detail=", ".join(shown))


async def _messages(settings: Settings) -> Finding:
    """Say whether messages get out: none is dead, and none has waited for long."""
    database = database_at(settings.database)
    await database.open()
    try:
        figures = await Messages(database).figures(database)
    finally:
        await database.close()
    oldest = figures.oldest_pending_at
    waits = SystemClock().now() - oldest if oldest else timedelta(0)
    detail = f"{figures.pending} waiting, {figures.dead} dead"
    if figures.dead:
        detail += ": `ostiary outbox list --state dead` says why"
    return Finding("messages", not figures.dead and waits < _LONGEST_WAIT, detail)
