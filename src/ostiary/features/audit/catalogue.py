"""The catalogue of events: when each action is recorded, by whom, about whom, and what its metadata says.

The reference is written from it, and a test holds every record in the code against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.audit.model import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWNER: Final = "the owner"
_OPERATOR: Final = "an operator or the system"
_ANYBODY: Final = "nobody known"
_SERVICE: Final = "the service"
_SYSTEM: Final = "the system"
_THEM: Final = "the identity"
_WHOEVER: Final = "the identity, if there is one"
_KEY: Final = "the signing key"
_ENDPOINT: Final = "the webhook endpoint"
_INSTALLATION: Final = "the installation"
_ACCOUNT: Final = ("account", "provider")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one action; webhooks are told of all but plain reads."""

    when: str
    by: str
    about: str
    metadata: tuple[str, ...] = ()
    is_told: bool = True


def _key(when: str) -> Entry:
    return Entry(when, _OPERATOR, _KEY, ("algorithm", "activates_at", "retires_at"))


def _data_key(when: str, *more: str) -> Entry:
    return Entry(when, _OPERATOR, "the data key", (*more, "purpose"))


def _factor(when: str, *more: str, by: str = _OWNER) -> Entry:
    return Entry(when, by, _THEM, ("factor", *more))


def _role(when: str, *metadata: str, by: str = _OPERATOR) -> Entry:
    return Entry(when, by, "the role", metadata)


