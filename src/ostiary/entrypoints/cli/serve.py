"""`ostiary serve`: the server."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path  # noqa: TC003 - the command line is read from the annotations
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from ostiary import settings as environment
from ostiary.app import Ostiary
from ostiary.entrypoints.cli import serving
from ostiary.entrypoints.cli.output import print_json, print_line
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from ostiary.foundation.secret import Secret
    from ostiary.settings import Settings

_DEFAULT_HOST: Final = "127.0.0.1"
_DEFAULT_PORT: Final = 8000


def serve(
    *,
    host: str = _DEFAULT_HOST,
    port: int = _DEFAULT_PORT,
    workers: int = 1,
    data: Path | None = None,
    json: bool = False,
) -> None:
    """Serve Ostiary.

    With nothing configured it keeps a SQLite database and a generated key in ./ostiary-data. Example:
    `OSTIARY_DATABASE_URL=postgresql://user@localhost/app ostiary serve --workers 2`.
    SIGTERM ends it gracefully; with several workers, SIGHUP replaces them one after the other.

    Parameters
    ----------
    host:
        The address to listen at.
    port:
        The port to listen at.
    workers:
        How many processes; more than one needs PostgreSQL.
    data:
        The folder for the SQLite database and the generated key; ./ostiary-data by default.
    json:
        Print what there is to know as one JSON line.
    """
    # Workers are processes of their own and read their settings from the environment as this one does.
    if data is not None:
        os.environ[f"{environment.PREFIX}DATA"] = str(data)
    settings = environment.load()
    if "public_url" not in settings.model_fields_set and (host, port) != (_DEFAULT_HOST, _DEFAULT_PORT):
        name = f"[{host}]" if ":" in host else host
        os.environ[f"{environment.PREFIX}PUBLIC_URL"] = f"http://{name}:{port}"
        settings = environment.load()
    if workers > 1 and settings.database.startswith("sqlite:"):
        raise OstiaryError(
            "SQLite serves one worker: use --workers 1, or set OSTIARY_DATABASE_URL to a PostgreSQL database."
        )
    bootstrap = asyncio.run(_prepare(workers))
    listener = serving.listen(host, port)
    _announce(settings, bootstrap, json=json)
    if workers > 1:
        sys.exit(serving.Supervisor(listener, workers).run())
    serving.serve_alone(listener)


async def _prepare(workers: int) -> Secret | None:
    """Make what a first start makes, once and before any worker; return the first administrator's token."""
    auth = Ostiary(run_worker=False)
    await auth.start(workers=workers)
    try:
        return await auth.services.registration.issue_bootstrap(now=auth.clock.now())
    finally:
        await auth.stop()


def _announce(settings: Settings, bootstrap: Secret | None, *, json: bool) -> None:
    address, folder = settings.public_url, str(settings.data.resolve())
    database = "PostgreSQL" if not settings.database.startswith("sqlite:") else "SQLite"
    unknown = environment.unknown_variables()
    if json:
        facts: dict[str, Any] = {
            "address": address,
            "reference": f"{address}/reference",
            "data": folder,
            "database": database,
            "unknown_variables": unknown,
        }
        print_json(facts | ({"bootstrap_token": bootstrap.reveal()} if bootstrap else {}))
        return
    text = Text()
    for name, value in (
        ("Address", address),
        ("Reference", f"{address}/reference"),
        ("Data", folder),
        ("Database", database),
    ):
        text.append(f"{name:<11}", style="bold").append(f"{value}\n")
    Console().print(Panel(text, title="Ostiary", title_align="left", expand=False))
    for name in unknown:
        print_line(f"{name} is set, but there is no such setting: is it misspelt?")
    if bootstrap is not None:
        print_line("There is no administrator yet. Make the first one, once, within a day:\n")
        print_line(
            f"curl {address}/v1/bootstrap -H 'Content-Type: application/json' -d "
            f'\'{{"token": "{bootstrap.reveal()}", "email": "you@example.org", "password": "a long phrase of yours"}}\'\n'
        )
        print_line(
            "An administrator has a second factor: go on with the answer's flow at /v1/login/enrol (docs/guides/sign-in.md).\n"
        )
