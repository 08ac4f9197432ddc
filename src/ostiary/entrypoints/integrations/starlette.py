"""Starlette: a guard around endpoints.

```python
@requires(auth, roles=["editor"])
async def reports(request):
    return PlainTextResponse(request.state.principal.entity_id)
```
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from starlette.responses import Response

from ostiary.entrypoints.integrations.requests import Checkpoint, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request

    from ostiary.entrypoints.integrations.requests import Auth

    Endpoint = Callable[[Request], Awaitable[Response]]


def requires(
    auth: Auth,
    *permissions: str,
    entity_types: Iterable[str] = (),
    roles: Iterable[str] = (),
    recent: bool = False,
    second_factor: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Let only signed-in callers reach an endpoint, and put their `Principal` into `request.state.principal`.

    `auth` is an `Ostiary` or a `Verifier`; `requires(auth, "reports:read")` asks for a permission, and the rest narrows
    who may pass, as in the other integrations.
    """
    checkpoint = Checkpoint(
        auth, permissions, entity_types=entity_types, roles=roles, recent=recent, second_factor=second_factor
    )

    def around(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                request.state.principal = checkpoint.admit(request.method, request.headers.raw)
            except RequestRefused as refused:
                refusal = refused.refusal
                return Response(refusal.content, refusal.status, refusal.headers, refusal.media_type)
            return await endpoint(request)

        return guarded

    return around
