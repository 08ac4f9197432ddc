"""`python -m examples.event_platform`: migrate, seed what is empty, and serve; or one of these, or check a draw."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import uvicorn
from pydantic import ValidationError

from .accounts import PORT, auth
from .app import app
from .database import engine, migrate
from .draws import Draw, problem_of
from .seed import PASSWORD, PEOPLE, seed


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m examples.event_platform", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    for name, what in (("migrate", "bring the tables up to date"), ("seed", "fill them"), ("serve", "serve")):
        commands.add_parser(name, help=what)
    checking = commands.add_parser(
        "check", help="compute a draw again: a winner, as JSON, on the standard input"
    )
    checking.add_argument("commitment", help="what the prize promised before the draw")
    asked = parser.parse_args()
    if asked.command == "check":
        sys.exit(check(sys.stdin.read(), asked.commitment))
    is_to_seed = asked.command == "seed" or (asked.command is None and auth.settings.env == "development")
    asyncio.run(prepare(is_to_migrate=asked.command in {None, "migrate"}, is_to_seed=is_to_seed))
    if asked.command in {None, "serve"}:
        print(f"Look at http://127.0.0.1:{PORT}, and at http://127.0.0.1:{PORT}/docs for what can be asked.")
        uvicorn.run(app, port=PORT, log_level="warning")


async def prepare(*, is_to_migrate: bool, is_to_seed: bool) -> None:
    """Bring the tables up to date, and fill them if they are empty, saying who is there."""
    if is_to_migrate:
        await migrate()
    if is_to_seed and await seed():
        print(f"There are {', '.join(f'{name}@example.org' for name in PEOPLE)}. Password: {PASSWORD}")
        print("Olivia organizes a raffle: sign in as her and draw.")
    # Its connections belong to this event loop; the server has another.
    await engine.dispose()


def check(told: str, commitment: str) -> int:
    """Compute a draw again, and say what came out; return the exit status."""
    try:
        draw = Draw.model_validate(json.loads(told)["metadata"]["draw"])
    except (ValueError, KeyError, TypeError, ValidationError):
        print("This is no winner: send one of those that /rooms/…/winners shows.", file=sys.stderr)
        return 2
    problem = problem_of(draw, commitment)
    print(problem or f"{draw.winner} won fairly, out of {len(draw.candidates)}.")
    return 1 if problem else 0


if __name__ == "__main__":
    main()
