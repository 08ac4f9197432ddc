"""`ostiary service`: what programs present instead of signing in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import parse_id

app = App(name="service", help="Make, list and revoke credentials of services.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
async def create(name: str, *, scope: list[str], expires: str | None = None, json: Json = False) -> None:
    """Make a service and a credential for it, which is shown this one time.

    Example: `ostiary service create reports --scope revocations:read --expires 90d`.

    Parameters
    ----------
    name:
        What to call the service.
    scope:
        What the credential is for: revocations:read, tokens:introspect; may be repeated.
    expires:
        After how many days it is dead, `90d`; never by itself if not given.
    """
    lifetime = _days(expires)
    async with Ostiary(run_worker=False) as auth:
        credential = await auth.services.registration.create_service(
            name, scope, lifetime=lifetime, by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json({"name": name, "scopes": sorted(scope), "credential": credential.reveal()})
    else:
        print_line("Keep it like a password; it is not shown again:\n")
        print_line(credential.reveal())


@app.command(name="list")
async def list_(*, limit: int = 200, after: str | None = None, json: Json = False) -> None:
    """List credentials, without what is secret about them.

    Example: `ostiary service list --json`.

    Parameters
    ----------
    limit:
        At most so many.
    after:
        Go on after this id.
    """
    async with Ostiary(run_worker=False) as auth:
        credentials = await auth.services.service_credentials.list(
            limit=limit, after=parse_id("svc", after) if after else None
        )
    facts = [
        {
            "id": credential.external_id,
            "name": credential.name,
            "scopes": credential.scopes,
            "created_at": credential.created_at,
            "expires_at": credential.expires_at,
            "revoked_at": credential.revoked_at,
            "last_used_at": credential.last_used_at,
        }
        for credential in credentials
    ]
    if json:
        print_json(facts)
        return
    rows = ([" ".join(v) if isinstance(v, list) else v for v in fact.values()] for fact in facts)
    print_table("Service credentials", list(facts[0]) if facts else ["id"], rows)


@app.command
async def revoke(credential: str, *, json: Json = False) -> None:
    """Kill a credential from its next use on.

    Example: `ostiary service revoke svc_01jd2m9q5ze8xv6k3w0t7r4ahc`.

    Parameters
    ----------
    credential:
        Its id, from `ostiary service list`.
    """
    async with Ostiary(run_worker=False) as auth:
        credential_id = parse_id("svc", credential)
        await auth.services.service_credentials.revoke(credential_id, by=SYSTEM, now=auth.clock.now())
    if json:
        print_json({"revoked": credential})
    else:
        print_line("It is dead.")


def _days(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})d", text)
    if match is None:
        raise OstiaryError("Write how long it lives in days: --expires 90d.")
    return timedelta(days=int(match[1]))
