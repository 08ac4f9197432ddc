"""Second factors: what somebody shows besides what they showed first.

Owns `totp_factors`, `recovery_codes`, `message_factors` and `factor_resets`. A time step and a recovery code are accepted
once, won in SQL. Secrets are sealed, codes are kept as a MAC under a key outside the database, and both are shown once.
Codes by e-mail or SMS are challenges; here is only who wants them.
"""

from ostiary.features.mfa.errors import FactorNotFound, FactorUnavailable, TooManyFactors
from ostiary.features.mfa.model import (
    CONFIRM_WITHIN,
    MAX_TOTP_FACTORS,
    MESSAGE_KINDS,
    Enrolment,
    FactorKind,
    FactorReset,
    Factors,
    MessageFactor,
    TotpFactor,
    external_message_factor_id,
    external_totp_factor_id,
    parse_reset_id,
    parse_totp_factor_id,
)
from ostiary.features.mfa.recovery_codes import CODES
from ostiary.features.mfa.resets import OPEN_FOR, FactorResets
from ostiary.features.mfa.service import SecondFactors
from ostiary.features.mfa.totp import DIGITS as CODE_DIGITS
from ostiary.features.mfa.totp import STEP as CODE_STEP

__all__ = [
    "CODES",
    "CODE_DIGITS",
    "CODE_STEP",
    "CONFIRM_WITHIN",
    "MAX_TOTP_FACTORS",
    "MESSAGE_KINDS",
    "OPEN_FOR",
    "Enrolment",
    "FactorKind",
    "FactorNotFound",
    "FactorReset",
    "FactorResets",
    "FactorUnavailable",
    "Factors",
    "MessageFactor",
    "SecondFactors",
    "TooManyFactors",
    "TotpFactor",
    "external_message_factor_id",
    "external_totp_factor_id",
    "parse_reset_id",
    "parse_totp_factor_id",
]
