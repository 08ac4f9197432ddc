"""The accounts at providers that somebody has linked, and the way to make two accounts here one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.api.providers import browser_cookie, return_target
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import AddressLimit, Route, signed_in
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.vault import parse_account_id
from ostiary.foundation.ids import format_id
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.entrypoints.http.return_targets import ReturnTargets
    from ostiary.features.accounts_elsewhere import AccountsElsewhere
    from ostiary.features.provider_sign_in import ProviderSignIn
    from ostiary.features.vault import LinkedAccount

_TAG: Final = "Upstream providers and the vault"
_LINKING: Final = AddressLimit("account links", Rate(60, timedelta(minutes=1)))
_MERGING: Final = AddressLimit("account merges", Rate(30, timedelta(minutes=1)))


class LinkedAccountBody(Struct, frozen=True):
    """An account at a provider as its owner sees it; its tokens are nobody's to see here."""

    id: str
    provider: str
    provider_account_id: str
    profile: dict[str, Any]
    scope: str | None
    linked_by: str
    has_tokens: bool
    needs_reconnection: bool
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, account: LinkedAccount) -> LinkedAccountBody:
        """Write a linked account."""
        return cls(
            id=account.external_id,
            provider=account.provider,
            provider_account_id=account.provider_account_id,
            profile=account.profile,
            scope=account.scope,
            linked_by=account.linked_by,
            has_tokens=account.has_access_token or account.has_refresh_token,
            needs_reconnection=account.needs_reconnection,
            created_at=account.created_at,
            last_used_at=account.last_used_at,
        )


class LinkBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the browser goes afterwards."""

    return_to: str | None = None


class LinkStartBody(Struct, frozen=True):
    """Where to send the browser; the answer has bound it to this one by a cookie."""

    url: str


class MergeProofBody(Struct, frozen=True):
    """A proof that its bearer owns this account; good for ten minutes, once."""

    proof: str


class MergeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The proof that the other account gave."""

    proof: str


class MergedBody(Struct, frozen=True):
    """What became part of this account."""

    absorbed: str
    accounts: int


class AccountsDoor:
    """The door to one's accounts elsewhere."""

    def __init__(self, accounts: AccountsElsewhere, sign_in: ProviderSignIn, targets: ReturnTargets) -> None:
        self._accounts = accounts
        self._sign_in = sign_in
        self._targets = targets

    async def list(self, request: Request) -> Answer:
        """List the caller's linked accounts."""
        accounts = await self._accounts.list(caller_of(request))
        return Answer(200, [LinkedAccountBody.of(account) for account in accounts])

    async def link(self, request: Request) -> Answer:
        """Begin to link an account."""
        body: LinkBody = request.body
        request.require_same_site()
        begun = await self._sign_in.leave_to_link(
            caller_of(request),
            request.parameters["provider"],
            return_to=return_target(self._targets, body.return_to),
            now=request.now,
        )
        return Answer(200, LinkStartBody(begun.url), cookies=(browser_cookie(request, begun),))

    async def unlink(self, request: Request) -> Answer:
        """Unlink an account."""
        account_id = parse_account_id(request.parameters["id"])
        await self._accounts.unlink(caller_of(request), account_id, now=request.now)
        return Answer(204)

    async def offer(self, request: Request) -> Answer:
        """Make a proof for a merge."""
        proof = await self._accounts.offer(caller_of(request), now=request.now)
        return Answer(201, MergeProofBody(proof.reveal()))

    async def merge(self, request: Request) -> Answer:
        """Make another account part of this one."""
        body: MergeBody = request.body
        merged = await self._accounts.merge(caller_of(request), Secret(body.proof), now=request.now)
        return Answer(200, MergedBody(format_id(IDENTITY_PREFIX, merged.absorbed), merged.accounts))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        recent = signed_in(recent=True)
        return (
            Route(
                method="GET",
                path="/v1/me/accounts",
                handler=self.list,
                guard=signed_in(),
                summary="List one's linked accounts",
                tag=_TAG,
                answers={200: list[LinkedAccountBody]},
            ),
            Route(
                method="POST",
                path="/v1/me/accounts/{provider}/link",
                handler=self.link,
                guard=recent,
                summary="Link an account at a provider",
                description=(
                    "Answers with where to send the browser that asked, and binds it by a cookie. What comes of it is told"
                    " to `return_to` behind the #, as `status`."
                ),
                tag=_TAG,
                body=LinkBody,
                answers={200: LinkStartBody},
                problems=(ProblemCode.NOT_FOUND,),
                limit=_LINKING,
            ),
            Route(
                method="DELETE",
                path="/v1/me/accounts/{id}",
                handler=self.unlink,
                guard=recent,
                summary="Unlink an account",
                description="Its tokens are erased, and the sessions that began with it end. Never the last way in.",
                tag=_TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_WAY_IN),
            ),
            Route(
                method="POST",
                path="/v1/me/merge-proof",
                handler=self.offer,
                guard=recent,
                summary="Prove that one owns this account, for another to absorb it",
                tag=_TAG,
                answers={201: MergeProofBody},
                limit=_MERGING,
            ),
            Route(
                method="POST",
                path="/v1/me/merge",
                handler=self.merge,
                guard=recent,
                summary="Make another account of one's own part of this one",
                description=(
                    "The other account is deleted. Its linked accounts come along, and its proven addresses where this one"
                    " has none; its roles, factors, password and sessions do not."
                ),
                tag=_TAG,
                body=MergeBody,
                answers={200: MergedBody},
                problems=(ProblemCode.INVALID_CREDENTIALS, ProblemCode.MERGE_REFUSED),
                limit=_MERGING,
            ),
        )
