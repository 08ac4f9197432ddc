"""Decisions people may take: those that cannot be meant are refused before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.legacy.model import LegacyError
from ostiary.features.legacy.rows.fields import columns_of
from ostiary.features.legacy.rows.profile import field_of
from ostiary.features.passwords import KNOWN_SCHEMES

if TYPE_CHECKING:
    from ostiary.features.legacy.model import Decisions
    from ostiary.features.legacy.rows.profile import Profile


def require_decisions(profile: Profile, decisions: Decisions) -> None:
    """Raise `LegacyError` for a decision about a column that holds no passwords, an unknown scheme, or an unknown country.

    Believed, each of them would hold back everybody, and nobody would know why.
    """
    places = {
        f"{record.from_}.{column}"
        for record in profile.records
        if "password" in record.fields
        for _, column in columns_of(profile, record.from_, field_of(record.fields["password"]))
    }
    for place, scheme in decisions.hash_schemes.items():
        if place not in places:
            raise LegacyError(
                f"The profile {profile.name} reads no passwords from the column in --hash-scheme: there are "
                f"{', '.join(sorted(places)) or 'none'}."
            )
        if scheme.partition("+")[0] not in KNOWN_SCHEMES:
            raise LegacyError(
                f"The scheme in --hash-scheme {place}=… is none: there are {', '.join(sorted(KNOWN_SCHEMES))}."
            )
    if decisions.phone_region is not None:
        _require_country(decisions.phone_region)


def _require_country(region: str) -> None:
    import phonenumbers  # noqa: PLC0415 - loaded where numbers are read, and nowhere else

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise LegacyError(
            "--phone-region names no country: write two letters as ISO 3166 has them, such as CH."
        )
