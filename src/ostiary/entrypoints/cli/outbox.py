"""`ostiary outbox`: what became of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.features.outbox import ENDPOINT_PREFIX, MESSAGE_PREFIX, State, Topic
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from ostiary.features.outbox import Entry

app = App(name="outbox", help="List messages, and send again what did not arrive.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command(name="list")
async def list_(
    *,
    state: State = State.PENDING,
    topic: Topic | None = None,
    limit: int = 50,
    before: str | None = None,
    json: Json = False,
) -> None:
    """List messages, the newest first; to whom they go and what they say is sealed.

    Example: `ostiary outbox list --state dead`.

    Parameters
    ----------
    state:
        pending, delivered or dead.
    topic:
        Only email, sms, event or webhook.
    limit:
        At most so many.
    before:
        Go on before this id.
    """
    async with Ostiary(run_worker=False) as auth:
        found = await auth.services.messages.list(
            state, topic=topic, limit=limit, before=parse_id(MESSAGE_PREFIX, before) if before else None
        )
    facts = [_facts(entry) for entry in found]
    if json:
        print_json(facts)
        return
    shown = ("id", "topic", "subject", "created_at", "attempts", "available_at", "last_error")
    print_table(f"Messages: {state}", shown, ([fact[name] for name in shown] for fact in facts))


@app.command
async def retry(
    message: str | None = None, /, *, dead: bool = False, topic: Topic | None = None, json: Json = False
) -> None:
    """Send a message within seconds, with all its attempts again; or every dead one.

    Example: `ostiary outbox retry msg_01jd2m9q5ze8xv6k3w0t7r4ahc` or `ostiary outbox retry --dead --topic email`.

    Parameters
    ----------
    message:
        Its id, from `ostiary outbox list`.
    dead:
        Every message that is dead and has not expired.
    topic:
        With --dead: only email, sms or webhook.
    """
    if (message is None) != dead:
        raise OstiaryError("Name one message, or write --dead for all that are.")
    async with Ostiary(run_worker=False) as auth:
        messaging, now = auth.services.messaging, auth.clock.now()
        if message is not None:
            await messaging.retry(parse_id(MESSAGE_PREFIX, message), by=SYSTEM, now=now)
            retried = 1
        else:
            retried = await messaging.retry_dead(topic, by=SYSTEM, now=now)
    if json:
        print_json({"retried": retried})
    else:
        print_line(f"{retried} messages go out within seconds, if a server runs.")


def _facts(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.external_id,
        "topic": entry.topic,
        "subject": entry.subject,
        "state": entry.state,
        "endpoint_id": format_id(ENDPOINT_PREFIX, entry.endpoint_id) if entry.endpoint_id else None,
        "created_at": entry.created_at,
        "available_at": entry.available_at,
        "expires_at": entry.expires_at,
        "attempts": entry.attempts,
        "delivered_at": entry.delivered_at,
        "failed_at": entry.failed_at,
        "last_error": entry.last_error,
    }