CATALOGUE: Final[Mapping[Action, Entry]] = MappingProxyType(
    {
        Action.IDENTITY_REGISTERED: Entry(
            "An account was made.",
            "nobody known, or whoever made it for somebody else",
            _THEM,
            ("entity_type",),
        ),
        Action.PROVIDER_ACCOUNT_REGISTERED: Entry(
            "An account was made at a provider that keeps passwords, or refused.",
            _ANYBODY,
            "nobody here yet",
            ("provider",),
        ),
        Action.PROVIDER_ACCOUNT_CONFIRMED: Entry(
            "A code confirmed an account at a provider that keeps passwords, or did not.",
            _ANYBODY,
            _WHOEVER,
            ("provider",),
        ),
        Action.IDENTITY_APPROVED: Entry("Somebody who waited for it was let in.", _OPERATOR, _THEM),
        Action.IDENTITY_REJECTED: Entry("Somebody who waited for it was not let in.", _OPERATOR, _THEM),
        Action.IDENTITY_INVITED: Entry(
            "An invitation was sent.", _OPERATOR, "the invitation", ("entity_type", "roles")
        ),
        Action.INVITATION_WITHDRAWN: Entry("An invitation was taken back.", _OPERATOR, "the invitation"),
        Action.INVITATION_ACCEPTED: Entry(
            "An invitation became an account, or was refused.", _ANYBODY, _WHOEVER, ("roles",)
        ),
        Action.ADDRESS_VERIFIED: Entry(
            "An address was proven.", "the owner, or whoever had the link", _THEM, ("channel",)
        ),
        Action.ADDRESS_VERIFICATION_FAILED: Entry(
            "A proof of an address was wrong.", "the owner, or nobody known", _WHOEVER, ("channel",)
        ),
        Action.ADDRESS_CHANGE_REQUESTED: Entry("Another address was asked for.", _OWNER, _THEM, ("channel",)),
        Action.ADDRESS_CHANGED: Entry(
            "Another address was proven and took the place of the old one.",
            "the owner, or whoever had the link",
            _THEM,
            ("channel",),
        ),
        Action.ADDRESS_CHANGE_UNDONE: Entry(
            "The old address took a change back.", _ANYBODY, _THEM, ("channel",)
        ),
        Action.ADDRESS_LOST: Entry(
            "An address that was never proven went to whoever proved it.", _SYSTEM, _THEM, ("channel",)
        ),
        Action.APPLICATION_RECORDED: Entry(
            "A hook of the application recorded something.",
            _SYSTEM,
            _THEM,
            ("anything the application says",),
        ),
        Action.IDENTITY_SIGNED_IN: Entry("A sign-in was complete.", _OWNER, _THEM),
        Action.IDENTITY_FACTOR_REQUIRED: Entry(
            "A first proof was right, and a second one was asked for.", _OWNER, _THEM
        ),
        Action.IDENTITY_SIGN_IN_FAILED: Entry("A sign-in was refused.", _ANYBODY, _WHOEVER, ("provider",)),
        Action.IDENTITY_REAUTHENTICATED: Entry("Somebody proved again who they are.", _OWNER, _THEM),
        Action.IDENTITY_REAUTHENTICATION_FAILED: Entry(
            "Somebody failed to prove again who they are.", _OWNER, _THEM
        ),
        Action.ACCOUNT_LINKED: Entry(
            "An account at a provider was linked.", _OWNER, _THEM, ("provider", "linked_by")
        ),
        Action.ACCOUNT_LINK_REFUSED: Entry(
            "An account at a provider was not linked; `reason` says why.", _OWNER, _THEM, ("provider",)
        ),
        Action.ACCOUNT_UNLINKED: Entry(
            "An account at a provider was unlinked.", _OWNER, _THEM, ("provider",)
        ),
        Action.IDENTITIES_MERGED: Entry(
            "Another account of the same person became part of this one.",
            _OWNER,
            _THEM,
            ("absorbed", "accounts"),
        ),
        Action.DEVICE_REMEMBERED: Entry("A device needs no second factor for a while.", _OWNER, _THEM),
        Action.DEVICE_FORGOTTEN: Entry("A device needs a second factor again.", _OWNER, _THEM),
        Action.LEGACY_SESSION_EXCHANGED: Entry(
            "A session of another system was exchanged, and ended.", _OWNER, _THEM
        ),
        Action.LEGACY_LINK_EXCHANGED: Entry(
            "A link of another system was exchanged for one of ours, or was not.",
            _ANYBODY,
            _THEM,
            ("purpose",),
        ),
        Action.SIGN_IN_LINK_REQUESTED: Entry("A link to sign in was asked for.", _ANYBODY, _WHOEVER),
        Action.SIGN_IN_CODE_REQUESTED: Entry("A code to sign in was asked for.", _ANYBODY, _WHOEVER),
        Action.PASSWORD_RESET_REQUESTED: Entry("A password was said to be forgotten.", _ANYBODY, _WHOEVER),
        Action.PASSWORD_RESET: Entry("A new password was set by a link or code.", _ANYBODY, _THEM),
        Action.PASSWORD_RESET_REFUSED: Entry("A link or code set no new password.", _ANYBODY, _WHOEVER),
        Action.PASSWORD_ADOPTED: Entry(
            "A password that a provider kept is kept here from now on.", _OWNER, _THEM, ("provider",)
        ),
        Action.IDENTITY_PASSWORD_CHANGED: Entry(
            "A new password was set by whoever knew the old one.", _OWNER, _THEM
        ),
        Action.IDENTITY_PASSWORD_CHANGE_FAILED: Entry("The old password was wrong.", _OWNER, _THEM),
        Action.IDENTITY_PROFILE_CHANGED: Entry("A profile was changed.", _OWNER, _THEM),
        Action.IDENTITY_EXPORTED: Entry("Somebody's data was written out for them.", _OWNER, _THEM),
        Action.IDENTITY_DELETED: Entry(
            "An account was deleted.", "the owner, an operator or the system", _THEM, ("erasure",)
        ),
        Action.IDENTITY_RESTORED: Entry(
            "A deletion was taken back.", "whoever had the link, or an operator", _THEM, ("erasure",)
        ),
        Action.IDENTITY_ERASED: Entry("Somebody's data was erased.", _SYSTEM, _THEM, ("erasure",)),
        Action.IDENTITY_SUSPENDED: Entry("Somebody was kept out.", _OPERATOR, _THEM),
        Action.IDENTITY_REACTIVATED: Entry("Somebody was let in again.", _OPERATOR, _THEM),
        Action.IDENTITY_UNLOCKED: Entry("Somebody was given their attempts back.", _OPERATOR, _THEM),
        Action.PASSWORD_LINK_SENT: Entry("Somebody was sent a link to set a password.", _OPERATOR, _THEM),
        Action.PASSWORD_CHANGE_REQUIRED: Entry(
            "Another password is demanded at the next sign-in.", _OPERATOR, _THEM
        ),
        Action.PASSKEY_RENAMED: _factor("A passkey got another label.", "passkey"),
        Action.PASSKEY_CLONE_SUSPECTED: Entry(
            "A passkey's counter went backwards: somebody may have a copy.", _ANYBODY, _THEM, ("passkey",)
        ),
        Action.FACTOR_BEGUN: _factor("A factor was begun to be added."),
        Action.FACTOR_ADDED: _factor("A factor was added."),
        Action.FACTOR_REFUSED: _factor("A factor was not added: its first proof was wrong."),
        Action.FACTOR_REMOVED: _factor("A factor was removed."),
        Action.RECOVERY_CODES_RENEWED: _factor("New recovery codes took the place of the old ones."),
        Action.FACTOR_RESET_REQUESTED: Entry(
            "Somebody asked to be rid of factors they lost.", "the owner, or an operator for them", _THEM
        ),
        Action.FACTOR_RESET_APPROVED: Entry(
            "An operator agreed, and the waiting time began.", _OPERATOR, _THEM
        ),
        Action.FACTOR_RESET_REJECTED: Entry("An operator did not agree.", _OPERATOR, _THEM),
        Action.FACTOR_RESET_CANCELLED: Entry("The owner objected by the link.", _ANYBODY, _THEM),
        Action.FACTORS_RESET: Entry("Every second factor was removed.", _OPERATOR, _THEM),
        Action.SESSION_ENDED: Entry("A session was ended.", "the owner or the system", _THEM),
        Action.SESSIONS_ENDED: Entry(
            "Every session was ended, or every other one.", "the owner or an operator", _THEM
        ),
        Action.REFRESH_TOKEN_REUSED: Entry(
            "A refresh token was used twice, and its session ended.", _ANYBODY, _THEM
        ),
        Action.TOKEN_REVOKED: Entry("An access token was ended (RFC 7009).", _OWNER, _THEM),
        Action.ROLE_CREATED: _role("A role was made."),
        Action.ROLE_DESCRIBED: _role("A role got another description."),
        Action.ROLE_DECLARED: _role("The application declared a role, or declared it anew.", by=_SYSTEM),
        Action.ROLE_RELEASED: _role("The application declares a role no more.", by=_SYSTEM),
        Action.ROLE_DELETED: _role("A role was deleted, with its grants."),
        Action.ROLE_PERMISSION_ADDED: _role("A role allows more.", "permissions"),
        Action.ROLE_PERMISSION_REMOVED: _role("A role allows less.", "permissions"),
        Action.ROLE_GRANTED: Entry(
            "A role was given; `reason` names it.",
            "an operator, whoever made the account, or the system for a provider",
            _THEM,
            ("provider",),
        ),
        Action.ROLE_REMOVED: Entry(
            "A role was taken away; `reason` names it.", _OPERATOR, _THEM, ("provider",)
        ),
        Action.BOOTSTRAP_ISSUED: Entry(
            "The link for the first administrator was made.", _SYSTEM, _INSTALLATION
        ),
        Action.BOOTSTRAP_USED: Entry("The first administrator was made.", _SYSTEM, _INSTALLATION),
        Action.SERVICE_CREDENTIAL_ISSUED: Entry("A service got a credential.", _OPERATOR, "the credential"),
        Action.SERVICE_CREDENTIAL_REVOKED: Entry(
            "A service's credential was revoked.", _OPERATOR, "the credential"
        ),
        Action.EVERYTHING_ENDED: Entry(
            "Every session and token of everybody was ended; `reason` says why.", _OPERATOR, _INSTALLATION
        ),
        Action.ONBOARDING_STARTED: Entry("Onboarding began; `reason` names the flow.", _OWNER, _THEM),
        Action.ONBOARDING_STEP_SAVED: Entry("A step was saved; `reason` names it.", _OWNER, _THEM),
        Action.ONBOARDING_COMPLETED: Entry(
            "Onboarding was completed; `reason` names the flow.", _OWNER, _THEM
        ),
        Action.AUDIT_READ: Entry(
            "An operator looked at the log.", _OPERATOR, "what was looked for", is_told=False
        ),
        Action.IDENTITY_READ: Entry("An operator looked at an account.", _OPERATOR, _THEM, is_told=False),
        Action.SIGNING_KEY_PUBLISHED: _key("A signing key was published."),
        Action.SIGNING_KEY_BROUGHT_FORWARD: _key("A signing key is to sign earlier than planned."),
        Action.SIGNING_KEY_ACTIVATED: _key("A signing key began to sign."),
        Action.SIGNING_KEY_RETIRING: _key("A signing key signs no more; what it signed is still good."),
        Action.SIGNING_KEY_RETIRED: _key("A signing key is good for nothing any more."),
        Action.LINKED_ACCOUNTS_READ: Entry(
            "A service listed somebody's accounts at providers.", _SERVICE, _THEM, is_told=False
        ),
        Action.LINKED_ACCOUNT_TOKEN_READ: Entry(
            "A live token of an account at a provider was handed out. Why is personal data.",
            "the service, or the application",
            _THEM,
            ("account", "provider", "scope"),
        ),
        Action.LINKED_ACCOUNT_CLEARED: Entry(
            "The tokens of an account at a provider were erased, and it stays linked.",
            "the application",
            _THEM,
            ("account", "provider"),
        ),
        Action.LINKED_ACCOUNT_GRANT_ENDED: Entry(
            "A provider took a refresh token no more, and the account has to be connected again: `grant_ended`, or "
            "`refresh_interrupted` where an earlier refresh was begun and its answer never kept.",
            _SYSTEM,
            _THEM,
            _ACCOUNT,
        ),
        Action.LINKED_ACCOUNT_REFRESH_REFUSED: Entry(
            "A provider's answer to a refresh was not believed; the reason says why.",
            _SYSTEM,
            _THEM,
            _ACCOUNT,
        ),
        Action.DATA_KEY_CREATED: _data_key("A key was made that tokens in the vault are sealed under."),
        Action.DATA_KEY_REWRAPPED: _data_key(
            "A data key was wrapped under a newer root key.", "from_version", "to_version"
        ),
        Action.DATA_KEY_RETIRED: _data_key("A data key is not needed by anything any more."),
        Action.DATA_KEY_DELETED: _data_key("A data key that nothing needed was deleted."),
        Action.WEBHOOK_ADDED: Entry("A webhook endpoint was added.", _OPERATOR, _ENDPOINT, ("events",)),
        Action.WEBHOOK_REMOVED: Entry("A webhook endpoint was removed.", _OPERATOR, _ENDPOINT),
        Action.WEBHOOK_DISABLED: Entry("A webhook endpoint is told nothing any more.", _OPERATOR, _ENDPOINT),
        Action.WEBHOOK_ENABLED: Entry("A webhook endpoint is told again.", _OPERATOR, _ENDPOINT),
        Action.WEBHOOK_GONE: Entry("A webhook endpoint said that it is gone (410).", _SYSTEM, _ENDPOINT),
        Action.WEBHOOK_SECRET_ROTATED: Entry("A webhook endpoint got another secret.", _OPERATOR, _ENDPOINT),
        Action.MESSAGE_RETRIED: Entry(
            "Messages that were given up are sent again.",
            _OPERATOR,
            "the message, if it is one",
            ("messages", "topic"),
        ),
    }
)
