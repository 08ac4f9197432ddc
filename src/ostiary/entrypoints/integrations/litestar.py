"""Litestar: a guard, for a handler, a controller, a router or the application.

```python
@get("/reports", guards=[SignedIn(auth, roles=["editor"])])
async def reports(request: Request[Principal, Any, Any]) -> str:
    return request.user.entity_id
```

With `Litestar(plugins=[ProblemDetailsPlugin()])`, a refusal is the same problem document our own routes answer;
without it, Litestar's own form around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.plugins.problem_details import ProblemDetailsException

from ostiary.entrypoints.integrations.requests import Checkpoint, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from ostiary.entrypoints.http.errors import Refusal
    from ostiary.entrypoints.integrations.requests import Auth


class Refused(ProblemDetailsException):
    """A refusal as Litestar knows it."""

    def __init__(self, refusal: Refusal) -> None:
        document = dict(refusal.document)
        del document["status"]
        super().__init__(
            status_code=refusal.status,
            headers=refusal.headers,
            type_=document.pop("type"),
            title=document.pop("title"),
            detail=document.pop("detail"),
            extra=document,
        )


class SignedIn:
    """A guard that lets signed-in callers pass, and makes their `Principal` the `request.user`.

    `auth` is an `Ostiary` (bearer token or cookie) or a `Verifier` (bearer token). `permissions` are what the
    caller's roles must allow, all of them: `SignedIn(auth, "reports:read")`. `entity_types` names the kinds of account
    that may pass (all, if none is named), `roles` what they must all have; `recent` asks for an authentication within
    `OSTIARY_SESSIONS__RECENT_AUTHENTICATION`, or what the `Verifier` was given; `second_factor` for a session
    that two factors, or a passkey that knew its owner, started.
    """

    def __init__(
        self,
        auth: Auth,
        *permissions: str,
        entity_types: Iterable[str] = (),
        roles: Iterable[str] = (),
        recent: bool = False,
        second_factor: bool = False,
    ) -> None:
        self._checkpoint = Checkpoint(
            auth,
            permissions,
            entity_types=entity_types,
            roles=roles,
            recent=recent,
            second_factor=second_factor,
        )

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raise `Refused` with 401, 403 or 503, unless the caller may pass."""
        try:
            scope = connection.scope
            # A WebSocket's handshake is a GET.
            method = str(scope.get("method", "GET"))
            scope["user"] = self._checkpoint.admit(method, scope["headers"])
        except RequestRefused as refused:
            raise Refused(refused.refusal) from None
