"""`ostiary schema`: the database's tables and their history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ostiary import schema
from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import confirm, print_json, print_line, print_table
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.identities import IdentifierTaken
from ostiary.features.registration import NewAccount
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret
from ostiary.settings import Settings, load

app = App(name="schema", help="Create, deploy and check the database's tables.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]
Yes = Annotated[bool, Parameter(help="Do it without asking.")]

_SEED = (("user", "ada"), ("user", "grace"), ("service", "reports"), ("admin", "operator"))


@app.command
async def deploy(*, json: Json = False) -> None:
    """Apply every pending revision; several processes may do so at once, and one works.

    Example: `ostiary schema deploy`.
    """
    applied = await schema.deploy(_settings().database)
    _tell({"applied": applied}, f"Applied {', '.join(applied)}." if applied else "Nothing to do.", json=json)


@app.command
async def status(*, json: Json = False) -> int:
    """Show which revision the database is at; exit 1 when some are pending.

    Example: `ostiary schema status --json`.
    """
    found = await schema.status(_settings().database)
    facts = {"current": found.current, "head": found.head, "pending": list(found.pending)}
    text = f"At {found.current or 'none'}; this release needs {found.head}."
    _tell(facts, text + (f" Pending: {', '.join(found.pending)}." if found.pending else ""), json=json)
    return 1 if found.pending else 0


@app.command
async def check(*, json: Json = False) -> int:
    """Compare the database with this release, and print each difference; exit 1 when there is one.

    Example: `ostiary schema check`.
    """
    differences = await schema.check(_settings().database)
    if json:
        print_json([{"kind": d.kind, "name": d.name, "difference": str(d)} for d in differences])
    elif differences:
        print_table("Differences", ("kind", "name", "what"), ((d.kind, d.name, d) for d in differences))
    else:
        print_line("The database is as this release wants it.")
    return 1 if differences else 0


@app.command
async def create(message: str, *, json: Json = False) -> None:
    """Draft a new revision from the difference between the tables and the history, in a source checkout.

    Example: `ostiary schema create "remember devices"`.
    """
    path = await schema.create(message, Path.cwd())
    _tell({"path": str(path)}, f"Wrote {path}: read it before you keep it.", json=json)


@app.command
async def resolve(revision: str, *, applied: bool, json: Json = False) -> None:
    """Mark a revision as applied, or as not applied, without running it.

    Example: `ostiary schema resolve 0001 --applied`.
    """
    await schema.resolve(_settings().database, revision, applied=applied)
    state = "applied" if applied else "not applied"
    _tell({"revision": revision, "state": state}, f"Marked {revision} as {state}.", json=json)


@app.command
async def downgrade(revision: str, *, yes: Yes = False, json: Json = False) -> None:
    """Undo every revision after `revision`, or all of them for `base`; what they made room for goes with them.

    Example: `ostiary schema downgrade 0001`.
    """
    confirm(f"Undo every revision after {revision}, with the data they hold?", yes=yes)
    undone = await schema.downgrade(_settings().database, None if revision == "base" else revision)
    _tell({"undone": undone}, f"Undid {', '.join(undone)}." if undone else "Nothing to do.", json=json)


@app.command
async def reset(*, yes: Yes = False, json: Json = False) -> None:
    """Empty the development database: undo everything and deploy again. Refused outside development.

    Example: `ostiary schema reset --yes`.
    """
    settings = _settings()
    if settings.env == "development":
        confirm("Delete everything in this development database?", yes=yes)
    applied = await schema.reset(settings.database, settings.env)
    _tell({"applied": applied}, "The database is empty and current.", json=json)


@app.command
async def seed(*, json: Json = False) -> None:
    """Fill the development database with a few accounts, and print their common password. Refused outside development.

    Example: `ostiary schema seed`.
    """
    settings = _settings()
    if settings.env != "development":
        raise OstiaryError("`schema seed` makes example accounts, so it runs in development only.")
    password = Entropy().token_bytes(12).hex()
    made: list[str] = []
    async with Ostiary(settings, run_worker=False) as auth:
        for entity_type, name in _SEED:
            account = NewAccount(
                entity_type=entity_type,
                email=f"{name}@example.org",
                phone=None,
                password=Secret(password),
                profile={"display_name": name.title()},
            )
            try:
                await auth.services.registration.create(
                    account, by=SYSTEM, origin=Origin(), now=auth.clock.now()
                )
            except IdentifierTaken:
                continue
            made.append(f"{name}@example.org")
    facts: dict[str, Any] = {"made": made} | ({"password": password} if made else {})
    text = f"Made {', '.join(made)} with the password {password}" if made else "They are all there already."
    _tell(facts, text, json=json)


@app.command
def guard(table: str, *, json: Json = False) -> None:
    """Print the SQL of the trigger that deletes an identity when its row in your profile table is deleted.

    Example: `ostiary schema guard vendors | psql app`.

    Parameters
    ----------
    table:
        A table with a column `identity_id`.
    """
    dialect = "sqlite" if _settings().database.startswith("sqlite:") else "postgresql"
    statements = schema.guard_profile_table(table, dialect)
    _tell({"statements": statements}, ";\n".join(statements) + ";", json=json)


def _settings() -> Settings:
    settings = load()
    if settings.env == "development" and settings.database_url is None:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings


def _tell(facts: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_line(text)
