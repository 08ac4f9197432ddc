"""`python -m examples.food_market.market`: bring the database up to date, fill it if it is empty, and serve."""

import argparse
import asyncio
from pathlib import Path

import uvicorn
from alembic import command
from alembic.config import Config

from .accounts import PORT, auth
from .seed import PHRASE, seed


def migrate() -> None:
    """Bring Ostiary's tables up to date, then the market's, which refer to them."""
    asyncio.run(auth.deploy())
    command.upgrade(Config(Path(__file__).with_name("alembic.ini")), "head")


def main() -> None:
    """Do what was asked for; all of it, if nothing was."""
    parser = argparse.ArgumentParser(prog="python -m examples.food_market.market", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["migrate", "seed", "serve"], help="only this step")
    step = parser.parse_args().command
    if step in {None, "migrate"}:
        migrate()
        print("The tables are up to date.")
    if step in {None, "seed"} and asyncio.run(seed()):
        print(f'The market is filled. Everybody\'s password is "{PHRASE}"; who they are, README.md says.')
    if step in {None, "serve"}:
        print(f"Serving at http://127.0.0.1:{PORT}, described at /docs. README.md has requests to try.")
        uvicorn.run("examples.food_market.market.app:app", port=PORT)


if __name__ == "__main__":
    main()
