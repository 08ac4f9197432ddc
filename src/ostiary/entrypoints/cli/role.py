"""`ostiary role`: what roles allow, and who has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cyclopts import App

from ostiary.entrypoints.cli.output import confirm, print_facts, print_json, print_line, print_table
from ostiary.entrypoints.cli.people import Json, Kind, Who, find_person, running
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from ostiary.features.roles import Role

app = App(name="role", help="Say what roles allow, and who has them.", help_format="markdown")


@app.command(name="list")
async def list_(*, limit: int = 200, after: str = "", json: Json = False) -> None:
    """List the roles by name, and what they allow.

    Example: `ostiary role list`.

    Parameters
    ----------
    limit:
        At most so many.
    after:
        Go on after this name.
    """
    async with running() as auth:
        roles = await auth.services.roles.list(auth.services.database, limit=limit, after=after)
    if json:
        print_json([_facts(role) for role in roles])
        return
    rows = ((role.name, role.description, _where(role), " ".join(role.permissions)) for role in roles)
    print_table(f"{len(roles)} roles", ("name", "what it is for", "changed", "allows"), rows)


@app.command
async def show(name: str, *, json: Json = False) -> None:
    """Show one role, and what it allows.

    Example: `ostiary role show editor`.
    """
    async with running() as auth:
        role = await auth.services.roles.get(auth.services.database, name)
    _print(role, json=json)


@app.command
async def create(
    name: str, *, description: str | None = None, allow: list[str] | None = None, json: Json = False
) -> None:
    """Make a role.

    Example: `ostiary role create editor --description "Edits articles." --allow articles:write`.

    Parameters
    ----------
    name:
        1 to 64 lower-case letters, digits and the characters : _ . -
    description:
        What it is for.
    allow:
        A permission, such as reports:read; may be repeated.
    """
    async with running() as auth:
        role = await auth.services.role_administration.create(
            name, description=description, permissions=allow or (), by=SYSTEM, now=auth.clock.now()
        )
    _print(role, json=json)


@app.command
async def delete(name: str, *, yes: bool = False, json: Json = False) -> None:
    """Delete a role. Whoever has it loses it at their next request.

    Example: `ostiary role delete editor --yes`.

    Parameters
    ----------
    yes:
        Do not ask.
    """
    confirm(f"Delete the role {name}, and take it from everybody who has it?", yes=yes)
    async with running() as auth:
        await auth.services.role_administration.delete(name, by=SYSTEM, now=auth.clock.now())
    _done({"deleted": name}, f"{name} is deleted.", json=json)


@app.command
async def allow(name: str, *permissions: str, json: Json = False) -> None:
    """Let a role allow more; its holders' next access tokens say so.

    Example: `ostiary role allow editor articles:write reports:read`.

    Parameters
    ----------
    permissions:
        Such as reports:read.
    """
    async with running() as auth:
        role = await auth.services.role_administration.allow(
            name, permissions, by=SYSTEM, now=auth.clock.now()
        )
    _print(role, json=json)


@app.command
async def deny(name: str, *permissions: str, json: Json = False) -> None:
    """Let a role allow less, from its holders' next requests on.

    Example: `ostiary role deny editor reports:read`.

    Parameters
    ----------
    permissions:
        Such as reports:read.
    """
    async with running() as auth:
        role = await auth.services.role_administration.deny(
            name, permissions, by=SYSTEM, now=auth.clock.now()
        )
    _print(role, json=json)


@app.command
async def grant(
    name: str, who: Who, *, entity_type: Kind = "user", until: str | None = None, json: Json = False
) -> None:
    """Give somebody a role, or another time to hold it; their next access token names it.

    Example: `ostiary role grant editor ada@example.org --until 2030-01-31T12:00:00Z`.

    Parameters
    ----------
    until:
        When they lose it by themselves, as 2030-01-31 or 2030-01-31T12:00:00Z; for good if not given.
    """
    expires_at = _moment(until)
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        await auth.services.role_administration.grant(
            identity_id, name, expires_at=expires_at, by=SYSTEM, now=auth.clock.now()
        )
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    facts = {"identity_id": external_id, "role": name, "expires_at": expires_at}
    _done(facts, f"{external_id} has the role {name}.", json=json)


@app.command
async def remove(name: str, who: Who, *, entity_type: Kind = "user", json: Json = False) -> None:
    """Take a role away from somebody, from their next request on.

    Example: `ostiary role remove editor ada@example.org`.
    """
    async with running() as auth:
        identity_id = await find_person(auth, who, entity_type)
        removed = await auth.services.role_administration.remove(
            identity_id, name, by=SYSTEM, now=auth.clock.now()
        )
    if not removed:
        raise OstiaryError("They do not have this role: `ostiary role holders` shows who does.")
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    facts = {"identity_id": external_id, "removed": name}
    _done(facts, f"{external_id} does not have the role {name} any more.", json=json)


@app.command
async def holders(name: str, *, limit: int = 200, after: str | None = None, json: Json = False) -> None:
    """List those who have a role, since when, by whom and until when.

    Example: `ostiary role holders ostiary:operator`.

    Parameters
    ----------
    limit:
        At most so many.
    after:
        Go on after this id.
    """
    async with running() as auth:
        services, now = auth.services, auth.clock.now()
        role = await services.roles.get(services.database, name)
        found = await services.roles.holders(
            services.database,
            role.name,
            limit=limit,
            after=parse_id(IDENTITY_PREFIX, after) if after else None,
            now=now,
        )
    facts = [
        {
            "id": format_id(IDENTITY_PREFIX, holder.identity_id),
            "entity_type": holder.entity_type,
            "email": holder.email,
            "phone": holder.phone,
            "granted_by": holder.granted_by,
            "granted_at": holder.granted_at,
            "expires_at": holder.expires_at,
        }
        for holder in found
    ]
    if json:
        print_json(facts)
        return
    columns = ("id", "kind", "email", "phone", "granted by", "since", "until")
    print_table(f"{len(found)} have the role {name}", columns, (list(fact.values()) for fact in facts))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise OstiaryError("Write until when as 2030-01-31 or 2030-01-31T12:00:00Z.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _facts(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "description": role.description,
        "declared": role.declared,
        "permissions": role.permissions,
    }


def _where(role: Role) -> str:
    return "in the configuration" if role.declared else "here"


def _print(role: Role, *, json: bool) -> None:
    if json:
        print_json(_facts(role))
        return
    facts = {"what it is for": role.description, "changed": _where(role)}
    print_facts(role.name, facts | {"allows": " ".join(role.permissions) or None})


def _done(facts: dict[str, Any], sentence: str, *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_line(sentence)
