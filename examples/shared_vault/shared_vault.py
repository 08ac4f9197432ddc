"""Two browsers, one account at a provider, one row in the vault. See README.md beside this file."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from rich.console import Console
from surroundings import Browser, Reading, Server, Service, ostiary

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCOPES = ("--scope", "vault:read", "--scope", "vault:list")
Step = tuple[str, dict[str, Any]]


def demonstrate(server: Server, elsewhere: Provider) -> Iterator[Step]:
    """Do one thing after the other, and say of each what it was and what it showed."""
    laptop, phone = Browser(server.address), Browser(server.address)
    made = laptop.sign_in("local", "ada")["identity"]
    yield "Ada signs in at the provider with her laptop, and has an account here", {"identity": made["id"]}

    again = phone.sign_in("local", "ada")["identity"]
    (account,) = phone.ask("GET", "/v1/me/accounts")
    sessions = phone.ask("GET", "/v1/me/sessions")["sessions"]
    assert again["id"] == made["id"]
    assert len(sessions) == 2
    yield (
        "She signs in again with her phone: two sessions share one row in the vault",
        {"account": account["id"], "sessions": len(sessions)},
    )

    credential = server.command("service", "create", "calendar", *_SCOPES)["credential"]
    service = Service(server.address, credential)
    (listed,) = service.accounts(made["id"])
    token = service.read(listed["id"]).raise_for_status().json()["access_token"]
    assert (elsewhere.whose(token) or {}).get("sub") == "ada"
    yield "A service reads her live token, and the provider knows it", {"account": listed["id"]}

    with Reading(service, account["id"]) as reading:
        yield from _rotate(server)
        phone.sign_out()
        kept = service.read(account["id"])
        assert kept.is_success
        yield (
            "Her session on the phone ends: the laptop's still uses the tokens, and they stay",
            {"answer": kept.status_code},
        )

    assert reading.tokens
    assert not reading.refusals
    yield "All this time the service went on reading, and was never refused", {"reads": len(reading.tokens)}

    laptop.sign_out()
    gone = service.read(account["id"])
    assert gone.status_code == httpx2.codes.CONFLICT
    yield "Her last session ends, and the tokens are gone", {"answer": gone.json()["code"]}


def _rotate(server: Server) -> Iterator[Step]:
    """Replace the root key, and everything that was ever sealed with what it wrapped."""
    first = server.root_keys[0]
    second = server.command("keys", "generate", "--version", "2")["root_key"]
    server.hold(second, first)
    server.restart()
    yield "A second root key is there beside the first", {"root keys": 2}

    wrapped = server.command("vault", "rotate-kek")
    assert wrapped["may_be_removed"] == [1]
    yield "The data keys are wrapped anew, under the second root key", {"data keys": wrapped["rewrapped"]}

    sealed = server.command("vault", "reencrypt")
    assert (sealed["records"], sealed["left"]) == (1, 0)
    yield "Every record is sealed anew, under a fresh data key", {"records": sealed["records"]}

    server.hold(second)
    server.restart()
    (held,) = server.command("vault", "status")["root_keys"]
    yield "The first root key is thrown away", {"data keys under the second": held["data_keys"]}


def main() -> None:
    """Put up the surroundings, and show it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="an empty PostgreSQL database; a new SQLite file if not given")
    parser.add_argument("--json", action="store_true", help="print each step as a line of JSON")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    with ExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-shared-vault-")))
        elsewhere = around.enter_context(provider())
        settings = {
            "OSTIARY_PROVIDERS__LOCAL__ISSUER": elsewhere.issuer,
            "OSTIARY_PROVIDERS__LOCAL__CLIENT_ID": CLIENT_ID,
            "OSTIARY_PROVIDERS__LOCAL__CLIENT_SECRET": CLIENT_SECRET,
            "OSTIARY_PROVIDERS__LOCAL__ALGORITHMS": "ES256",
        }
        database = arguments.database_url or f"sqlite:///{folder}/shared_vault.db"
        server = around.enter_context(ostiary(folder, database, **settings))
        for said, shown in demonstrate(server, elsewhere):
            if arguments.json:
                print(json.dumps({"step": said, "shown": shown}))
            else:
                details = ", ".join(f"{name}: {value}" for name, value in shown.items())
                console.print(f"[green]✓[/green] {said}")
                console.print(f"  [dim]{details}[/dim]")


if __name__ == "__main__":
    main()
