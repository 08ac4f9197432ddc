"""FastAPI: a dependency that says who asks.

```python
signed_in = SignedIn(auth)
editor = SignedIn(auth, roles=["editor"])

@app.get("/hello")
async def hello(principal: Annotated[Principal, Depends(signed_in)]): ...
```

The objects are the keys of `app.dependency_overrides`. A refusal is the same problem document our own routes answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import HTTPException
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation

from ostiary.entrypoints.http.errors import HttpProblem
from ostiary.entrypoints.http.routes import signed_in
from ostiary.entrypoints.integrations.requests import admit, written
from ostiary.verifier import Principal  # noqa: TC001 - FastAPI reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.app import Ostiary


class Refused(HTTPException):
    """A refusal as FastAPI knows it; `detail` is the problem document."""


class SignedIn(SecurityBase):
    """A dependency that returns the `Principal` who asks, by bearer token or cookie, without I/O.

    `entity_types` names the kinds of account that may pass (all, if none is named), `roles` what they must all have;
    `recent` asks for an authentication within `OSTIARY_SESSIONS__RECENT_AUTHENTICATION`.
    """

    def __init__(
        self,
        auth: Ostiary,
        *,
        entity_types: Iterable[str] = (),
        roles: Iterable[str] = (),
        recent: bool = False,
    ) -> None:
        self._auth = auth
        self._guard = signed_in(entity_types=entity_types, roles=roles, recent=recent)
        self.model = HTTPBearer(bearerFormat="at+jwt", description="An access token of Ostiary.")
        self.scheme_name = "Ostiary"

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; raises `Refused` with 401, 403 or 503."""
        try:
            return admit(self._auth, request.method, request.headers.raw, self._guard)
        except HttpProblem as problem:
            answer = written(self._auth, problem)
            headers = {name.decode(): value.decode() for name, value in answer.headers}
            raise Refused(answer.status, msgspec.to_builtins(answer.body), headers) from None
