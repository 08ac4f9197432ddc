"""`ostiary vault`: the keys that seal, and moving on to newer ones."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.audit import SYSTEM

if TYPE_CHECKING:
    from ostiary.features.administration import DataKeyStatus, RootKeyStatus

app = App(name="vault", help="Look at the keys that seal, and move on to newer ones.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
async def status(*, json: Json = False) -> None:
    """Show the root keys and the data keys, what needs each, and which root keys may be removed.

    Example: `ostiary vault status`.
    """
    async with Ostiary(run_worker=False) as auth:
        found = await auth.services.key_care.status()
    if json:
        root_keys = [asdict(key) | {"may_be_removed": key.may_be_removed} for key in found.root_keys]
        print_json({"root_keys": root_keys, "data_keys": [asdict(key) for key in found.data_keys]})
        return
    print_table(
        f"{len(found.root_keys)} root keys",
        ("version", "held by", "data keys under it", ""),
        ((key.version, key.holder, key.data_keys, _advice(key)) for key in found.root_keys),
    )
    print_table(
        f"{len(found.data_keys)} data keys",
        ("id", "purpose", "root key", "since", "records"),
        (
            (
                key.id,
                _purpose(key),
                key.kek_version,
                f"{key.created_at:%Y-%m-%d}",
                key.records,
            )
            for key in found.data_keys
        ),
    )


@app.command(name="rotate-kek")
async def rotate_kek(*, json: Json = False) -> None:
    """Wrap every data key under the newest root key, so that older ones may be removed.

    First give every worker the new root key beside the old one, with a larger number, and restart them. May be stopped
    at any moment; the next run goes on.

    Example: `ostiary vault rotate-kek`.
    """
    async with Ostiary(run_worker=False) as auth:
        care = auth.services.key_care
        found = await care.status()
        newest = next(key.version for key in found.root_keys if key.is_newest)
        older = sum(key.kek_version != newest for key in found.data_keys)
        with ProgressDisplay(quiet=json) as progress:
            told = partial(progress.tell, "data keys", total=older)
            done = await care.rotate_kek(by=SYSTEM, now=auth.clock.now(), on_progress=told)
        unneeded = [key.version for key in (await care.status()).root_keys if key.may_be_removed]
    if json:
        print_json({"root_key": newest, "rewrapped": done, "may_be_removed": unneeded})
        return
    print_line(f"{done} data keys were wrapped anew. All of them are under root key {newest}.")
    if unneeded:
        versions = ", ".join(map(str, unneeded))
        print_line(
            f"Root keys that may be removed: {versions}. Backups from before still need them: keep them for as long as those."
        )


@app.command
async def reencrypt(*, json: Json = False) -> int:
    """Make a new data key for the vault, and seal every token under it, while everything runs; exit 1 if some are left.

    May be stopped at any moment: every token stays readable, and the next run goes on.

    Example: `ostiary vault reencrypt`.
    """
    async with Ostiary(run_worker=False) as auth:
        care = auth.services.key_care
        linked = await auth.services.vault.figures(auth.services.database)
        with ProgressDisplay(quiet=json) as progress:
            told = partial(progress.tell, "records", total=linked.kept)
            done = await care.reencrypt(by=SYSTEM, now=auth.clock.now(), on_progress=told)
    if json:
        print_json(done)
    else:
        begun = "An earlier run was finished" if done.resumed else "A new data key was made"
        print_line(f"{begun}: {done.records:,} records were sealed under {done.key_id}.")
        if done.retired:
            print_line(f"Retired, and deleted in an hour: {', '.join(done.retired)}.")
        if done.left:
            print_line(
                f"{done.left:,} records are still under an older key, as workers that had not heard of the new one wrote "
                "them: run this again in a minute."
            )
    return 1 if done.left else 0


def _purpose(key: DataKeyStatus) -> str:
    if key.retired_at is not None:
        return f"{key.purpose}, retired"
    return f"{key.purpose}, current" if key.is_current else key.purpose


def _advice(key: RootKeyStatus) -> str:
    if key.is_newest:
        return "wraps"
    return "may be removed" if key.may_be_removed else "needed: run `ostiary vault rotate-kek`"
