"""What came of a way to a provider, as it is told outside: many precise reasons fold into few."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.features.federation import ArrivalReason, ArrivalRefused
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.provider_sign_in import Linked, LinkReason, LinkRefused
from ostiary.features.provisioning import AwaitsApproval
from ostiary.features.upstream import UpstreamReason
from ostiary.features.vault import external_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.provider_sign_in import Outcome


def refusal(refused: ArrivalRefused) -> HttpProblem:
    """Return how a refusal looks outside."""
    if _PUBLIC[refused.reason] == "sign_in_first":
        return HttpProblem(ProblemCode.SIGN_IN_FIRST)
    return HttpProblem(ProblemCode.NOT_ADMITTED)


def refused(reason: str) -> dict[str, str]:
    """Write that somebody was not let in, and why as far as they are told."""
    return {"status": "refused", "reason": reason}


def told(outcome: Outcome) -> dict[str, str]:
    """Write what came of it for the page that goes on, folding many precise reasons into few."""
    match outcome:
        case SignedIn():
            said = {"status": "signed_in"}
        case FactorRequired():
            said = {"status": "factor_required", "flow": outcome.flow.reveal()}
            said |= {"factors": ",".join(outcome.factors), "enrol": ",".join(outcome.enrol)}
        case AwaitsApproval():
            said = {"status": "awaits_approval"}
        case Linked():
            said = {"status": "linked", "account": external_account_id(outcome.account_id)}
        case ArrivalRefused() | LinkRefused():
            said = refused(_PUBLIC[outcome.reason])
        case UpstreamReason():
            said = refused(_PUBLIC.get(outcome, "provider_refused"))
        case None:
            said = refused("provider_unavailable")
    return said


_PUBLIC: Final[Mapping[ArrivalReason | LinkReason | UpstreamReason, str]] = MappingProxyType(
    {
        UpstreamReason.DENIED: "access_denied",
        UpstreamReason.UNKNOWN_FLOW: "unknown_flow",
        ArrivalReason.LINK_ONLY: "not_admitted",
        ArrivalReason.NOT_OFFERED: "not_admitted",
        ArrivalReason.DOMAIN_NOT_ALLOWED: "not_admitted",
        ArrivalReason.NOT_ACTIVE: "not_admitted",
        ArrivalReason.NOT_KNOWN: "not_admitted",
        ArrivalReason.HAS_PASSWORD: "not_admitted",
        ArrivalReason.ADDRESS_TAKEN: "not_admitted",
        ArrivalReason.SIGN_IN_FIRST: "sign_in_first",
        LinkReason.SIGNED_OUT: "signed_out",
        LinkReason.NOT_OFFERED: "not_admitted",
        LinkReason.LINKED_ELSEWHERE: "linked_elsewhere",
    }
)
STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "access_denied": 403,
        "unknown_flow": 400,
        "provider_refused": 400,
        "provider_unavailable": 503,
        "not_admitted": 403,
        "sign_in_first": 409,
        "signed_out": 403,
        "linked_elsewhere": 409,
        "overtaken": 409,
    }
)
SAID: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "signed_in": ("You are signed in", "You can close this page and go on where you were."),
        "linked": ("The account is linked", "You can close this page and go on where you were."),
        "factor_required": (
            "One more step",
            "Your account asks for a second factor: go back to the application you came from, and sign in there.",
        ),
        "awaits_approval": (
            "Your account awaits approval",
            "Somebody has to let you in first. You will get a message when they have.",
        ),
        "access_denied": (
            "You did not sign in",
            "The provider says that you, or somebody who decides about it, said no. Nothing was changed.",
        ),
        "unknown_flow": (
            "This sign-in is not under way any more",
            "It was finished already, took longer than ten minutes, or was begun in another browser. Begin again.",
        ),
        "provider_refused": (
            "The provider's answer was not accepted",
            "Nothing was changed. Begin again; if it stays so, tell whoever runs this service.",
        ),
        "provider_unavailable": (
            "The provider does not answer",
            "Nothing was changed. Try again in a few minutes, or sign in another way.",
        ),
        "not_admitted": (
            "There is no account for you here",
            "The provider knows who you are, but nobody has let you in here. Ask whoever runs this service.",
        ),
        "sign_in_first": (
            "Sign in first",
            "There is an account with your address here: sign in to it as before, then link the provider in its settings.",
        ),
        "signed_out": (
            "You were signed out meanwhile",
            "Sign in again, then link the account once more. Nothing was changed.",
        ),
        "linked_elsewhere": (
            "This account is linked already",
            "Another account here uses it. Sign in with it and unlink it there, or make the two accounts one.",
        ),
        "overtaken": (
            "Your account changed meanwhile",
            "Something about your account changed while you were signing in. Sign in again.",
        ),
    }
)
