"""What columns and tables of other systems are usually called, and so what they may be. Guesses, for people to check."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.rows.profile import Make

if TYPE_CHECKING:
    from collections.abc import Mapping

_AT: Final = r"(_at|_on|_date|_time)?"
_SPEAKING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "email": ("email", "email_address", "mail", "e_mail", "user_email"),
        "phone": ("(tele|mobile_)?phone(_number)?", "mobile(_number)?", "msisdn", "tel"),
        "password": ("(encrypted_|hashed_|user_)?pass(word|wd|phrase)?(_?hash|_digest)?", "pwd(_hash)?"),
        "email_verified": ("(is_)?email_(is_)?(verified|confirmed)", "(is_)?(verified|confirmed)"),
        "email_verified_at": (f"email_(verified|confirmed){_AT}", "(verified|confirmed)_at"),
        "phone_verified": ("(is_)?phone(_number)?_(is_)?(verified|confirmed)",),
        "phone_verified_at": (f"phone(_number)?_(verified|confirmed){_AT}",),
        "enabled": ("(is_)?(active|enabled)",),
        "disabled": ("(is_)?(disabled|blocked|suspended|inactive|banned)",),
        "deleted_at": ("(deleted|removed)_(at|on)",),
        "banned_until": ("(banned|blocked|suspended)_until",),
        "failed_login_attempts": (
            "failed_(login_|sign_in_)?attempts",
            "access_failed_count",
            "login_failures",
        ),
        "locked_until": ("locked_until", "lockout_end(_utc)?"),
        "last_login_at": (f"current_sign_in{_AT}", f"last_(login|sign_in|signin|logged_in){_AT}"),
        "created_at": (f"(created|creation|inserted|registered|joined){_AT}", "date_(joined|created)"),
        "updated_at": (f"(updated|modified|changed|last_modified){_AT}",),
        "locale": ("locale", "lang(uage)?"),
        "display_name": ("(display|full|real)_?name", "name", "nick_?name"),
        "given_name": ("(first|given|fore)_?name",),
        "family_name": ("(last|family|sur)_?name",),
        "avatar_url": ("(avatar|image|picture|photo|profile_(image|picture|photo))(_url|_path)?",),
    }
)
_ACCOUNT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "provider": ("provider(_id|_name|_key)?", "login_provider", "identity_provider"),
        "provider_account_id": ("(provider_)?(account|user)_id", "provider_(uid|key|id)", "uid", "sub(ject)?", "social_id"),
        "access_token": ("access_token", "token"),
        "refresh_token": ("refresh_token",),
        "id_token": ("id_token",),
        "access_token_expires_at": (f"(access_)?token_(expires|expiry){_AT}", f"expires{_AT}"),
        "refresh_token_expires_at": (f"refresh_(token_)?expires{_AT}",),
        "scope": ("scopes?",),
        "token_type": ("token_type",),
        "created_at": _SPEAKING["created_at"],
        "updated_at": _SPEAKING["updated_at"],
    }
)  # fmt: skip
_TOKEN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "token": (
            "access_token",
            "session_(token|key)",
            "token(_key|_value)?",
            "key",
            "refresh_token",
            "code",
        ),
        "expires_at": (f"expir(es|y|ed|ation){_AT}", "expire_date", "valid_until", "not_after"),
        "created_at": _SPEAKING["created_at"],
    }
)
_SESSION: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **_TOKEN,
        "other_token": ("refresh_token",),
        "last_used_at": (f"last_(used|accessed|seen|active|activity){_AT}", "refreshed_at"),
        "ended_at": ("(ended|revoked|logged_out)_at",),
        "ended": ("(is_)?(revoked|ended|expired)",),
        "ip_address": ("ip(_address|_addr)?", "remote_addr"),
        "user_agent": ("user_agent", "device(_info)?", "browser"),
    }
)
_CHALLENGE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {**_TOKEN, "used": ("(is_)?(used|consumed)",), "used_at": ("(used|consumed)_at",)}
)
_TOTP: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "secret": ("(totp_|otp_|two_factor_|shared_)?secret(_key)?",),
        "label": ("(friendly_|user_)?(name|label)",),
        "confirmed": ("(is_)?(confirmed|verified|enabled)",),
        "created_at": _SPEAKING["created_at"],
    }
)
_PASSKEY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "credential_id": ("credential_?id",),
        "public_key": ("(credential_)?public_key",),
        "sign_count": ("(sign(ature)?_)?count(er)?",),
        "transports": ("transports?",),
        "backup_eligible": ("(credential_)?backup_eligible",),
        "backed_up": ("(credential_)?backed_up", "backup_state"),
        "aaguid": ("aaguid",),
        "label": ("(friendly_|user_)?(name|label)",),
        "created_at": _SPEAKING["created_at"],
    }
)
NAMES: Final[Mapping[Make, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        Make.IDENTITY: _SPEAKING,
        Make.PASSKEY: _PASSKEY,
        Make.ACCOUNT: _ACCOUNT,
        Make.CHALLENGE: _CHALLENGE,
        Make.SESSION: _SESSION,
        Make.TOTP: _TOTP,
    }
)
"""By kind of record and field: what a column may be called, the likeliest name first."""

PEOPLE: Final = re.compile(r"(^|_|\.)(users?|accounts?|members?|people|persons?|customers?|identit(y|ies))$")
LINKS: Final = re.compile(r"verif|confirm|reset|one_time|magic|recover|invit")
SESSIONS: Final = re.compile(r"session|login|(^|\.)(access_|refresh_|auth_|user_)?tokens?$")
FACTORS: Final = re.compile(r"totp|otp|mfa|two_factor|2fa|authenticator|factor")
_FLAG: Final = re.compile(r"bool|bit\b|tinyint\(1\)", re.IGNORECASE)
_MOMENT: Final = re.compile(r"time|date", re.IGNORECASE)
_NUMBER: Final = re.compile(r"int|serial|numeric", re.IGNORECASE)
_TYPES: Final[Mapping[str, tuple[re.Pattern[str], ...]]] = MappingProxyType(
    {"flag": (_FLAG, _NUMBER), "moment": (_MOMENT,), "number": (_NUMBER,)}
)


def plain(name: str) -> str:
    """Write a name in lower case with underscores, however it is written."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def may_be(kind: str, declared: str) -> bool:
    """Say whether a column declared so can hold a field of this kind; SQLite and JSON declare little."""
    wanted = _TYPES.get(kind)
    if wanted is None:
        return _FLAG.search(declared) is None
    return not declared or any(pattern.search(declared) for pattern in wanted)
