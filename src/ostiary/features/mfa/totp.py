"""Time-based one-time passwords, as authenticator apps make them (RFC 6238, on HOTP of RFC 4226).

SHA-1, six digits and thirty seconds are what every app understands; HMAC needs no collision resistance of its hash.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from ostiary.foundation.crypto import equal

if TYPE_CHECKING:
    from ostiary.foundation.secret import Secret

SECRET_SIZE: Final = 20
"""Bytes: 160 bits, as RFC 4226 §4 (R6) recommends."""
DIGITS: Final = 6
STEP: Final = timedelta(seconds=30)
# One step either way, for clocks that differ and people who type slowly (RFC 6238 §5.2).
_DRIFT: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Apps show codes in two groups. Digits of other alphabets are not what an app shows.
_CODE: Final = re.compile(r"[0-9]{3} ?[0-9]{3}", re.ASCII)


def step_at(moment: datetime) -> int:
    """Return the number of the time step a moment lies in (RFC 6238 §4.2)."""
    return (moment - _EPOCH) // STEP


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step."""
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode("ascii")  # noqa: S303 - RFC 6238 §1.2, see above


def matching_step(secret: bytes, presented: Secret, *, now: datetime) -> int | None:
    """Return the latest step around `now` whose code was presented, or None.

    Every step is compared, so the time it takes tells nothing of which one matched.
    """
    if _CODE.fullmatch(presented.reveal()) is None:
        return None
    code = presented.reveal().replace(" ", "").encode("ascii")
    present = step_at(now)
    steps = range(present - _DRIFT, present + _DRIFT + 1)
    matched = [step for step in steps if equal(code_at(secret, step).encode("ascii"), code)]
    return max(matched, default=None)


def written(secret: bytes) -> str:
    """Write a secret as people type it: base32, which comes out even."""
    return base64.b32encode(secret).decode("ascii")


def otpauth_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Return the address authenticator apps read a new factor from."""
    # A colon divides the issuer from the account, so neither may have one.
    issuer, account = issuer.replace(":", " "), account.replace(":", " ")
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@+')}"
    parameters = {
        "secret": written(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": int(STEP.total_seconds()),
    }
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote)}"


def qr_svg(uri: str) -> str:
    """Draw an address as a QR code: an SVG that refers to nothing outside, dark on white whatever surrounds it."""
    drawn = BytesIO()
    segno.make_qr(uri, error="m").save(
        drawn, kind="svg", xmldecl=False, svgclass=None, lineclass=None, omitsize=True, light="#fff", nl=False
    )
    return drawn.getvalue().decode("utf-8")
