"""Live tokens of accounts at providers, for services that act there on somebody's behalf."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import origin_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import AddressLimit, Route, service
from ostiary.features.audit import Action, Actor, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.live_tokens import Reader
from ostiary.features.vault import LinkedBy, external_account_id, parse_account_id
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.limits import Rate

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.audit import Audit
    from ostiary.features.live_tokens import LiveToken, LiveTokens
    from ostiary.features.vault import LinkedAccount, Vault

_TAG: Final = "Upstream providers and the vault"
_PER_ADDRESS: Final = Rate(6_000, timedelta(minutes=1))


class ReadTokenBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the token is read, which is recorded, and the provider's scopes it must be good for, separated by spaces."""

    reason: str
    scope: Annotated[str, Meta(max_length=1000)] = ""


class LiveTokenBody(Struct, frozen=True):
    """A provider's access token that is good now; when it ends, if the provider says so."""

    access_token: str
    token_type: str
    expires_in: int | None
    expires_at: datetime | None
    scope: str | None
    account: str
    provider: str

    @classmethod
    def of(cls, token: LiveToken, now: datetime) -> LiveTokenBody:
        """Write a token for whoever may have it."""
        ends_at = token.expires_at
        return cls(
            access_token=token.access_token.reveal(),
            token_type=token.token_type,
            expires_in=None if ends_at is None else max(0, int((ends_at - now).total_seconds())),
            expires_at=ends_at,
            scope=token.scope,
            account=external_account_id(token.account_id),
            provider=token.provider,
        )


class LinkedAccountsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose."""

    identity: Annotated[str, Meta(max_length=80)]


class VaultAccountBody(Struct, frozen=True):
    """An account at a provider as a service sees it: what it can ask for, and no token."""

    id: str
    provider: str
    provider_account_id: str
    linked_by: LinkedBy
    scope: str | None
    has_access_token: bool
    has_refresh_token: bool
    access_token_expires_at: datetime | None
    needs_reconnection: bool
    created_at: datetime

    @classmethod
    def of(cls, account: LinkedAccount) -> VaultAccountBody:
        """Write an account."""
        return cls(
            id=account.external_id,
            provider=account.provider,
            provider_account_id=account.provider_account_id,
            linked_by=account.linked_by,
            scope=account.scope,
            has_access_token=account.has_access_token,
            has_refresh_token=account.has_refresh_token,
            access_token_expires_at=account.access_token_expires_at,
            needs_reconnection=account.needs_reconnection,
            created_at=account.created_at,
        )


class VaultAccountsBody(Struct, frozen=True):
    """The accounts of an identity, the oldest first."""

    accounts: list[VaultAccountBody]


class VaultDoor:
    """The door services read live tokens at."""

    def __init__(self, live_tokens: LiveTokens, vault: Vault, audit: Audit) -> None:
        self._live_tokens = live_tokens
        self._vault = vault
        self._audit = audit

    async def read_token(self, request: Request) -> Answer:
        """Hand out a live token."""
        body: ReadTokenBody = request.body
        reader = Reader(_service(request), body.reason, frozenset(body.scope.split()))
        token = await self._live_tokens.access_token(
            parse_account_id(request.parameters["account_id"]), reader=reader, now=request.now
        )
        return Answer(200, LiveTokenBody.of(token, request.now))

    async def list(self, request: Request) -> Answer:
        """List somebody's accounts."""
        query: LinkedAccountsQuery = request.query
        identity_id = parse_id(IDENTITY_PREFIX, query.identity)
        accounts = await self._vault.list(identity_id)
        event = Event(
            Action.LINKED_ACCOUNTS_READ,
            _service(request),
            "identity",
            format_id(IDENTITY_PREFIX, identity_id),
        )
        await self._audit.record_read(event, now=request.now)
        return Answer(200, VaultAccountsBody([VaultAccountBody.of(account) for account in accounts]))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/vault/{account_id}/token",
                handler=self.read_token,
                guard=service("vault:read"),
                summary="A live token of an account at a provider",
                description=(
                    "Refreshed first if it is about to end. Each reading is recorded before it is answered: by which "
                    "service, of which account, and why. `needs_reconnection` says that the account's owner has to "
                    "connect it again, `no_tokens` that none is kept: none was given, or no live session uses it."
                ),
                tag=_TAG,
                body=ReadTokenBody,
                answers={200: LiveTokenBody},
                problems=(
                    ProblemCode.NOT_FOUND,
                    ProblemCode.NO_TOKENS,
                    ProblemCode.NEEDS_RECONNECTION,
                    ProblemCode.SCOPE_NOT_GRANTED,
                ),
                limit=AddressLimit("vault", _PER_ADDRESS, in_memory=True),
            ),
            Route(
                method="GET",
                path="/v1/vault/accounts",
                handler=self.list,
                guard=service("vault:list"),
                summary="Somebody's accounts at providers",
                description="Without tokens. Somebody whom nobody knows has none.",
                tag=_TAG,
                query=LinkedAccountsQuery,
                answers={200: VaultAccountsBody},
                problems=(ProblemCode.NOT_FOUND,),
                limit=AddressLimit("vault", _PER_ADDRESS, in_memory=True),
            ),
        )


def _service(request: Request) -> Actor:
    """Return the service that asks; its route's guard has made sure there is one."""
    if request.service is None:
        raise HttpProblem(ProblemCode.UNAUTHENTICATED)
    return Actor.identity(format_id(IDENTITY_PREFIX, request.service.identity_id), origin_of(request))
