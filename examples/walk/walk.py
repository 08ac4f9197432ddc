"""One person's account, from the first mail to the last. See README.md beside this file."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
from devices import AuthenticatorApp, Passkey
from rich.console import Console
from surroundings import Messages, mail_server, ostiary, sms_gateway

EMAIL, NEW_EMAIL, PHONE = "ada@example.org", "countess@example.org", "+41446681800"
PASSWORD, NEW_PASSWORD = "a long phrase only Ada knows", "another phrase she will remember"
_console = Console(highlight=False)


class Person:
    """Somebody with a client, a mailbox and a phone."""

    def __init__(self, address: str, messages: Messages) -> None:
        self._client = httpx2.Client(base_url=address, timeout=30)
        self.messages = messages
        self.tokens: dict[str, Any] = {}

    def ask(self, method: str, path: str, body: dict | None = None, *, expect: int = 200) -> Any:
        """Make a request and return its answer; what is not as expected ends the walk."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} if self.tokens else {}
        answer = self._client.request(method, path, json=body, headers=headers)
        if answer.status_code != expect:
            raise AssertionError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json() if answer.content else None

    def hold(self, answer: dict) -> None:
        """Keep the tokens of a session."""
        self.tokens = answer.get("tokens", answer)

    def drop(self) -> None:
        """Have no tokens any more."""
        self.tokens = {}


def register(ada: Person) -> None:
    """She registers with an e-mail address and a phone number; nothing exists before the address is proven."""
    body = {
        "email": EMAIL,
        "phone": PHONE,
        "password": PASSWORD,
        "profile": {"display_name": "Ada", "locale": "en"},
    }
    flow = ada.ask("POST", "/v1/register", body, expect=202)["flow"]
    token = ada.messages.link(EMAIL, "registration")
    ada.hold(ada.ask("POST", "/v1/register/confirm", {"token": token, "flow": flow}))
    identity = ada.ask("GET", "/v1/me")["identity"]
    assert identity["email_verified"]
    assert not identity["phone_verified"]


def onboard(ada: Person, elsewhere: Person) -> None:
    """Three steps: begun here, gone on with elsewhere, complete when the phone is proven as well."""
    ada.ask("POST", "/v1/onboarding", {"flow": "practice"})
    ada.ask("PUT", "/v1/onboarding/steps/about", {"data": {"name": "Ada Lovelace"}})
    elsewhere.hold(elsewhere.ask("POST", "/v1/login", {"identifier": EMAIL, "password": PASSWORD}))
    resumed = elsewhere.ask("GET", "/v1/onboarding")
    assert resumed["current_step"] == "contact"
    elsewhere.ask("PUT", "/v1/onboarding/steps/2", {"data": {"prefers": "phone"}})
    elsewhere.ask("PUT", "/v1/onboarding/steps/interests", {"skip": True})
    ada.ask("POST", "/v1/onboarding/complete", {}, expect=409)


def verify_phone(ada: Person) -> None:
    """She proves her number by the code she was sent, and the onboarding is complete."""
    ada.ask("POST", "/v1/verification/phone/confirm", {"code": ada.messages.code(PHONE)}, expect=204)
    done = ada.ask("POST", "/v1/onboarding/complete", {})
    assert done["completed_at"]
    assert done["verification"] == {"email": True, "phone": True}


def add_factors(ada: Person, elsewhere: Person, passkey: Passkey) -> AuthenticatorApp:
    """She adds an authenticator app and a passkey; her other session ends, and she is told."""
    enrolled = ada.ask("POST", "/v1/me/factors/totp", {"label": "phone"})
    assert enrolled["qr_svg"].startswith(("<svg", "<?xml"))
    app = AuthenticatorApp(enrolled["secret"])
    confirmed = ada.ask("POST", f"/v1/me/factors/totp/{enrolled['id']}/confirm", {"code": app.next_code()})
    assert len(confirmed["recovery_codes"]) == 10
    ada.messages.read(EMAIL, "authenticator")
    elsewhere.ask("GET", "/v1/me", expect=401)
    body = {"password": PASSWORD, "method": "totp", "code": app.next_code()}
    ada.hold(ada.ask("POST", "/v1/me/reauthenticate", body))
    begun = ada.ask("POST", "/v1/me/passkeys/options", {})
    made = {"ceremony": begun["ceremony"], "credential": passkey.create(begun["options"]), "label": "laptop"}
    ada.ask("POST", "/v1/me/passkeys", made, expect=201)
    ada.messages.read(EMAIL, "passkey")
    return app


