"""Signing in at a provider, by a browser that is sent there or by an application that was there itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from msgspec import Struct

from ostiary.entrypoints.api.bodies import Delivery, FactorRequiredBody, SignedInBody, cookies
from ostiary.entrypoints.api.callers import device_of, locale_of, origin_of
from ostiary.entrypoints.api.provider_outcomes import SAID, STATUSES, refusal, refused, told
from ostiary.entrypoints.api.registration import ApprovalAwaitedBody, arrival_answer
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.calm_page import calm_page
from ostiary.entrypoints.http.cookies import Cookie, CookieName
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.federation import ArrivalRefused, Visit
from ostiary.features.flows import SignedIn
from ostiary.features.sessions import SignInOvertaken
from ostiary.features.upstream import UpstreamReason, UpstreamRefused, UpstreamUnavailable
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.entrypoints.http.request import Request
    from ostiary.entrypoints.http.return_targets import ReturnTargets
    from ostiary.features.identities import Identities
    from ostiary.features.outbox import Renderer
    from ostiary.features.provider_sign_in import ProviderSignIn
    from ostiary.features.upstream import Begun, Provider, Providers

_TAG: Final = "Upstream providers and the vault"
_GOING: Final = AddressLimit("providers", Rate(120, timedelta(minutes=1)))
_LOGOUTS: Final = AddressLimit("provider logouts", Rate(6000, timedelta(minutes=1)), in_memory=True)
_FLOW_LIFETIME: Final = timedelta(minutes=10)
# A person begins in several tabs, not in many.
_TABS: Final = 5
_BETWEEN: Final = "."


class ProviderBody(Struct, frozen=True):
    """A provider, and what can be done with it."""

    name: str
    label: str
    kind: str
    entity_types: list[str]
    signs_in: bool
    """Whether one can sign in with it, or only link it."""
    has_browser_flow: bool
    takes_native_tokens: bool
    start: str | None
    """Where to send a browser that signs in."""


class StartQuery(Struct, frozen=True):
    """Where the browser goes afterwards, and as what somebody signs in."""

    return_to: str | None = None
    entity_type: str = "user"


class CallbackParameters(Struct, frozen=True):
    """What a provider sends back (RFC 6749 §4.1.2, RFC 9207; Apple's `user`). Whatever else it sends is passed over."""

    state: str | None = None
    code: str | None = None
    iss: str | None = None
    error: str | None = None
    user: str | None = None


class NonceBody(Struct, frozen=True):
    """What the ID token has to hold; good for ten minutes, once."""

    nonce: str


class TokenBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What an application got from the provider for somebody."""

    id_token: str
    nonce: str | None = None
    entity_type: str = "user"
    access_token: str | None = None
    refresh_token: str | None = None
    device: str | None = None
    delivery: Delivery = "body"


class LogoutBody(Struct, frozen=True):
    """A logout token (OpenID Connect Back-Channel Logout 1.0 §2.5)."""

    logout_token: str


class ProvidersDoor:
    """The door for those who come by way of a provider."""

    def __init__(
        self,
        sign_in: ProviderSignIn,
        providers: Providers,
        identities: Identities,
        renderer: Renderer,
        targets: ReturnTargets,
        *,
        public_url: str,
    ) -> None:
        self._sign_in = sign_in
        self._providers = providers
        self._identities = identities
        self._renderer = renderer
        self._targets = targets
        self._public_url = public_url

    async def list(self, _request: Request) -> Answer:
        """List what one can sign in with."""
        return Answer(200, [self._body(provider) for provider in self._providers])

    async def start(self, request: Request) -> Answer:
        """Send a browser to a provider."""
        query: StartQuery = request.query
        return_to = return_target(self._targets, query.return_to)
        try:
            begun = await self._sign_in.leave(
                request.parameters["name"],
                entity_type=query.entity_type,
                return_to=return_to,
                now=request.now,
            )
        except UpstreamUnavailable as unavailable:
            if accepts_pages(request):
                return calm_page(503, *SAID["provider_unavailable"])
            raise HttpProblem(ProblemCode.UNAVAILABLE, retry_after=unavailable.retry_after) from None
        headers = ((b"location", begun.url.encode("ascii")),)
        return Answer(303, cookies=(browser_cookie(request, begun),), headers=headers)

    async def come_back(self, request: Request) -> Answer:
        """Take up what the provider sends back with a browser."""
        sent: CallbackParameters = request.query or request.body
        given = {name: getattr(sent, name) for name in sent.__struct_fields__}
        try:
            returned = await self._sign_in.come_back(
                request.parameters["name"],
                {name: value for name, value in given.items() if value is not None},
                browsers=[Secret(text) for text in _begun_in(request)],
                device=Secret(request.cookies.device) if request.cookies.device else None,
                locale=locale_of(request, self._renderer.knows),
                origin=origin_of(request),
                now=request.now,
            )
        except SignInOvertaken:
            return self._told(None, refused("overtaken"))
        said = told(returned.outcome)
        set_cookies: tuple[Cookie, ...] = ()
        if isinstance(returned.outcome, SignedIn):
            set_cookies = cookies(returned.outcome.tokens, "cookie")
        return self._told(returned.return_to, said, set_cookies)

    async def issue_nonce(self, request: Request) -> Answer:
        """Make a nonce for an application that goes there itself."""
        nonce = await self._sign_in.issue_nonce(request.parameters["name"], now=request.now)
        return Answer(201, NonceBody(nonce.reveal()))

    async def with_token(self, request: Request) -> Answer:
        """Sign in with an ID token."""
        body: TokenBody = request.body
        visit = Visit(
            body.entity_type,
            origin_of(request),
            device=device_of(request, body.device, body.delivery),
            locale=locale_of(request, self._renderer.knows),
        )
        tokens = UpstreamTokens(
            access_token=Secret(body.access_token) if body.access_token else None,
            refresh_token=Secret(body.refresh_token) if body.refresh_token else None,
            id_token=Secret(body.id_token),
        )
        outcome = await self._sign_in.with_token(
            request.parameters["name"],
            Secret(body.id_token),
            Secret(body.nonce) if body.nonce else None,
            tokens,
            visit,
            now=request.now,
        )
        if isinstance(outcome, UpstreamReason):
            raise HttpProblem(ProblemCode.INVALID_CREDENTIALS, SAID["provider_refused"][1])
        if isinstance(outcome, ArrivalRefused):
            raise refusal(outcome)
        return await arrival_answer(outcome, self._identities, body.delivery, status=200)

    async def log_out(self, request: Request) -> Answer:
        """Heed a logout token."""
        body: LogoutBody = request.body
        try:
            await self._sign_in.log_out(
                request.parameters["name"], Secret(body.logout_token), now=request.now
            )
        except UpstreamRefused:
            raise HttpProblem(ProblemCode.INVALID_REQUEST, "The logout token was not accepted.") from None
        return Answer(200)

    def _body(self, provider: Provider) -> ProviderBody:
        rules = provider.rules
        signs_in = not rules.link_only
        path = f"{self._public_url}/v1/providers/{provider.name}/start"
        return ProviderBody(
            name=provider.name,
            label=provider.label,
            kind=provider.kind,
            entity_types=list(rules.entity_types),
            signs_in=signs_in,
            has_browser_flow=provider.has_code_flow,
            takes_native_tokens=provider.takes_native_tokens,
            start=path if signs_in and provider.has_code_flow else None,
        )

    def _told(
        self, return_to: str | None, said: Mapping[str, str], set_cookies: tuple[Cookie, ...] = ()
    ) -> Answer:
        """Send the browser on with what came of it behind the #, where no server sees it, or say it on a page."""
        if return_to is None:
            reason = said.get("reason", said["status"])
            page = calm_page(STATUSES.get(reason, 200), *SAID[reason])
            return Answer(page.status, page.body, set_cookies, page.headers, page.media_type)
        fragment = "" if said["status"] == "signed_in" else f"#{urlencode(said)}"
        headers = ((b"location", f"{return_to}{fragment}".encode("ascii")),)
        return Answer(303, cookies=set_cookies, headers=headers)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/providers",
                handler=self.list,
                guard=PUBLIC,
                summary="List the providers one can sign in with",
                tag=_TAG,
                answers={200: list[ProviderBody]},
            ),
            Route(
                method="GET",
                path="/v1/providers/{name}/start",
                handler=self.start,
                guard=PUBLIC,
                summary="Go to a provider",
                description=(
                    "For browsers: sends them to the provider, and after it to `return_to`, a path of this origin or an"
                    " address at an allowed one. Whoever is signed in by then has cookies; anything else is told behind"
                    " the #, as `status` and what belongs to it."
                ),
                tag=_TAG,
                query=StartQuery,
                shows_pages=True,
                answers={303: None, 503: bytes},
                problems=(ProblemCode.NOT_FOUND,),
                limit=_GOING,
            ),
            *(
                Route(
                    method=method,
                    path="/v1/providers/{name}/callback",
                    handler=self.come_back,
                    guard=PUBLIC,
                    summary=f"Come back from a provider ({how})",
                    description="The provider sends the browser here, and to the one that began nothing else is said.",
                    tag=_TAG,
                    query=CallbackParameters if method == "GET" else None,
                    body=CallbackParameters if method == "POST" else None,
                    oauth=method == "POST",
                    takes_foreign_forms=method == "POST",
                    shows_pages=True,
                    answers={303: None, 200: bytes, 400: bytes, 403: bytes, 409: bytes, 503: bytes},
                    problems=(ProblemCode.NOT_FOUND,),
                    limit=_GOING,
                )
                for method, how in (("GET", "query"), ("POST", "form"))
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/nonce",
                handler=self.issue_nonce,
                guard=PUBLIC,
                summary="Get a nonce for an ID token",
                tag=_TAG,
                answers={201: NonceBody},
                problems=(ProblemCode.NOT_FOUND,),
                limit=_GOING,
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/token",
                handler=self.with_token,
                guard=PUBLIC,
                summary="Sign in with an ID token",
                description=(
                    "For applications that were at the provider themselves: the ID token holds the nonce they got here, and"
                    " counts once. The provider's other tokens are kept if they are sent along."
                ),
                tag=_TAG,
                body=TokenBody,
                answers={200: SignedInBody | FactorRequiredBody, 202: ApprovalAwaitedBody},
                problems=(
                    ProblemCode.NOT_FOUND,
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.NOT_ADMITTED,
                    ProblemCode.SIGN_IN_FIRST,
                ),
                limit=_GOING,
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/backchannel-logout",
                handler=self.log_out,
                guard=PUBLIC,
                summary="Be told of a logout by a provider",
                description="The provider tells of a session it has ended, and those that began with it end here, too.",
                tag=_TAG,
                body=LogoutBody,
                oauth=True,
                answers={200: None},
                problems=(ProblemCode.NOT_FOUND,),
                limit=_LOGOUTS,
            ),
        )


def return_target(targets: ReturnTargets, text: str | None) -> str | None:
    """Read where a browser goes afterwards. Raises `HttpProblem` for what it may not be sent to (WEB-03)."""
    if text is None:
        return None
    found = targets.find(text)
    if found is None:
        said = (
            "Write a path of this origin or an address at an origin of OSTIARY_ALLOWED_ORIGINS, without a #."
        )
        error = FieldError("return_to", ProblemCode.INVALID_REQUEST.value, said)
        raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[error])
    return found


def browser_cookie(request: Request, begun: Begun) -> Cookie:
    """Return the cookie that binds what was begun to this browser, beside what it has begun in other tabs."""
    texts = [begun.browser.reveal(), *_begun_in(request)][:_TABS]
    return Cookie(
        CookieName.UPSTREAM, _BETWEEN.join(texts), _FLOW_LIFETIME, crosses_sites=begun.crosses_sites
    )


def accepts_pages(request: Request) -> bool:
    """Say whether whoever asks is a browser that shows pages."""
    return b"text/html" in request.headers.get(b"accept", b"")


def _begun_in(request: Request) -> Sequence[str]:
    return [text for text in (request.cookies.upstream or "").split(_BETWEEN) if text][: _TABS - 1]
