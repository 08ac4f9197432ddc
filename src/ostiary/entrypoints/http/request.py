"""What a handler is given. Everything in a `Request` has passed the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ostiary.entrypoints.http.cookies import OwnCookies
from ostiary.entrypoints.http.cross_site import Provenance
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.proxies import ClientAddress
from ostiary.features.service_credentials import Service
from ostiary.verifier import Principal


@dataclass(slots=True)
class Request:
    """One request as a handler sees it; `now` is the only clock reading of its whole work.

    `principal` is who asks, proven by the access token in `credential`; `service` is which program asks, proven by its
    credential; both are None on public routes. `body` and
    `query` are instances of the types the route declares. The address and the credential come from nowhere
    but the connection and the token (ADM-02).
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[bytes, bytes] = field(repr=False)
    address: ClientAddress
    user_agent: str
    now: datetime
    cookies: OwnCookies
    provenance: Provenance
    principal: Principal | None = None
    service: Service | None = None
    credential: Literal["bearer", "cookie"] | None = None
    query: Any = field(default=None, repr=False)
    body: Any = field(default=None, repr=False)

    def require_same_site(self) -> None:
        """Demand proof that our own site or an allowed origin asks, before cookies are set (login CSRF)."""
        if self.provenance is not Provenance.OURS:
            raise HttpProblem(ProblemCode.CROSS_SITE_REQUEST)
