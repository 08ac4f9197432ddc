"""What resource servers need: keys, metadata, introspection, revocation."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import caller_of, principal_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.routes import PUBLIC, Route, service, signed_in
from ostiary.features.sessions import Cursor
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.secret import Secret
from ostiary.verifier import InvalidToken, RevocationKind, RevokedToken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.account import Account
    from ostiary.features.sessions import Revocations
    from ostiary.features.signing_keys import SigningKeys
    from ostiary.foundation.clock import Clock
    from ostiary.verifier import AccessTokenVerifier, Principal, Revocation

_TAG: Final = "For resource servers"
# Long enough to spare us, short enough that a new key is known before it signs.
_CACHED: Final = (b"cache-control", b"public, max-age=300")
_PAGE: Final = 5_000
_HEARTBEAT: Final = 1.0
_encode = msgspec.json.Encoder().encode
_MAY_ASK_ABOUT_OTHERS: Final = frozenset({"service", "admin"})


class JwksBody(Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517 §5)."""

    keys: list[dict[str, Any]]


class MetadataBody(Struct, frozen=True):
    """What exists here (RFC 8414 §2)."""

    issuer: str
    jwks_uri: str
    introspection_endpoint: str
    revocation_endpoint: str
    service_documentation: str
    response_types_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()


class TokenForm(Struct, frozen=True):
    """A token, and what it may be (RFC 7662 §2.1, RFC 7009 §2.1)."""

    token: str
    token_type_hint: str | None = None


class IntrospectionBody(Struct, frozen=True, omit_defaults=True):
    """What a live access token says, or that it is not one for you to know (RFC 7662 §2.2)."""

    active: bool
    iss: str = ""
    sub: str = ""
    aud: str = ""
    client_id: str = ""
    token_type: str = ""
    scope: str = ""
    exp: int = 0
    iat: int = 0
    jti: str = ""
    ent: str = ""
    eid: str = ""
    sid: str = ""
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()


class RevocationsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to read on, and how many seconds to wait for news."""

    after: Annotated[str, Meta(max_length=80)] = ""
    wait: Annotated[float, Meta(ge=0, le=25)] = 0.0


class RevocationBody(Struct, frozen=True):
    """One entry of the feed: what is dead, and until when that matters."""

    seq: int
    kind: RevocationKind
    subject: str
    min_epoch: int | None
    not_before: datetime | None
    expires_at: datetime

    @classmethod
    def of(cls, entry: Revocation) -> RevocationBody:
        """Write an entry."""
        return cls(entry.seq, entry.kind, entry.subject, entry.min_epoch, entry.not_before, entry.expires_at)


class RevocationsBody(Struct, frozen=True):
    """Entries of the feed.

    `waited` is how many seconds passed here between the request and the reading; a reader counts them from when it
    asked, and so knows how fresh its knowledge is without comparing clocks. `max_age` is how old this server lets its
    own get. `keys` are the ids of the keys tokens are signed with.
    """

    entries: list[RevocationBody]
    cursor: str
    as_of: datetime
    waited: float
    max_age: float
    more: bool
    keys: list[str]


_INACTIVE: Final = IntrospectionBody(active=False)


class ResourceServerDoor:
    """The door resource servers ask at."""

    def __init__(
        self,
        verifier: AccessTokenVerifier,
        signing_keys: SigningKeys,
        account: Account,
        revocations: Revocations,
        clock: Clock,
        *,
        issuer: str,
        audience: str,
    ) -> None:
        self._verifier = verifier
        self._signing_keys = signing_keys
        self._account = account
        self._revocations = revocations
        self._clock = clock
        self._issuer = issuer
        self._audience = audience

    async def jwks(self, _request: Request) -> Answer:
        """Publish the public keys."""
        return Answer(200, JwksBody(self._signing_keys.jwks()), headers=(_CACHED,))

    async def metadata(self, _request: Request) -> Answer:
        """Say what exists here."""
        issuer = self._issuer
        body = MetadataBody(
            issuer=issuer,
            jwks_uri=f"{issuer}/.well-known/jwks.json",
            introspection_endpoint=f"{issuer}/v1/token/introspect",
            revocation_endpoint=f"{issuer}/v1/token/revoke",
            service_documentation=f"{issuer}/reference",
        )
        return Answer(200, body, headers=(_CACHED,))

    async def introspect(self, request: Request) -> Answer:
        """Say whether a token is live; people learn only about their own, and nobody why one is not (INT-01)."""
        form: TokenForm = request.body
        subject = self._read(form.token, request)
        if subject is None or not _may_know(request, subject):
            return Answer(200, _INACTIVE)
        return Answer(200, self._described(subject))

    async def revoke(self, request: Request) -> Answer:
        """Kill a token of one's own; anything else is answered alike and left alone (RFC 7009 §2.2, RT-06)."""
        form: TokenForm = request.body
        subject = self._read(form.token, request)
        caller = caller_of(request)
        if subject is not None and subject.identity_id != caller.external_id:
            return Answer(200)
        await self._account.revoke(
            caller, Secret(form.token), token_id=subject.token_id if subject else None, now=request.now
        )
        return Answer(200)

    async def revocations(self, request: Request) -> Answer:
        """Give the entries of the feed behind a cursor, at once or as soon as there are any."""
        query: RevocationsQuery = request.query
        cursor = Cursor.parse(query.after) if query.after else Cursor()
        if b"text/event-stream" in request.headers.get(b"accept", b""):
            return Answer(200, stream=self._events(cursor), media_type=b"text/event-stream")
        body, _ = await self._next(cursor, query.wait, since=monotonic())
        return Answer(200, body)

    async def _events(self, cursor: Cursor) -> AsyncGenerator[bytes]:
        """Send an event whenever there is news, and at least every second, so that its reader knows how fresh it is.

        It ends when this worker does; the reader comes back, and is answered by another.
        """
        opened = monotonic()
        while not self._revocations.is_closing:
            try:
                body, cursor = await self._next(cursor, _HEARTBEAT, since=opened)
            except Unavailable:
                # The reader goes stale by itself, and comes back.
                return
            yield b"id: %b\nevent: revocations\ndata: %b\n\n" % (body.cursor.encode(), _encode(body))

    async def _next(self, cursor: Cursor, wait: float, *, since: float) -> tuple[RevocationsBody, Cursor]:
        ends_at = monotonic() + wait
        while True:
            # Before it is read, so that news which come in between end the wait.
            news = self._revocations.news()
            now, waited = self._clock.now(), monotonic() - since
            page = await self._revocations.page(cursor, limit=_PAGE, now=now)
            left = ends_at - monotonic()
            if page.entries or page.more or left <= 0 or self._revocations.is_closing:
                break
            cursor = page.cursor
            await self._revocations.wait_for(news, timedelta(seconds=left))
        body = RevocationsBody(
            entries=[RevocationBody.of(entry) for entry in page.entries],
            cursor=str(page.cursor),
            as_of=now,
            waited=waited,
            max_age=self._revocations.live.max_age.total_seconds(),
            more=page.more,
            keys=sorted(self._signing_keys.public),
        )
        return body, page.cursor

    def _read(self, token: str, request: Request) -> Principal | None:
        try:
            return self._verifier.verify(token, now=request.now)
        except Unavailable:
            raise
        except (InvalidToken, RevokedToken):
            return None

    def _described(self, subject: Principal) -> IntrospectionBody:
        return IntrospectionBody(
            active=True,
            iss=self._issuer,
            sub=subject.identity_id,
            aud=self._audience,
            client_id=subject.client_id,
            token_type="Bearer",  # noqa: S106 - RFC 6750's word
            scope=" ".join(sorted(subject.scope)),
            exp=int(subject.expires_at.timestamp()),
            iat=int(subject.issued_at.timestamp()),
            jti=subject.token_id,
            ent=subject.entity_type,
            eid=subject.entity_id,
            sid=subject.session_id,
            roles=tuple(sorted(subject.roles)),
            permissions=tuple(sorted(subject.permissions)),
            amr=subject.amr,
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/.well-known/jwks.json",
                handler=self.jwks,
                guard=PUBLIC,
                summary="The public keys tokens are checked with",
                tag=_TAG,
                answers={200: JwksBody},
            ),
            Route(
                method="GET",
                path="/.well-known/oauth-authorization-server",
                handler=self.metadata,
                guard=PUBLIC,
                summary="What exists here (RFC 8414)",
                tag=_TAG,
                answers={200: MetadataBody},
            ),
            Route(
                method="POST",
                path="/v1/token/introspect",
                handler=self.introspect,
                guard=signed_in(or_service="tokens:introspect"),
                summary="Whether an access token is live (RFC 7662)",
                description="Services and administrators may ask about any token, everybody else about their own.",
                tag=_TAG,
                body=TokenForm,
                answers={200: IntrospectionBody},
                oauth=True,
            ),
            Route(
                method="GET",
                path="/v1/revocations",
                handler=self.revocations,
                guard=service("revocations:read"),
                summary="What was revoked, as a feed",
                description=(
                    "Without `after` every live entry, by pages while `more`; with it what came since, some of it "
                    "again. `wait` holds the answer until there is news. `Accept: text/event-stream` goes on for ever."
                ),
                tag=_TAG,
                query=RevocationsQuery,
                answers={200: RevocationsBody},
                streams="text/event-stream",
            ),
            Route(
                method="POST",
                path="/v1/token/revoke",
                handler=self.revoke,
                guard=signed_in(),
                summary="Revoke a token of one's own (RFC 7009)",
                tag=_TAG,
                body=TokenForm,
                answers={200: None},
                oauth=True,
            ),
        )


def _may_know(request: Request, subject: Principal) -> bool:
    if request.service is not None:
        return True
    asker = principal_of(request)
    return asker.entity_type in _MAY_ASK_ABOUT_OTHERS or subject.identity_id == asker.identity_id
