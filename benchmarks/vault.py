"""The vault: what sealing a record costs beyond its cipher, and how fast all of them are moved to another key."""

from __future__ import annotations

import itertools
import statistics
import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.harness import Comparison, Figure, Finding, Part, Scale, Tell, Work, measure, spaced
from benchmarks.servers import postgresql
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.data_keys import DataKey
from ostiary.features.registration import NewAccount
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.features.vault.sealing import OpenTokens, seal_tokens, unseal_tokens
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

_SEALING = "sealing a token record"
_OPENING = "opening a token record"
_REENCRYPTING = "re-encrypting the vault"
_ENTROPY = Entropy()
# As large as Google's: an access token and a refresh token that are opaque, and an ID token.
_TOKENS = OpenTokens(Secret("a" * 220), Secret("r" * 105), Secret("i" * 1150))
_MOST_BEYOND = 60
# 10 000 records a second.
_MOST_A_RECORD = 100
_RECORDS = 30_000
_LINKED_AT_ONCE = 500


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [
        Part([_SEALING, _OPENING], _sealing),
        *(
            Part([f"{_REENCRYPTING} ({where})"], partial(_reencrypting, server, where))
            for where, server in (("SQLite", None), ("PostgreSQL", postgresql))
        ),
    ]


async def _sealing(scale: Scale, tell: Tell) -> list[Finding]:
    seal, unseal, encrypt, decrypt = _works()
    findings: list[Finding] = []
    for name, work, floor in ((_SEALING, seal, encrypt), (_OPENING, unseal, decrypt)):
        claim = "three tokens, beside AES-256-GCM alone over them"
        comparison = Comparison(name, claim, 2000, _times(work), _times(floor), least=500)
        found = await measure(comparison, scale, tell)
        beyond = [ours - bare for ours, bare in zip(found.subject_us, found.floor_us, strict=True)]
        findings.append(found)
        findings.append(
            Figure(
                f"{name}, beyond the cipher",
                "subkey, associated data and nonces of a record",
                statistics.median(beyond),
                "µs",
                bar=_MOST_BEYOND,
                details={"whole_us": round(statistics.median(found.subject_us), 2)},
            )
        )
    return findings


def _works() -> tuple[Callable[[], object], ...]:
    """Return sealing and opening a record, and the bare cipher's parts of both."""
    key = DataKey(UUID(int=1), 1, _ENTROPY.token_bytes(32))
    account, owner = UUID(int=2), UUID(int=3)
    plain = [token.reveal().encode() for token in _TOKENS if token is not None]
    cipher, place, nonce = AESGCM(key.secret), bytes(130), bytes(12)
    sealed = seal_tokens(key, account, owner, _TOKENS, entropy=_ENTROPY)
    bare = [cipher.encrypt(nonce, value, place) for value in plain]

    def encrypt() -> None:
        for value in plain:
            cipher.encrypt(_ENTROPY.token_bytes(12), value, place)

    def decrypt() -> None:
        for value in bare:
            cipher.decrypt(nonce, value, place)

    seal = partial(seal_tokens, key, account, owner, _TOKENS, entropy=_ENTROPY)
    return seal, partial(unseal_tokens, {key.id.bytes: key}, account, owner, sealed), encrypt, decrypt


def _times(work: Callable[[], object]) -> Work:
    async def often(operations: int) -> None:
        for _ in range(operations):
            work()

    return often


async def _reencrypting(server: Callable | None, where: str, scale: Scale, tell: Tell) -> list[Finding]:
    records = scale.of(_RECORDS, least=1000)
    with server() if server else nullcontext() as running_server:
        settings = {"database_url": running_server.get_uri()} if server else {}
        async with auth_for_tests(**settings) as running:
            await _link(running.auth, records)
            care, now = running.auth.services.key_care, running.clock.now()
            taken = []
            for turn in range(min(scale.rounds, 5)):
                tell(_REENCRYPTING, turn / scale.rounds)
                began = time.perf_counter()
                done = await care.reencrypt(by=SYSTEM, now=now)
                taken.append((time.perf_counter() - began) / records * 1e6)
                assert (done.records, done.left) == (records, 0)
    microseconds = statistics.median(taken)
    return [
        Figure(
            f"{_REENCRYPTING} ({where})",
            f"{spaced(records)} records of three tokens opened, sealed and stored; server and client share two cores",
            microseconds,
            "µs a record",
            bar=_MOST_A_RECORD if server else None,
            details={"records_per_second": round(1e6 / microseconds), "records": records},
        )
    ]


async def _link(auth, records: int) -> None:
    services, now = auth.services, auth.clock.now()
    account = NewAccount("user", "ada@example.org", None, Secret(PASSWORD))
    identity_id = (await services.registration.register(account, origin=Origin(), now=now)).identity_id
    tokens = UpstreamTokens(*_TOKENS)
    numbers = iter(range(records))
    while portion := list(itertools.islice(numbers, _LINKED_AT_ONCE)):
        async with services.database.transaction() as tx:
            for number in portion:
                services.vault.link(
                    tx,
                    identity_id=identity_id,
                    entity_type="user",
                    provider="example",
                    provider_account_id=str(number),
                    profile={},
                    linked_by=LinkedBy.INTENT,
                    tokens=tokens,
                    now=now,
                )
