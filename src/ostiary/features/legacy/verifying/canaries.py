"""Sign-ins tried out: the right password is accepted, and a wrong one refused. Nothing is written, and nothing counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.identities import InvalidAddress, parse_email, parse_phone
from ostiary.features.legacy.verifying import observing_store as rows
from ostiary.features.legacy.verifying.verification import Step
from ostiary.features.passwords import PasswordHash
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.legacy.verifying.verification import Canary, Tell, Verification
    from ostiary.features.legacy.work import Work

_CHECK = "canary sign-ins"


async def try_out(work: Work, canaries: Sequence[Canary], result: Verification, tell: Tell) -> None:
    """Try every canary. They are named by their number, from 1: who they are is nobody's business."""
    for number, canary in enumerate(canaries, 1):
        result.check(_CHECK).total += 1
        await _try_one(work, number, canary, result)
        tell(Step(_CHECK, number, len(canaries)))


async def _try_one(work: Work, number: int, canary: Canary, result: Verification) -> None:
    found = [one for one in await _find(work, canary.identifier) if one.password_hash is not None]
    if not found:
        result.differ(_CHECK, "canaries", str(number), "nobody with a password answers to it")
        return
    for one in found:
        stored = PasswordHash.stored(one.password_hash, one.password_scheme)
        passwords = work.tools.passwords
        if not (await passwords.verify(canary.password, stored)).valid:
            result.differ(_CHECK, "canaries", str(number), "the password is refused")
        elif (await passwords.verify(_wrong(canary.password), stored)).valid:
            result.differ(_CHECK, "canaries", str(number), "a wrong password is accepted")
        elif one.password_scheme is not None:
            result.covered.add(one.password_scheme)


async def _find(work: Work, identifier: str) -> list[rows.CanaryRow]:
    database, migration_id = work.tools.database, work.migration.id
    try:
        email = parse_email(identifier)
        found = await database.fetch_all(rows.CANARY_BY_EMAIL, migration_id, email.normalized)
    except InvalidAddress:
        found = []
    if found:
        return found
    try:
        phone = parse_phone(identifier, region=work.plan.decisions.phone_region)
        found = await database.fetch_all(rows.CANARY_BY_PHONE, migration_id, phone.e164)
    except InvalidAddress:
        found = []
    return found or await database.fetch_all(rows.CANARY_BY_KEY, migration_id, identifier)


def _wrong(password: Secret) -> Secret:
    """Return the password with one character more, in front: some schemes ignore what comes after the 72nd byte."""
    text = password.reveal()
    return Secret(("y" if text.startswith("x") else "x") + text)
