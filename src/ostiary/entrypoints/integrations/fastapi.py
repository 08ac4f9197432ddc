"""FastAPI: a dependency that says who asks.

```python
signed_in = SignedIn(auth)
editor = SignedIn(auth, roles=["editor"])
reader = SignedIn(auth, "reports:read")

@app.get("/hello")
async def hello(principal: Annotated[Principal, Depends(signed_in)]): ...
```

The objects are the keys of `app.dependency_overrides`. A refusal is the same problem document our own routes answer, as
the `detail` of an answer of FastAPI's. `answer_errors(app, auth)` does the same for what the application's routes meet
when they call `auth`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from ostiary.entrypoints.integrations.requests import Checkpoint, RequestRefused
from ostiary.foundation.errors import OstiaryError
from ostiary.verifier import Principal  # noqa: TC001 - FastAPI reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastapi import FastAPI

    from ostiary.app import Ostiary
    from ostiary.entrypoints.integrations.requests import Auth


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "Nobody is signed in, or not any more."},
    403: {"description": "Whoever is signed in may not do this, or has to prove more."},
    503: {"description": "Who is signed in cannot be said at the moment."},
}
"""What a `SignedIn` answers besides, for the application's own document: `APIRouter(responses={**REFUSALS})`."""


class Refused(HTTPException):
    """A refusal as FastAPI knows it; `detail` is the problem document."""


class SignedIn(SecurityBase):
    """A dependency that returns the `Principal` who asks, without I/O.

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
        self.model = HTTPBearer(bearerFormat="at+jwt", description="An access token of Ostiary.")
        self.scheme_name = "Ostiary"

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; raises `Refused` with 401, 403 or 503."""
        try:
            return self._checkpoint.admit(request.method, request.headers.raw)
        except RequestRefused as refused:
            refusal = refused.refusal
            raise Refused(refusal.status, refusal.document, refusal.headers) from None


def answer_errors(app: FastAPI, auth: Ostiary) -> None:
    """Answer for the application's own routes: what `auth` refused there, and requests that are not as they should be.

    An error of ours becomes what our own routes answer to it (`Ostiary.refusal`), instead of a 500. A request that
    FastAPI refuses is answered as FastAPI does, without repeating the values: they may be secret, or nothing that JSON
    can write.
    """

    @app.exception_handler(OstiaryError)
    async def refuse(_request: Request, error: OstiaryError) -> Response:
        refusal = auth.refusal(error)
        if refusal is None:
            raise error
        return _answer(refusal.status, refusal.document, refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def say_what_is_wrong(_request: Request, error: RequestValidationError) -> Response:
        return _answer(
            422, [{name: wrong[name] for name in ("loc", "msg", "type")} for wrong in error.errors()]
        )


def _answer(status: int, detail: Any, headers: Mapping[str, str] | None = None) -> Response:
    # Not JSONResponse: names of fields may be half a surrogate pair, which only ASCII can write.
    return Response(json.dumps({"detail": detail}), status, headers, "application/json")
