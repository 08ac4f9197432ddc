"""What every framework's integration does with a request: ask who it is from, and fold a refusal.

Whoever checks the tokens, an `Ostiary` in the same process or a `Verifier` of one elsewhere, the answers are the same.
With a `Verifier`, only bearer tokens count: cookies belong to the site of the issuer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from ostiary.entrypoints.http.errors import FOLDS, HttpProblem, ProblemCode, Refusal, fold
from ostiary.entrypoints.http.gate import bearer_token, merged
from ostiary.entrypoints.http.routes import signed_in
from ostiary.foundation.errors import OstiaryError
from ostiary.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostiary.app import Ostiary
    from ostiary.entrypoints.http.routes import Guard
    from ostiary.verifier import Principal

Auth: TypeAlias = "Ostiary | Verifier"


class RequestRefused(Exception):
    """A request may not pass; `refusal` is what to answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.document["detail"])
        self.refusal = refusal


class Checkpoint:
    """Lets those pass whom a guard lets pass, the same in every framework.

    `permissions` are what the caller's roles must allow, all of them; `entity_types` names the kinds of account (all, if
    none is named), `roles` what they must all have; `recent` asks for a recent authentication: within `OSTIARY_SESSIONS__RECENT_AUTHENTICATION`, or what the `Verifier` was given; `second_factor` for a session
    that two factors, or a passkey that knew its owner, started.
    """

    def __init__(
        self,
        auth: Auth,
        permissions: Iterable[str],
        *,
        entity_types: Iterable[str],
        roles: Iterable[str],
        recent: bool,
        second_factor: bool,
    ) -> None:
        self._door: _Door = _VerifierDoor(auth) if isinstance(auth, Verifier) else _OstiaryDoor(auth)
        self._guard = signed_in(
            entity_types=entity_types,
            roles=roles,
            permissions=permissions,
            recent=recent,
            second_factor=second_factor,
        )

    def admit(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Return who asks, without I/O; header names are lower case. Raises `RequestRefused`."""
        try:
            return self._door.admit(method, merged(headers), self._guard)
        except OstiaryError as error:
            problem = fold(error, FOLDS)
            if problem is None:
                raise
            raise RequestRefused(Refusal.of(problem, self._door.issuer)) from None


def wsgi_headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[bytes, bytes]]:
    """Give the headers of a WSGI request the form ASGI has (PEP 3333: they are Latin-1)."""
    for name, value in headers:
        yield name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace")


class _Door(Protocol):
    @property
    def issuer(self) -> str: ...

    def admit(self, method: str, headers: Mapping[bytes, bytes], guard: Guard) -> Principal: ...


class _OstiaryDoor:
    def __init__(self, auth: Ostiary) -> None:
        self._auth = auth

    @property
    def issuer(self) -> str:
        return self._auth.settings.public_url

    def admit(self, method: str, headers: Mapping[bytes, bytes], guard: Guard) -> Principal:
        return self._auth.services.gate.admit(method, headers, guard, now=self._auth.clock.now())


class _VerifierDoor:
    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    @property
    def issuer(self) -> str:
        return self._verifier.issuer

    def admit(self, _method: str, headers: Mapping[bytes, bytes], guard: Guard) -> Principal:
        token = bearer_token(headers.get(b"authorization"))
        if token is None:
            raise HttpProblem(ProblemCode.UNAUTHENTICATED)
        principal = self._verifier.verify(token)
        refusal = guard.refusal(
            principal, now=self._verifier.clock.now(), recent=self._verifier.recent_authentication
        )
        if refusal is not None:
            raise HttpProblem(refusal)
        return principal
