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

import msgspec
from starlette.responses import Response

from ostiary.entrypoints.http.errors import HttpProblem
from ostiary.entrypoints.http.routes import signed_in
from ostiary.entrypoints.integrations.requests import admit, written

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request

    from ostiary.app import Ostiary

    Endpoint = Callable[[Request], Awaitable[Response]]


def requires(
    auth: Ostiary, *, entity_types: Iterable[str] = (), roles: Iterable[str] = (), recent: bool = False
) -> Callable[[Endpoint], Endpoint]:
    """Let only signed-in callers reach an endpoint, and put their `Principal` into `request.state.principal`."""
    guard = signed_in(entity_types=entity_types, roles=roles, recent=recent)

    def around(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                request.state.principal = admit(auth, request.method, request.headers.raw, guard)
            except HttpProblem as problem:
                answer = written(auth, problem)
                headers = {name.decode(): value.decode() for name, value in answer.headers}
                body, media_type = msgspec.json.encode(answer.body), answer.media_type.decode()
                return Response(body, answer.status, headers, media_type)
            return await endpoint(request)

        return guarded

    return around
