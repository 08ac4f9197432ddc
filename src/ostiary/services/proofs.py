"""The proofs of an installation: what shows that somebody is who they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ostiary.entrypoints.http.cross_site import origin_of
from ostiary.features.challenges import AddressProofs, Challenges, Sending, SendingRates
from ostiary.features.legacy_bearers import LegacyBearers
from ostiary.features.managed_passwords import ManagedPasswords
from ostiary.features.mfa import FactorKind, FactorResets, SecondFactors
from ostiary.features.passkeys import Passkeys, RelyingParty
from ostiary.features.passwords import Argon2Parameters, ImportedParameters, Passwords, Policy
from ostiary.features.upstream import Upstream
from ostiary.services.managed_passwords import managed_passwords_of, own_refreshes_of
from ostiary.services.providers import providers_of

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy
    from ostiary.services.ground import Ground
    from ostiary.services.records import Records
    from ostiary.settings import ImportedSettings, Settings


@dataclass(frozen=True)
class Proofs:
    """What can be proven, and how."""

    passwords: Passwords
    challenges: Challenges
    sending: Sending
    address_proofs: AddressProofs
    passkeys: Passkeys
    second_factors: SecondFactors
    factor_resets: FactorResets
    upstream: Upstream
    managed_passwords: ManagedPasswords
    legacy_bearers: LegacyBearers


def build_proofs(ground: Ground, records: Records) -> Proofs:
    """Build the proofs."""
    upstream = Upstream(
        ground.database,
        ground.entropy,
        providers=providers_of(ground.settings.providers),
        outbound=records.outbound,
        key=ground.keys.derive("upstream flows"),
        public_url=ground.settings.public_url,
        own_refreshes=own_refreshes_of(ground.settings.providers, outbound=records.outbound),
    )
    challenges = Challenges(
        ground.database,
        ground.entropy,
        code_key=ground.keys.derive("challenge codes"),
        payload_key=ground.keys.derive("challenge payloads"),
    )
    return Proofs(
        passwords=_passwords(ground.settings, ground.entropy),
        challenges=challenges,
        sending=Sending(ground.limits, _rates(ground.settings)),
        address_proofs=AddressProofs(challenges, records.outbox),
        passkeys=Passkeys(
            ground.database,
            ground.entropy,
            relying_party=relying_party(ground.settings),
            audit=records.audit,
            outbox=records.outbox,
        ),
        second_factors=_second_factors(ground, records),
        factor_resets=FactorResets(ground.entropy),
        managed_passwords=managed_passwords_of(ground.settings.providers, outbound=records.outbound),
        upstream=upstream,
        legacy_bearers=LegacyBearers(key=ground.keys.derive("legacy bearers")),
    )


def relying_party(settings: Settings) -> RelyingParty:
    """Return whom passkeys are made for: the public URL's host and origin, unless the settings say otherwise."""
    wanted = settings.passkeys
    origins = wanted.origins or [settings.public_url, *settings.allowed_origins]
    return RelyingParty(
        id=wanted.rp_id or urlsplit(settings.public_url).hostname or "",
        origins=tuple(origin_of(origin) for origin in origins),
        requires_user_verification=wanted.user_verification == "required",
        refuses_clones=wanted.on_clone == "refuse",
    )


def _second_factors(ground: Ground, records: Records) -> SecondFactors:
    wanted = ground.settings.factors
    offered = {FactorKind.EMAIL: wanted.email, FactorKind.SMS: wanted.sms}
    return SecondFactors(
        ground.entropy,
        secret_key=ground.keys.derive("totp secrets"),
        code_key=ground.keys.derive("recovery codes"),
        issuer=urlsplit(ground.settings.public_url).hostname or "Ostiary",
        offered=frozenset(kind for kind, is_offered in offered.items() if is_offered),
        outbox=records.outbox,
    )


def _rates(settings: Settings) -> SendingRates:
    wanted = settings.messages
    return SendingRates(
        to_destination=wanted.hourly_to_destination,
        to_account=wanted.hourly_to_account,
        from_address=wanted.hourly_from_address,
        in_all=wanted.hourly_in_all,
    )


def _passwords(settings: Settings, entropy: Entropy) -> Passwords:
    wanted = settings.passwords
    strict = settings.profile == "strict"
    return Passwords(
        entropy=entropy,
        parameters=Argon2Parameters(
            memory_kib=wanted.memory_kib,
            time_cost=wanted.time_cost,
            weak_hash_for_tests=wanted.weak_hash_for_tests,
        ),
        policy=Policy.strict() if strict else Policy(min_length=wanted.min_length),
        peppers=wanted.peppers,
        imported={name: _imported(section) for name, section in wanted.imported.items()},
        threads=wanted.threads,
        queue_limit=wanted.queue_limit,
        weak_hash_for_tests=wanted.weak_hash_for_tests,
    )


def _imported(wanted: ImportedSettings) -> ImportedParameters:
    return ImportedParameters(
        signer_key=wanted.signer_key.get_secret_value() if wanted.signer_key else b"",
        salt_separator=wanted.salt_separator.get_secret_value() if wanted.salt_separator else b"",
        rounds=wanted.rounds,
        memory_cost=wanted.mem_cost,
        pepper=wanted.pepper.get_secret_value().encode() if wanted.pepper else b"",
    )