def forget_password(ada: Person) -> None:
    """She signs out and has forgotten her password: a link sets another one, and signs nobody in."""
    ada.ask("POST", "/v1/logout", {}, expect=204)
    ada.ask("GET", "/v1/me", expect=401)
    ada.drop()
    ada.ask("POST", "/v1/password/forgot", {"identifier": EMAIL}, expect=202)
    token = ada.messages.link(EMAIL, "choose a new password")
    ada.ask("POST", "/v1/password/reset", {"token": token, "new_password": NEW_PASSWORD}, expect=204)
    ada.ask("POST", "/v1/login", {"identifier": EMAIL, "password": PASSWORD}, expect=401)


def sign_in_again(ada: Person, passkey: Passkey) -> None:
    """The new password is not enough: her passkey is the second factor. Alone it is enough, without a name."""
    flow = ada.ask("POST", "/v1/login", {"identifier": EMAIL, "password": NEW_PASSWORD})
    assert flow["status"] == "factor_required"
    assert {"totp", "passkey", "recovery_code"} <= set(flow["factors"])
    begun = ada.ask("POST", "/v1/login/factor/passkey", {"flow": flow["flow"]})
    proof = {"ceremony": begun["ceremony"], "credential": passkey.get(begun["options"])}
    body = {"flow": flow["flow"], "method": "passkey", **proof}
    ada.hold(ada.ask("POST", "/v1/login/factor", body))
    ada.ask("POST", "/v1/logout", {}, expect=204)
    ada.drop()
    begun = ada.ask("POST", "/v1/login/passkey/options", {})
    body = {"ceremony": begun["ceremony"], "credential": passkey.get(begun["options"])}
    ada.hold(ada.ask("POST", "/v1/login/passkey", body))


def change_email(ada: Person) -> None:
    """Her address changes when the new one proves itself; the old one is told, and could undo it."""
    ada.ask("POST", "/v1/me/email", {"email": NEW_EMAIL}, expect=202)
    assert ada.ask("GET", "/v1/me")["identity"]["email"] == EMAIL
    token = ada.messages.link(NEW_EMAIL)
    ada.ask("POST", "/v1/verification/email/confirm", {"token": token}, expect=204)
    assert ada.ask("GET", "/v1/me")["identity"]["email"] == NEW_EMAIL
    assert ada.messages.link(EMAIL, "changed")


def export(ada: Person) -> dict:
    """She takes everything with her."""
    data = ada.ask("GET", "/v1/me/export")
    text = json.dumps(data)
    assert NEW_EMAIL in text
    assert "Ada Lovelace" in text
    return data


def leave(ada: Person) -> None:
    """She has her account deleted, gets a receipt, and nothing opens it any more."""
    receipt = ada.ask("DELETE", "/v1/me", expect=202)
    assert receipt["erase_after"] > receipt["requested_at"]
    ada.messages.read(NEW_EMAIL, "delet")
    ada.ask("GET", "/v1/me", expect=401)
    ada.drop()
    ada.ask("POST", "/v1/login", {"identifier": NEW_EMAIL, "password": NEW_PASSWORD}, expect=401)


def walk(address: str, messages: Messages) -> None:
    """Walk the whole way, and say so step by step."""
    ada, elsewhere, passkey = Person(address, messages), Person(address, messages), Passkey(address)
    for step in (
        lambda: register(ada),
        lambda: onboard(ada, elsewhere),
        lambda: verify_phone(ada),
        lambda: add_factors(ada, elsewhere, passkey),
        lambda: forget_password(ada),
        lambda: sign_in_again(ada, passkey),
        lambda: change_email(ada),
        lambda: export(ada),
        lambda: leave(ada),
    ):
        step()
        name = step.__code__.co_names[0]
        story = " ".join((globals()[name].__doc__ or "").split())
        _console.print(f"[green]✓[/green] {story}")


def main() -> None:
    """Put up the surroundings, and walk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="an empty PostgreSQL database; a new SQLite file if not given")
    arguments = parser.parse_args()
    with ExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-walk-")))
        messages = Messages()
        settings = {
            "OSTIARY_MAIL__URL": around.enter_context(mail_server(messages)),
            "OSTIARY_SMS__URL": around.enter_context(sms_gateway(messages)),
        }
        database = arguments.database_url or f"sqlite:///{folder}/walk.db"
        address = around.enter_context(ostiary(folder, database, **settings))
        _console.print(f"Ostiary serves at {address}, with a mail server and an SMS gateway beside it.\n")
        walk(address, messages)


if __name__ == "__main__":
    main()
