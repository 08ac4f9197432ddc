"""`ostiary webhook`: which other systems are told what happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import confirm, print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.features.outbox import ENDPOINT_PREFIX
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from ostiary.features.outbox import Endpoint

app = App(name="webhook", help="Tell other systems what happens.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]
Which = Annotated[str, Parameter(help="Its id, from `ostiary webhook list`.")]


@app.command
async def add(
    url: str, *, event: list[str] | None = None, description: str | None = None, json: Json = False
) -> None:
    """Tell a URL of events from now on, and show the secret its receiver checks signatures with, this one time.

    Example: `ostiary webhook add https://app.example.org/hooks --event 'identity.account.*'`.

    Parameters
    ----------
    url:
        An https address.
    event:
        An event of the reference with dots, all that begin alike with a star at the end, or *, which is the default; may
        be repeated.
    description:
        What it is for.
    """
    async with Ostiary(run_worker=False) as auth:
        endpoint, secret = await auth.services.messaging.add_endpoint(
            url, events=event or ["*"], description=description, by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json(_facts(endpoint) | {"secret": secret.reveal()})
    else:
        print_line(f"{endpoint.external_id} is told from now on. Its secret is not shown again:\n")
        print_line(secret.reveal())


@app.command(name="list")
async def list_(*, json: Json = False) -> None:
    """List the endpoints, without what is secret about them.

    Example: `ostiary webhook list --json`.
    """
    async with Ostiary(run_worker=False) as auth:
        facts = [_facts(endpoint) for endpoint in await auth.services.webhooks.list()]
    if json:
        print_json(facts)
        return
    shown = ("id", "url", "events", "description", "created_at", "disabled_at")
    rows = ([fact[name] for name in shown] for fact in facts)
    print_table(
        "Endpoints", shown, ([" ".join(v) if isinstance(v, list) else v for v in row] for row in rows)
    )


@app.command
async def rotate(endpoint: Which, *, json: Json = False) -> None:
    """Give an endpoint a new secret, shown this one time; the old one signs as well for a day.

    Example: `ostiary webhook rotate whe_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        secret = await auth.services.messaging.rotate_secret(
            parse_id(ENDPOINT_PREFIX, endpoint), by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json({"id": endpoint, "secret": secret.reveal()})
    else:
        print_line("It is not shown again; the old one signs as well for a day:\n")
        print_line(secret.reveal())


@app.command
async def disable(endpoint: Which, *, json: Json = False) -> None:
    """Tell an endpoint nothing for the time being; what waits for it dies.

    Example: `ostiary webhook disable whe_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        changed = await auth.services.messaging.disable_endpoint(
            parse_id(ENDPOINT_PREFIX, endpoint), by=SYSTEM, now=auth.clock.now()
        )
    _say(changed, "It is told nothing.", json=json)


@app.command
async def enable(endpoint: Which, *, json: Json = False) -> None:
    """Tell an endpoint again what happens from now on.

    Example: `ostiary webhook enable whe_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        changed = await auth.services.messaging.enable_endpoint(
            parse_id(ENDPOINT_PREFIX, endpoint), by=SYSTEM, now=auth.clock.now()
        )
    _say(changed, "It is told again.", json=json)


@app.command
async def remove(endpoint: Which, *, yes: bool = False, json: Json = False) -> None:
    """Forget an endpoint and what waits for it.

    Example: `ostiary webhook remove whe_01jd2m9q5ze8xv6k3w0t7r4ahc --yes`.

    Parameters
    ----------
    yes:
        Do not ask.
    """
    confirm("What waits for it is lost.", yes=yes)
    async with Ostiary(run_worker=False) as auth:
        await auth.services.messaging.remove_endpoint(
            parse_id(ENDPOINT_PREFIX, endpoint), by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json({"removed": endpoint})
    else:
        print_line("It is forgotten.")


@app.command(name="test")
async def call(endpoint: Which, *, json: Json = False) -> None:
    """Call an endpoint now, and exit 1 if it does not take the call.

    Example: `ostiary webhook test whe_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        error = await auth.services.messaging.test_endpoint(
            parse_id(ENDPOINT_PREFIX, endpoint), now=auth.clock.now()
        )
    if json:
        print_json({"delivered": error is None, "error": error})
    else:
        print_line("It took the call." if error is None else error)
    if error is not None:
        sys.exit(1)


def _say(endpoint: Endpoint, text: str, *, json: bool) -> None:
    if json:
        print_json(_facts(endpoint))
    else:
        print_line(text)


def _facts(endpoint: Endpoint) -> dict[str, object]:
    return {
        "id": endpoint.external_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        "created_at": endpoint.created_at,
        "created_by": endpoint.created_by,
        "disabled_at": endpoint.disabled_at,
    }
