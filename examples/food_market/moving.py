"""The food market moves to Ostiary, back, and forward again, while its people sign in all the time. See README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2
from people import EXCHANGE, OLD_SESSION, SESSION, SIGN_IN, Balancer, Crowd, Person, Phase
from rich.console import Console
from rich.table import Table
from surroundings import After, Before

sys.path.insert(0, str(Path(__file__).parent / "before"))
from database import connect
from seed import password_of

PHRASE, PEOPLE = "a phrase of yours", 24
# By number or address, and what they sign in with; the README of the market before says who they are.
KNOWN = {
    1: {"phone": "+12025550101"},
    2: {"email": "cleo.costa.2@example.org"},
    3: {"email": "dora.duarte.3@example.org"},
    9: {"email": "jun.berg.9@example.org"},
    11: {"phone": "+12025550111"},
}
CHANGING = {"email": "kaja.costa.10@example.org"}
NEW_PASSWORD, ZOES_PASSWORD = "a phrase Kaja chose at the new one", "a phrase of Zoe's own"
ZOE = {"email": "zoe@example.org"}
BAR = 30


class Move:
    """One thing after the other, each told as it is done."""

    def __init__(
        self, market: str, before: Before, after: After, balancer: Balancer, crowd: Crowd, console: Console
    ):
        self.market, self.before, self.after = market, before, after
        self.balancer, self.crowd = balancer, crowd
        self._console = console
        self.people = {n: Person(n, login, password_of(PHRASE, n)) for n, login in KNOWN.items()}
        self.kaja = Person(10, CHANGING, password_of(PHRASE, 10))
        self.zoe = Person(99, ZOE, ZOES_PASSWORD)
        self.ended = ""
        """The token of a session that Kaja ended by changing her password."""
        self.facts: dict[str, Any] = {}

    def tell(self, said: str) -> None:
        """Say what was done, when, and who serves."""
        at, serving = self.balancer.elapsed, self.balancer.serving.name
        colour = "yellow" if serving == "before" else "green"
        self._console.print(f"[dim]{at:5.1f} s[/dim]  [{colour}]{serving:<6}[/{colour}]  {said}")

    def walk(self) -> None:
        """Walk the whole way: there, back, there again, and no way back."""
        self.begin()
        self.prepare()
        self.cut_over("cutting over")
        self.soak()
        self.roll_back()
        self.go_forward_again()
        self.contract()

    def begin(self) -> None:
        """People sign in at the old application, and will go on to do so."""
        self.balancer.begin("as ever")
        for person in (*self.people.values(), self.kaja):
            _must(person.sign_in(self.before))
        self.crowd.join([*self.people.values(), self.kaja])
        self.crowd.wait()
        self.tell(f"{len(self.people) + 1} people sign in all the time, with old passwords and old sessions")

    def prepare(self) -> None:
        """Plan, run and verify, while the old application serves."""
        self.balancer.begin("planning")
        planned = self.after.command("plan", "--profile", "auth-entity", "--out", "plan")
        self.tell(f"planned: every one of {sum(planned['report']['rows'].values())} rows is accounted for")
        self.balancer.begin("taking over")
        ran = self.after.command("run", "--plan", "plan")["status"]
        self.tell(f"taken over: {ran['identities']} accounts of {ran['total']} people; changes are noted")
        self.crowd.wait()
        self.facts["identities"] = ran["identities"]
        self.catch_up()
        self.after.start()
        self.tell("the new application has started, and nobody is led there yet")

    def catch_up(self) -> None:
        """Take over what has changed meanwhile, and compare both sides."""
        self.balancer.begin("verifying")
        caught_up = self.after.command("run", "--plan", "plan")["status"]
        canaries = "".join(
            f"{next(iter(person.login.values()))}\t{person.password}\n" for person in self.people.values()
        )
        verified = self.after.command("verify", "--level", "deep", "--canaries", "-", told=canaries)
        assert verified["is_green"]
        compared = sum(check["total"] for check in verified["checks"].values())
        self.tell(f"verified: {compared} comparisons, nothing differs; {caught_up['pending']} changes wait")

    def cut_over(self, name: str) -> None:
        """Lead everybody to the new application."""
        self.balancer.begin(name)
        self.balancer.announce()
        self.after.command("cutover", "--yes")
        self.balancer.switch(self.after)
        self.tell("cut over: everybody is led to the new application")

    def soak(self) -> None:
        """The new application serves: a password is changed, and somebody registers."""
        self.balancer.begin("soaking")
        self.crowd.wait()
        self.tell("old passwords sign in here, and old sessions are exchanged")
        with self.kaja.turn:
            _must(self.kaja.sign_in(self.after))
            kept, body = self.kaja.old_sessions[0], {"current_password": self.kaja.password}
            answer = self.kaja.send_signed_in(
                self.after, "/auth/v1/me/password", body | {"new_password": NEW_PASSWORD}
            )
            _must(answer)
            self.kaja.password, self.kaja.old_sessions = NEW_PASSWORD, []
            _must(self.kaja.sign_in(self.after))
            assert self.kaja.exchange(self.after, kept).status_code == httpx2.codes.UNAUTHORIZED
            self.ended = kept
        body = self.zoe.login | {"password": self.zoe.password, "profile": {"display_name": "Zoe"}}
        answer = _must(self.zoe.send(self.after, "POST", "/auth/v1/register", body))
        self.zoe.hold(self.after, answer.json())
        _must(self.zoe.sign_in(self.after))
        self.crowd.wait()
        self.tell("Kaja changed her password, which ended her other sessions; Zoe registered")

    def roll_back(self) -> None:
        """The old application serves again, with what was changed at the new one."""
        self.balancer.begin("going back")
        foreseen = self.after.command("rollback", "--dry-run")
        self.facts["foreseen"] = foreseen
        self.balancer.announce()
        # Nobody changes anything while everything goes back.
        self.after.stop()
        self.after.command("rollback", "--yes")
        self.balancer.switch(self.before)
        lost = len(foreseen["irreversible"])
        self.tell(
            f"rolled back: {foreseen['rows_changed']} row written; {lost} person has an account only here: Zoe"
        )
        self.balancer.begin("back again")
        self.crowd.wait()
        with self.kaja.turn:
            _must(self.kaja.sign_in(self.before))
            came = self.kaja.send(self.before, "GET", "/me", token=self.ended)
            assert came.status_code == httpx2.codes.UNAUTHORIZED
        self.tell("Kaja's new password works here, the sessions she ended do not, and everybody else's go on")

    def go_forward_again(self) -> None:
        """Once more, from where it stands."""
        self.catch_up()
        self.after.start()
        self.cut_over("cutting over again")
        self.balancer.begin("soaking again")
        self.crowd.wait()
        _must(self.zoe.sign_in(self.after))
        self.tell("everybody signs in at the new application again, by password and by old session; Zoe, too")

    def contract(self) -> None:
        """Nothing of passwords and tokens is left behind."""
        self.balancer.begin("contracting")
        self.before.stop()
        secrets = asyncio.run(secrets_of(self.market))
        assert self.after.command("verify", "--level", "deep")["is_green"]
        erased = self.after.command("contract", "--min-soak", "0", "--yes")["erased"]
        self.facts["erased"] = erased
        self.tell(f"contracted: hashes of {erased['user']} people and {erased['token']} tokens are erased")
        left = asyncio.run(what_is_left(self.market, secrets))
        self.facts["left"] = left
        assert left == {"secrets": len(secrets), "in the old tables": 0, "tokens in the files": 0}, left
        self.tell(f"nothing is left of {len(secrets)} hashes and tokens")
        self.balancer.begin("afterwards")
        self.crowd.wait(3)
        _must(self.zoe.sign_in(self.after))
        self.facts["status"] = self.after.command("status")
        self.tell("everybody goes on signing in")


def _must(answer: httpx2.Response) -> httpx2.Response:
    if not answer.is_success:
        raise AssertionError(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer


def show(phases: list[Phase], console: Console) -> None:
    """Print what people were answered, phase by phase."""
    kinds = (SIGN_IN, OLD_SESSION, EXCHANGE, SESSION)
    table = Table(title="Requests, phase by phase", title_justify="left")
    table.add_column("phase")
    table.add_column("served by")
    for name in ("seconds", *kinds, "asked again", "refused", "longest wait"):
        table.add_column(name, justify="right")
    for phase in phases:
        numbers = [str(phase.answered.get(kind, "")) for kind in kinds]
        table.add_row(
            *(phase.name, phase.serving, f"{phase.ended - phase.began:.1f}", *numbers),
            *(str(phase.asked_again or ""), str(len(phase.refused)), f"{phase.longest:.2f} s"),
        )
    console.print(table)
    most = max(sum(phase.answered.values()) for phase in phases)
    for phase in phases:
        colour = "yellow" if phase.serving == "before" else "green"
        answered = sum(phase.answered.values())
        bar = "█" * round(BAR * answered / most)
        console.print(f"{phase.name:<18} [{colour}]{bar}[/{colour}] {answered}")


async def secrets_of(market: str) -> set[str]:
    """Return every token and every hash that lies in the old tables."""
    database = await connect(market)
    async with database.transaction() as db:
        tokens = await db.fetch("SELECT token AS text FROM token")
        hashes = await db.fetch('SELECT password AS text FROM "user" WHERE password IS NOT NULL')
    await database.close()
    return {row["text"] for row in (*tokens, *hashes)}


async def what_is_left(market: str, secrets: set[str]) -> dict[str, int]:
    """Count what of them is left: in the old tables, and, of the tokens, anywhere in the files of SQLite."""
    rows = []
    database = await connect(market)
    async with database.transaction() as db:
        for table in ("user", "role", "user_role", "user_address", "vendors", "vendor_menus", "token"):
            rows += await db.fetch(f'SELECT * FROM "{table}"')
    await database.close()
    text = str(rows)
    file = market.removeprefix("sqlite:///")
    files = [Path(file), Path(f"{file}-wal")] if market.startswith("sqlite:///") else []
    content = b"".join(path.read_bytes() for path in files if path.exists())
    return {
        "secrets": len(secrets),
        "in the old tables": sum(secret in text for secret in secrets),
        # Hashes of those who have not signed in yet are Ostiary's now, and may lie in the same file.
        "tokens in the files": sum(
            secret.encode() in content for secret in secrets if not secret.startswith("$")
        ),
    }


def main() -> None:
    """Put up both applications, and move."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--market", help="an empty database for the market; a new SQLite file if not given")
    parser.add_argument("--ostiary", help="an empty database for Ostiary; the market's own if not given")
    parser.add_argument("--json", action="store_true", help="print what happened as JSON, and nothing else")
    asked = parser.parse_args()
    console = Console(highlight=False, quiet=asked.json)
    with ExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory(prefix="food-market-")))
        market = asked.market or f"sqlite:///{folder}/market.db"
        before, after = Before(folder, market), After(folder, market, asked.ostiary or market)
        before.fill(PHRASE, PEOPLE)
        for application in (before, after):
            around.callback(application.stop)
        before.start()
        balancer = Balancer(before)
        crowd = around.enter_context(Crowd(balancer))
        move = Move(market, before, after, balancer, crowd, console)
        move.walk()
        balancer.phases[-1].ended = balancer.elapsed
    show(balancer.phases, console)
    if asked.json:
        print(json.dumps({"phases": [asdict(phase) for phase in balancer.phases], **move.facts}))


if __name__ == "__main__":
    main()
