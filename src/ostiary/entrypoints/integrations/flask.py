"""Flask: a guard around views, synchronous or not.

```python
@app.get("/reports")
@requires(verifier, roles=["editor"])
def reports():
    return g.principal.entity_id
```
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g, request

from ostiary.entrypoints.integrations.requests import Checkpoint, RequestRefused, wsgi_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostiary.entrypoints.integrations.requests import Auth

    View = Callable[..., Any]


def requires(
    auth: Auth,
    *permissions: str,
    entity_types: Iterable[str] = (),
    roles: Iterable[str] = (),
    recent: bool = False,
    second_factor: bool = False,
) -> Callable[[View], View]:
    """Let only signed-in callers reach a view, and put their `Principal` into `g.principal`.

    Stands below `app.route`. `auth` is an `Ostiary` or a `Verifier`; `requires(auth, "reports:read")` asks for a
    permission, and the rest narrows who may pass, as in the other integrations.
    """
    checkpoint = Checkpoint(
        auth, permissions, entity_types=entity_types, roles=roles, recent=recent, second_factor=second_factor
    )

    def around(view: View) -> View:
        @wraps(view)
        def guarded(*arguments: Any, **parameters: Any) -> Any:
            try:
                g.principal = checkpoint.admit(request.method, wsgi_headers(request.headers.items()))
            except RequestRefused as refused:
                refusal = refused.refusal
                return Response(
                    refusal.content, refusal.status, refusal.headers, content_type=refusal.media_type
                )
            return current_app.ensure_sync(view)(*arguments, **parameters)

        return guarded

    return around
