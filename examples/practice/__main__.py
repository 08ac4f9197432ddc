"""`python -m examples.practice`: bring the database up to date, fill it if it is empty, and serve.

`migrate`, `seed` and `serve` do one of these alone.
"""

from __future__ import annotations

import argparse
import asyncio

import uvicorn
from examples.practice.accounts import PORT, auth
from examples.practice.app import app
from examples.practice.database import engine
from examples.practice.schema import migrate
from examples.practice.seed import PASSWORD, seed


async def _seed() -> None:
    auth.run_worker = False
    async with auth:
        filled = await seed()
    await engine.dispose()
    if filled:
        print(
            f"Cleo is a client (cleo@example.org, the password is “{PASSWORD}”), Grace a therapist, Theo waits to be"
            " one, and operator@example.org decides."
        )


def _serve() -> None:
    print(
        f"The practice is at http://127.0.0.1:{PORT}/docs, and its accounts are at {auth.settings.public_url}."
    )
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m examples.practice", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=["migrate", "seed", "serve"], help="all three if absent"
    )
    wanted = parser.parse_args().command
    if wanted in {None, "migrate"}:
        migrate()
    if wanted in {None, "seed"}:
        asyncio.run(_seed())
    if wanted in {None, "serve"}:
        _serve()


main()
