"""Django: a guard around views, synchronous or not.

```python
@requires(verifier, roles=["editor"])
def reports(request):
    return HttpResponse(request.principal.entity_id)
```

On a class, `@method_decorator(requires(verifier), name="dispatch")`. Django's protection against forged requests stays
on: a view that only callers with bearer tokens use also takes `@csrf_exempt`.
"""

from __future__ import annotations

from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from ostiary.entrypoints.integrations.requests import Checkpoint, RequestRefused, wsgi_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.http import HttpRequest

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
    """Let only signed-in callers reach a view, and put their `Principal` into `request.principal`.

    `auth` is an `Ostiary` or a `Verifier`; `requires(auth, "reports:read")` asks for a permission, and the rest narrows
    who may pass, as in the other integrations.
    """
    checkpoint = Checkpoint(
        auth, permissions, entity_types=entity_types, roles=roles, recent=recent, second_factor=second_factor
    )

    def refused(request: HttpRequest) -> HttpResponse | None:
        try:
            request.principal = checkpoint.admit(request.method, wsgi_headers(request.headers.items()))
        except RequestRefused as problem:
            refusal = problem.refusal
            return HttpResponse(refusal.content, refusal.media_type, refusal.status, headers=refusal.headers)
        return None

    def around(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *arguments: Any, **parameters: Any) -> Any:
            return refused(request) or view(request, *arguments, **parameters)

        @wraps(view)
        async def guarded_async(request: HttpRequest, *arguments: Any, **parameters: Any) -> Any:
            return refused(request) or await view(request, *arguments, **parameters)

        return guarded_async if iscoroutinefunction(view) else guarded

    return around
