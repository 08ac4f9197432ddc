"""`ostiary keys`: the root keys everything else is sealed under, and the keys tokens are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.features.signing_keys import State
from ostiary.first_run import generate_key
from ostiary.foundation.entropy import Entropy

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.signing_keys import KeyRecord

app = App(name="keys", help="Make root keys; list, rotate and retire signing keys.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
def generate(*, version: int = 1, json: Json = False) -> None:
    """Print a fresh root key, as OSTIARY_ROOT_KEYS takes it.

    Example: `ostiary keys generate > root.key`, and OSTIARY_ROOT_KEYS_FILE=root.key.

    Parameters
    ----------
    version:
        The key's number; a newer key has a larger one.
    """
    key = generate_key(Entropy(), version=version)
    if json:
        print_json({"root_key": key})
    else:
        print_line(key)


@app.command(name="list")
async def list_(*, json: Json = False) -> None:
    """List the signing keys, in the order of their turns.

    Published are `next`, `active` and `retiring` ones; `retired` ones have no private key any more.

    Example: `ostiary keys list`.
    """
    async with Ostiary(run_worker=False) as auth:
        keys = await auth.services.signing_keys.list()
    if json:
        print_json([_facts(key) for key in keys])
        return
    print_table(
        f"{len(keys)} signing keys, times in UTC",
        ("id", "algorithm", "state", "since", "signs from", "until"),
        (
            (
                key.kid,
                key.algorithm.value,
                key.state.value,
                *map(_moment, (key.created_at, key.activates_at, key.retires_at)),
            )
            for key in keys
        ),
    )


@app.command
async def rotate(*, now: bool = False, json: Json = False) -> None:
    """Let another key sign, as soon as everybody knows it: ten minutes after it was published.

    Keys rotate by themselves; this is for those who will not wait. Nobody is signed out.

    Example: `ostiary keys rotate`.

    Parameters
    ----------
    now:
        Do not wait. Until they read the keys again, other workers and applications refuse the new key's tokens.
    """
    async with Ostiary(run_worker=False) as auth:
        services = auth.services
        key = await services.administration.rotate_key(immediately=now, by=SYSTEM, now=auth.clock.now())
        await services.follower.keys_changed()
    if json:
        print_json(_facts(key))
    elif key.state is State.ACTIVE:
        print_line(
            f"{key.kid} signs from now on. The key before it stays published until its tokens are dead."
        )
    else:
        print_line(f"{key.kid} is published, and signs from {_moment(key.activates_at)} UTC on.")


@app.command
async def retire(kid: str, *, compromised: bool = False, json: Json = False) -> None:
    """Stop publishing a signing key and erase its private key.

    Keys retire by themselves when their last token is dead; one that is still needed is not retired by hand unless it
    is compromised.

    Example: `ostiary keys retire 01jd2m9q5ze8xv6k3w0t7r4ahc --compromised`.

    Parameters
    ----------
    kid:
        The key's id (`kid`), from `ostiary keys list`.
    compromised:
        Somebody else has the key. It goes at once, its successor with it, a fresh key signs, and every access token there
        is must be refreshed.
    """
    async with Ostiary(run_worker=False) as auth:
        services, now = auth.services, auth.clock.now()
        if compromised:
            changed = await services.administration.retire_compromised_key(kid, by=SYSTEM, now=now)
        else:
            changed = await services.administration.retire_key(kid, by=SYSTEM, now=now)
        await services.follower.keys_changed()
    # A fresh key is published and active in one go: what it is now says enough.
    keys = {key.kid: key for key in changed}.values()
    if json:
        print_json([_facts(key) for key in keys])
        return
    for key in keys:
        print_line(f"{key.kid} is {key.state}.")
    if not keys:
        print_line("It was retired before.")


def _facts(key: KeyRecord) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state,
        "created_at": key.created_at,
        "activates_at": key.activates_at,
        "retires_at": key.retires_at,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
