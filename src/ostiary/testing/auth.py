"""A running auth for tests."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ostiary.app import Ostiary
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.identities import parse_email
from ostiary.features.outbox import Topic
from ostiary.features.registration import NewAccount
from ostiary.features.roles import OPERATOR
from ostiary.features.sessions import Authentication
from ostiary.features.sign_in import PasswordSignIn
from ostiary.foundation.secret import Secret
from ostiary.testing.clock import MovableClock
from ostiary.testing.messages import Tray
from ostiary.verifier import Principal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.outbox import Rendered
    from ostiary.features.sessions import Tokens

PASSWORD: Final = "a phrase that only tests know"  # noqa: S105 - opens nothing but a test's own database
WITH_A_SECOND_FACTOR: Final = ("pwd", "otp", "mfa")
_WEAK: Final = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}


@dataclass(frozen=True, slots=True)
class SignedInForTests:
    """Somebody who is signed in, and what their client holds."""

    principal: Principal
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """The header that makes a request theirs."""
        return {"Authorization": f"Bearer {self.access_token}"}


def principal(
    name: str,
    *,
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    entity_type: str = "user",
    now: datetime | None = None,
) -> Principal:
    """Make a principal out of nothing, for `app.dependency_overrides`: no token stands behind it."""
    moment = now or MovableClock().now()
    return Principal(
        identity_id=f"idn_{name}",
        entity_type=entity_type,
        entity_id=f"{entity_type}_{name}",
        session_id=f"ses_{name}",
        token_id=name,
        client_id="ostiary",
        epoch=0,
        roles=frozenset(roles),
        permissions=frozenset(permissions),
        scope=frozenset(),
        amr=("pwd",),
        authenticated_at=moment,
        issued_at=moment,
        expires_at=moment + timedelta(minutes=15),
    )


class AuthForTests:
    """An `Ostiary` under test: `auth` is the application's own, started; `clock` is the one it reads.

    Messages to people land in `sent`, the oldest first, as soon as somebody calls `deliver`.
    """

    def __init__(self, auth: Ostiary, clock: MovableClock, tray: Tray) -> None:
        self.auth: Final = auth
        self.clock: Final = clock
        self._tray = tray

    @property
    def sent(self) -> list[Rendered]:
        """What was sent so far: `to`, `template`, `subject`, `text`, `html`, and the `values` it was written with."""
        return self._tray.messages

    async def deliver(self) -> list[Rendered]:
        """Deliver every message that is due now, and return those that were sent by it.

        Raises `AssertionError` for a message that can never be written out or sent.
        """
        before = len(self.sent)
        dead = await self.auth.services.courier.deliver_due(now=self.clock.now())
        assert not dead, f"These messages are dead: {'; '.join(dead)}"  # noqa: S101 - it is for tests
        return self.sent[before:]

    def move(self, **by: float) -> None:
        """Move the clock, `move(minutes=20)`, and let the revocations be known as of the new moment."""
        self.clock.move(timedelta(**by))
        self.auth.services.sessions.revocations.live.confirm(self.clock.now())

    async def signed_in(
        self,
        name: str,
        *,
        roles: Iterable[str] = (),
        entity_type: str = "user",
        profile: dict[str, Any] | None = None,
        amr: tuple[str, ...] | None = None,
    ) -> SignedInForTests:
        """Sign somebody in, making them on first mention; `name` becomes `name@example.org`.

        They prove themselves with a password, and a second factor where the policy demands one; or, without any proof,
        with what `amr` says.
        """
        services, now = self.auth.services, self.clock.now()
        email = f"{name}@example.org"
        identity = await services.identities.find(entity_type, parse_email(email))
        if identity is None:
            account = NewAccount(
                entity_type=entity_type,
                email=email,
                phone=None,
                password=Secret(PASSWORD),
                profile=profile if profile is not None else {"display_name": name.title()},
            )
            made = await services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
            identity = await services.identities.get(made.id)
        async with services.database.transaction() as tx:
            for role in roles:
                await services.roles.ensure(tx, role, now=now)
        for role in roles:
            await services.role_administration.grant(identity.id, role, by=SYSTEM, now=now)
        if amr is not None:
            return self._holding(await self._session(identity.id, amr))
        attempt = PasswordSignIn(entity_type=entity_type, identifier=email, password=Secret(PASSWORD))
        outcome = await services.sign_in.with_password(attempt, origin=Origin(), now=now)
        if isinstance(outcome, SignedIn):
            return self._holding(outcome.tokens)
        if isinstance(outcome, FactorRequired):
            return self._holding(await self._session(identity.id, WITH_A_SECOND_FACTOR))
        raise AssertionError(f"{identity.external_id} could not be signed in: {outcome.reason}.")

    async def operator(self, name: str = "operator") -> SignedInForTests:
        """Sign in an administrator who may operate the installation, with a second factor."""
        return await self.signed_in(name, entity_type="admin", roles=[OPERATOR], amr=WITH_A_SECOND_FACTOR)

    async def _session(self, identity_id: UUID, amr: tuple[str, ...]) -> Tokens:
        services, now = self.auth.services, self.clock.now()
        async with services.database.transaction() as tx:
            credentials = await services.identities.lock_for_change(tx, identity_id)
            grants = await services.roles.granted(tx, identity_id, now=now)
            proven = Authentication.of(credentials, grants, Origin(), method="test", amr=amr)
            return services.sessions.start(tx, proven, now=now)

    def _holding(self, tokens: Tokens) -> SignedInForTests:
        access_token = tokens.access_token.reveal()
        return SignedInForTests(self.auth.verify(access_token), access_token, tokens.refresh_token.reveal())


@asynccontextmanager
async def auth_for_tests(auth: Ostiary | None = None, **settings: Any) -> AsyncIterator[AuthForTests]:
    """Run an auth on temporary storage, with cheap password hashes and a movable clock.

    Pass `database_url=…` for another database than SQLite. An application's own `auth` can be given instead, before it
    is started: it runs here with its own settings, a movable clock, and no work in the background.
    """
    if auth is not None:
        clock = auth.clock if isinstance(auth.clock, MovableClock) else MovableClock()
        auth.clock, auth.run_worker = clock, False
        async with _started(auth, clock) as running:
            yield running
        return
    clock = MovableClock()
    with tempfile.TemporaryDirectory(prefix="ostiary-test-") as folder:
        made = Ostiary(clock=clock, run_worker=False, **{"data": folder, "passwords": _WEAK} | settings)
        async with _started(made, clock) as running:
            yield running


@asynccontextmanager
async def _started(auth: Ostiary, clock: MovableClock) -> AsyncIterator[AuthForTests]:
    tray = Tray()
    auth.transports.update({Topic.EMAIL: tray, Topic.SMS: tray})
    async with auth:
        yield AuthForTests(auth, clock, tray)
