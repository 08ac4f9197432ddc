"""`ostiary user`: accounts, from the operator's side."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App

from ostiary.entrypoints.cli.output import confirm, print_facts, print_json, print_line, print_table
from ostiary.entrypoints.cli.people import Json, Kind, Who, find_person, running
from ostiary.features.administration import Administration, Approvals
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.identities import (
    IDENTITY_PREFIX,
    IdentityFilter,
    Status,
    parse_email,
)
from ostiary.features.registration import NewAccount
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from ostiary.features.identities import Identity

app = App(name="user", help="Make, look at and change accounts.", help_format="markdown")


@app.command
async def create(
    *,
    email: str | None = None,
    phone: str | None = None,
    entity_type: Kind = "user",
    admin: bool = False,
    role: list[str] | None = None,
    display_name: str | None = None,
    password_stdin: bool = False,
    json: Json = False,
) -> None:
    """Make an account. The password is asked for, and never an argument.

    Example: `ostiary user create --email ada@example.org --role editor`.

    Parameters
    ----------
    email:
        Its e-mail address.
    phone:
        Its phone number, with country code.
    admin:
        Make an administrator with the role ostiary:operator.
    role:
        A role to grant; may be repeated.
    display_name:
        What to call its owner.
    password_stdin:
        Read the password from the standard input instead of asking.
    """
    account = NewAccount(
        entity_type="admin" if admin else entity_type,
        email=email,
        phone=phone,
        password=_password(from_stdin=password_stdin),
        profile={"display_name": display_name} if display_name else {},
    )
    roles = [*(role or ()), *(["ostiary:operator"] if admin else ())]
    async with running() as auth:
        made = await auth.services.registration.create(
            account, roles=roles, by=SYSTEM, origin=Origin(), now=auth.clock.now()
        )
    external_id = format_id(IDENTITY_PREFIX, made.id)
    if json:
        print_json({"id": external_id})
    else:
        print_line(f"Made {external_id}.")


@app.command
async def show(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Show one account, its roles and its live sessions. That it was looked at is recorded.

    Example: `ostiary user show ada@example.org`.
    """
    async with running() as auth:
        services, now = auth.services, auth.clock.now()
        identity_id = await find_person(auth, who, entity_type)
        identity = await services.administration.read(identity_id, by=SYSTEM, now=now)
        roles = await services.roles.granted(services.database, identity_id, now=now)
        sessions = await services.sessions.list(identity_id, now=now)
    facts = _facts(identity) | {"roles": [grant.role for grant in roles], "live_sessions": len(sessions)}
    if json:
        print_json(facts)
    else:
        print_facts(identity.external_id, facts | {"roles": ", ".join(facts["roles"]) or None})


@app.command(name="list")
async def list_(
    *,
    entity_type: str | None = None,
    status: Literal["pending_verification", "active", "suspended"] | None = None,
    email: str | None = None,
    limit: int = 50,
    after: str | None = None,
    json: Json = False,
) -> None:
    """List accounts in the order they were made.

    Example: `ostiary user list --status suspended --json`.

    Parameters
    ----------
    entity_type:
        Only this kind.
    status:
        Only in this state.
    email:
        Only with this address.
    limit:
        At most so many.
    after:
        Go on after this id.
    """
    matching = IdentityFilter(
        entity_type=entity_type,
        status=Status(status) if status else None,
        email_normalized=parse_email(email).normalized if email else None,
    )
    async with running() as auth:
        found = await auth.services.identities.list(
            matching, limit=limit, after=parse_id(IDENTITY_PREFIX, after) if after else None
        )
    if json:
        print_json([_facts(identity) for identity in found])
        return
    columns = ("id", "kind", "email", "phone", "status", "last sign-in")
    print_table(
        f"{len(found)} accounts",
        columns,
        ((i.external_id, i.entity_type, i.email, i.phone, i.status.value, i.last_login_at) for i in found),
    )


