"""`Verifier`: what a resource server holds to check the tokens of an issuer that runs elsewhere."""

from __future__ import annotations

import atexit
import os
import re
from contextlib import asynccontextmanager
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Self
from weakref import WeakSet

from ostiary.foundation.clock import SystemClock
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.jose import InvalidToken, Refusal
from ostiary.verifier.access_tokens import RevocationsStale, RevokedToken
from ostiary.verifier.revocations import RevocationKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.foundation.clock import Clock
    from ostiary.foundation.secret import Secret
    from ostiary.verifier.follower import Follower
    from ostiary.verifier.principal import Principal

# Patterns are texts: compiling them is left to whoever makes a verifier.
_ISSUER: Final = (
    r"(https?)://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?"
)
_LOOPBACK: Final = r"(?i:localhost)|127(?:\.\d{1,3}){3}|\[::1\]"
_CREDENTIAL: Final = r"ost_service_[0-9A-Za-z]{1,64}_[A-Za-z0-9_-]{1,128}"


class VerifierNotStarted(RuntimeError):
    """A `Verifier` was used before it was started, or after it was stopped."""

    def __init__(self) -> None:
        super().__init__(
            "The verifier has not been started: write FastAPI(lifespan=verifier.lifespan), use `with verifier:`, or "
            "call verifier.start() when the application starts."
        )


class Verifier:
    """Checks access tokens of `issuer` in memory: its keys and its revocations are followed in the background.

    `credential` is a service credential with the scope `revocations:read`; `audience` is what tokens must be meant
    for, the issuer itself unless given. Revocations known `max_age` ago or longer count as unknown, and then a token
    is refused, or, with `when_stale="ask"`, the issuer is asked about it, for which the credential needs the scope
    `tokens:introspect`, too. `recent_authentication` is how old a sign-in may be where a route asks for a recent one.
    Raises `ValueError` for what cannot be right.

    Start it in each worker process, after the fork. One that was running when its process forked starts anew in the
    child at its first use.
    """

    def __init__(
        self,
        issuer: str,
        *,
        credential: str | Secret,
        audience: str | None = None,
        max_age: timedelta = timedelta(seconds=10),
        when_stale: Literal["refuse", "ask"] = "refuse",
        recent_authentication: timedelta = timedelta(minutes=10),
        clock: Clock | None = None,
        allow_plain_http_for_tests: bool = False,
    ) -> None:
        _require_usable(issuer, plain_http_allowed=allow_plain_http_for_tests)
        if max_age <= timedelta(0):
            raise ValueError(
                "max_age: how old the revocations may be is more than nothing, such as 10 seconds."
            )
        if when_stale not in {"refuse", "ask"}:
            raise ValueError('when_stale: one of "refuse" and "ask".')
        self.issuer: Final = issuer
        self.clock: Final = clock or SystemClock()
        self.recent_authentication: Final = recent_authentication
        self._credential = _usable(credential)
        self._audience = audience or issuer
        self._max_age = max_age
        self._asks_when_stale = when_stale == "ask"
        self._follower: Follower | None = None
        self._left_behind: Follower | None = None
        self._was_forked = False
        self._lock = Lock()

    def start(self) -> None:
        """Begin to follow the issuer, without waiting for it; does nothing if that has begun.

        Until the first answer, no token passes: see `wait_until_ready`.
        """
        # Loaded here, because whoever only imports the verifier should not pay for an HTTP client.
        from ostiary.verifier.follower import Follower  # noqa: PLC0415

        with self._lock:
            if self._follower is None:
                self._follower = Follower(
                    self.issuer,
                    self._credential,
                    audience=self._audience,
                    max_age=self._max_age,
                    clock=self.clock,
                )
                self._follower.start()
                _running.add(self)
                atexit.register(self.stop)

    def stop(self) -> None:
        """Stop following; no token can be checked any more. May be called twice."""
        with self._lock:
            follower, self._follower, self._was_forked = self._follower, None, False
            _running.discard(self)
            atexit.unregister(self.stop)
        if follower is not None:
            follower.stop()

    def wait_until_ready(self, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Wait until tokens can be checked; blocks. Raises `Unavailable`, which says what is in the way."""
        follower = self._follower or self._restarted()
        if not follower.is_ready.wait(timeout.total_seconds()):
            reason = follower.problem or "The issuer has not answered yet."
            raise Unavailable(f"Tokens of {self.issuer} cannot be checked yet. {reason}")

    def verify(self, token: str) -> Principal:
        """Return who presents an access token, without I/O.

        Raises `InvalidToken`, `RevokedToken`; `RevocationsStale`, or another `Unavailable`, while it cannot be known;
        and `VerifierNotStarted`. With `when_stale="ask"`, it blocks for up to two seconds where it would otherwise
        raise `RevocationsStale`: in an asynchronous application, that is the whole event loop.
        """
        follower = self._follower or self._restarted()
        now = self.clock.now()
        try:
            return follower.tokens.verify(token, now=now)
        except InvalidToken as refused:
            if refused.reason is not Refusal.UNKNOWN_KEY:
                raise
            if follower.tokens.revocations.is_stale(now):
                raise RevocationsStale from None
            follower.fetch_keys(now)
            if follower.lacks_keys:
                raise Unavailable(
                    "A new key of the issuer is not known here yet: try again shortly."
                ) from None
            raise
        except RevocationsStale:
            if not self._asks_when_stale:
                raise
        # Read first: nobody but the issuer's own tokens makes us ask.
        principal = follower.tokens.read(token, now=now)
        if not follower.is_live(token):
            raise RevokedToken(RevocationKind.TOKEN)
        return principal

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.stop()

    @asynccontextmanager
    async def lifespan(self, _application: object = None) -> AsyncIterator[None]:
        """Follow while the host runs: `FastAPI(lifespan=verifier.lifespan)`, or inside a lifespan of its own."""
        async with self:
            yield

    def _restarted(self) -> Follower:
        if not self._was_forked:
            raise VerifierNotStarted
        self.start()
        follower = self._follower
        if follower is None:  # stopped by another thread at this very moment
            raise VerifierNotStarted
        return follower

    def _forked(self) -> None:
        """Find ourselves in a child process, where the thread that followed does not exist.

        What it held may be half written. It is kept, so that nothing of it is closed under the parent's feet.
        """
        self._lock = Lock()
        self._left_behind, self._follower, self._was_forked = self._follower, None, True


_running: Final[WeakSet[Verifier]] = WeakSet()


def _after_fork() -> None:
    for verifier in list(_running):
        verifier._forked()  # noqa: SLF001 - the module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _require_usable(issuer: str, *, plain_http_allowed: bool) -> None:
    """Refuse what cannot be the issuer of a token, or would send the credential in the clear (JWT-02)."""
    found = re.fullmatch(_ISSUER, issuer)
    if found is None:
        raise ValueError(
            "issuer: the public URL of the Ostiary letter for letter, such as https://auth.example.org, with its mount "
            "prefix if it has one, and without a slash at the end."
        )
    if found[1] == "http" and not plain_http_allowed and re.fullmatch(_LOOPBACK, found[2]) is None:
        raise ValueError("issuer: https:// is needed, since keys and a credential travel there.")


def _usable(credential: str | Secret) -> Secret:
    # Loaded here: it brings a second copy of OpenSSL's digests, a tenth of what the verifier costs to import.
    from ostiary.foundation.secret import Secret  # noqa: PLC0415

    secret = Secret(credential) if isinstance(credential, str) else credential
    if re.fullmatch(_CREDENTIAL, secret.reveal()) is None:
        raise ValueError("credential: a service credential looks like ost_service_….")
    return secret