@app.command
async def suspend(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Keep somebody out from their next request on.

    Example: `ostiary user suspend ada@example.org`.
    """
    await _act(who, entity_type, Administration.suspend, "suspended", json=json)


@app.command
async def reactivate(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Let somebody sign in again.

    Example: `ostiary user reactivate ada@example.org`.
    """
    await _act(who, entity_type, Administration.reactivate, "reactivated", json=json)


@app.command
async def unlock(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Give somebody their attempts at the password back.

    Example: `ostiary user unlock ada@example.org`.
    """
    await _act(who, entity_type, Administration.unlock, "unlocked", json=json)


@app.command
async def end_sessions(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """End every session and token somebody has.

    Example: `ostiary user end-sessions ada@example.org`.
    """
    await _act(who, entity_type, Administration.end_sessions, "signed out everywhere", json=json)


@app.command
async def require_password_change(who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Demand a new password at the next sign-in, because the old one is known to others.

    Example: `ostiary user require-password-change ada@example.org`.
    """
    await _act(
        who,
        entity_type,
        Administration.require_password_change,
        "asked for a new password at the next sign-in",
        json=json,
    )


@app.command
async def erase(who: Who, *, entity_type: Kind = "user", yes: bool = False, json: Json = False) -> None:
    """Delete an account for somebody who asked for it; it is erased when the time to take that back has passed.

    Example: `ostiary user erase ada@example.org --yes`.

    Parameters
    ----------
    yes:
        Do not ask.
    """
    confirm("Delete this account, to be erased when the time to take that back has passed?", yes=yes)
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        erasure = await auth.services.privacy.delete_for(
            identity_id, by=SYSTEM, origin=Origin(), now=auth.clock.now()
        )
    if json:
        print_json({"id": erasure.external_id, "erase_after": erasure.erase_after})
    else:
        print_line(f"Deleted. The receipt is {erasure.external_id}, erased after {erasure.erase_after}.")


@app.command
async def reset_factors(
    who: Who, *, entity_type: Kind = "user", yes: bool = False, json: Json = False
) -> None:
    """Remove every second factor of an account at once, and end its sessions; its owner is told.

    For emergencies: without the waiting time in which an owner may object. Otherwise use `ostiary factor-reset`.
    Example: `ostiary user reset-factors ada@example.org --yes`.

    Parameters
    ----------
    yes:
        Do not ask.
    """
    confirm("Remove every second factor of this account at once, without waiting for its owner?", yes=yes)
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        await auth.services.lost_factors.remove_now(identity_id, by=SYSTEM, now=auth.clock.now())
    _print_done(identity_id, "without second factors", json=json)


@app.command
async def approve(
    who: Who, *, reason: str | None = None, entity_type: Kind = "user", json: Json = False
) -> None:
    """Let a newcomer in who awaits approval, and tell them.

    Example: `ostiary user approve idn_… --reason "The licence was checked."`.

    Parameters
    ----------
    reason:
        Why, for the records and the newcomer.
    """
    await _decide(who, entity_type, Approvals.approve, "approved", reason, json=json)


@app.command
async def reject(who: Who, *, reason: str, entity_type: Kind = "user", json: Json = False) -> None:
    """Turn a newcomer away who awaits approval, and tell them why; `reactivate` takes it back.

    Example: `ostiary user reject idn_… --reason "There is no such licence."`.

    Parameters
    ----------
    reason:
        Why, for the records and the newcomer.
    """
    await _decide(who, entity_type, Approvals.reject, "rejected", reason, json=json)


@app.command
async def invite(
    email: str, *, entity_type: Kind = "user", role: list[str] | None = None, json: Json = False
) -> None:
    """Send somebody an invitation to an account; what they are sent is the only way to accept it.

    Example: `ostiary user invite ada@example.org --role editor`.

    Parameters
    ----------
    email:
        Where the invitation goes, and the address the account will have.
    role:
        A role they get; may be repeated.
    """
    async with running() as auth:
        await auth.services.invitations.invite(
            email, entity_type=entity_type, roles=role or (), by=SYSTEM, origin=Origin(), now=auth.clock.now()
        )
    if json:
        print_json({"done": "invited"})
    else:
        print_line("The invitation is on its way.")


async def _act(
    who: str, entity_type: str, act: Callable[..., Awaitable[None]], done: str, *, json: bool
) -> None:
    """Do something of `Administration` to an account, and say that it is done."""
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        await act(auth.services.administration, identity_id, by=SYSTEM, now=auth.clock.now())
    _print_done(identity_id, done, json=json)


def _print_done(identity_id: UUID, done: str, *, json: bool) -> None:
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    if json:
        print_json({"id": external_id, "done": done})
    else:
        print_line(f"{external_id} is {done}.")


async def _decide(
    who: str,
    entity_type: str,
    decide: Callable[..., Awaitable[None]],
    done: str,
    reason: str | None,
    *,
    json: bool,
) -> None:
    """Decide upon a newcomer, and say that it is done."""
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        now = auth.clock.now()
        await decide(auth.services.approvals, identity_id, reason=reason, by=SYSTEM, origin=Origin(), now=now)
    _print_done(identity_id, done, json=json)


def _facts(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.external_id,
        "entity_type": identity.entity_type,
        "entity_id": identity.entity_id,
        "email": identity.email,
        "phone": identity.phone,
        "status": identity.status,
        "must_change_password": identity.must_change_password,
        "failed_login_attempts": identity.failed_login_attempts,
        "locked_until": identity.locked_until,
        "last_login_at": identity.last_login_at,
        "created_at": identity.created_at,
    }


def _password(*, from_stdin: bool) -> Secret:
    if from_stdin:
        return Secret(sys.stdin.readline().rstrip("\n"))
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise OstiaryError("The two passwords differ: try again.")
    return Secret(first)
