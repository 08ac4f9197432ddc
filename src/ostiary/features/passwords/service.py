"""The passwords service: check a candidate, hash a password, verify one.

Promises that a wrong password, a missing one and one that cannot be read cost the same and answer the same.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.identities import NewPassword
from ostiary.features.passwords import schemes
from ostiary.features.passwords.errors import UnacceptablePassword, UnsafeSettings
from ostiary.features.passwords.hashing import HashingPool
from ostiary.features.passwords.model import (
    Argon2Parameters,
    ImportedParameters,
    PasswordHash,
    Readability,
    Verification,
)
from ostiary.features.passwords.policy import Policy
from ostiary.foundation.crypto import KEY_SIZE, mac
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.features.identities import Credentials
    from ostiary.foundation.entropy import Entropy

_PEPPER_MARK: Final = "+pepper:"
_KEY_MARK: Final = "+key:"
_REFUSED: Final = Verification(valid=False, needs_rehash=False)
_DEFAULT_PARAMETERS: Final = Argon2Parameters()
_WEAK_PARAMETERS: Final = Argon2Parameters(memory_kib=8, time_cost=1, parallelism=1, weak_hash_for_tests=True)
_DEFAULT_POLICY: Final = Policy()
_NO_PEPPERS: Final[Mapping[int, bytes]] = MappingProxyType({})
_NOTHING_IMPORTED: Final[Mapping[str, ImportedParameters]] = MappingProxyType({})


class Passwords:
    """Passwords under one policy, one cost and one set of peppers; the newest pepper makes new hashes.

    `peppers` are keys of 32 bytes or more by number, kept outside the database (PWD-07). `imported` is what other
    systems kept outside theirs, by the names that schemes refer to, as in `firebase-scrypt+key:NAME`. `threads` is
    how many hashes are made at once (as many as cores), `queue_limit` how many more may wait.
    """

    def __init__(
        self,
        *,
        entropy: Entropy,
        parameters: Argon2Parameters = _DEFAULT_PARAMETERS,
        policy: Policy = _DEFAULT_POLICY,
        peppers: Mapping[int, bytes] = _NO_PEPPERS,
        imported: Mapping[str, ImportedParameters] = _NOTHING_IMPORTED,
        threads: int = 2,
        queue_limit: int = 64,
        weak_hash_for_tests: bool = False,
    ) -> None:
        if any(len(pepper) < KEY_SIZE for pepper in peppers.values()):
            raise UnsafeSettings(f"A pepper is too short: every one needs at least {KEY_SIZE} bytes.")
        self._entropy = entropy
        self._parameters = _WEAK_PARAMETERS if weak_hash_for_tests else parameters
        self._policy = policy
        self._peppers = {_peppered_scheme(number): pepper for number, pepper in peppers.items()}
        self._imported = dict(imported)
        self._scheme = _peppered_scheme(max(peppers)) if peppers else schemes.ARGON2ID
        self._pool = HashingPool(threads=threads, queue_limit=queue_limit)
        # Costs what a current hash costs, and holds the digest of nothing.
        self._dummy = self._written(
            entropy.token_bytes(schemes.SALT_SIZE), entropy.token_bytes(schemes.DIGEST_SIZE)
        )

    def check(self, candidate: Secret, *, context: Sequence[str] = (), mfa_enforced: bool = False) -> None:
        """Accept `candidate` as a new password or raise `UnacceptablePassword`, which says why.

        `context` are the texts an attacker would try on this person: the name of the service, their
        addresses, their display name.
        """
        self._policy.check(candidate, context=context, mfa_enforced=mfa_enforced)

    def is_plausible(self, password: Secret) -> bool:
        """Say whether this may be anybody's password at all: text, not blank, and no longer than any (PWD-03)."""
        try:
            return bool(self._policy.encode(password).strip())
        except UnacceptablePassword:
            return False

    @property
    def may_be_shorter_with_mfa(self) -> bool:
        """Whether a password may be shorter where a second factor is enforced than elsewhere (PWD-01)."""
        return self._policy.min_length_with_mfa < self._policy.min_length

    async def hash(self, password: Secret) -> PasswordHash:
        """Return the hash to store for `password`.

        Raises `UnacceptablePassword` (too long, not text) before any hashing, and `HashingOverloaded`.
        """
        encoded = self._policy.encode(password)
        salt = self._entropy.token_bytes(schemes.SALT_SIZE)
        return await self._pool.run(partial(self._hash, encoded, salt))

    async def renew(
        self, password: Secret, owner: Credentials | None, *, made: NewPassword | None = None
    ) -> NewPassword:
        """Return what to keep of a new password of `owner`, or of somebody not known yet.

        For whoever came from a system that may come back, a hash like theirs is made beside ours; for nobody else. `made`
        spares ours where it was made for the same password already. Raises as `hash` does.
        """
        if made is None:
            hashed = await self.hash(password)
            made = NewPassword(hashed.text, hashed.scheme)
        like = owner.shadowed if owner is not None else None
        if like == made.like:
            return made
        written = await self.hash_like(password, PasswordHash(like.text, like.scheme)) if like else None
        return replace(made, like=like, shadow=written.text if written else None)

    async def verify(self, password: Secret, stored: PasswordHash | None) -> Verification:
        """Say whether `password` is the one `stored` was made from, and whether to store a new hash.

        Without a hash, or with one that no scheme here can read, the answer is "invalid" after the same
        work (ABU-04). What is too long to be anybody's password is refused before any hashing, whoever it
        is offered for (PWD-03). Raises `HashingOverloaded`.
        """
        try:
            encoded = self._policy.encode(password)
        except UnacceptablePassword:
            return _REFUSED
        readable = stored if stored is not None and self._can_read(stored) else None
        matched = await self._pool.run(partial(self._compare, encoded, readable or self._dummy))
        if readable is None or not matched:
            return _REFUSED
        return Verification(valid=True, needs_rehash=not self._is_current(readable))

    def readability(self, stored: PasswordHash) -> Readability:
        """Say whether passwords can be compared with `stored`, and if not, why; without any hashing."""
        answer = self._read(stored)
        return answer if isinstance(answer, Readability) else Readability.READABLE

    def can_hash_like(self, old: PasswordHash) -> bool:
        """Say whether `hash_like` can write hashes as `old` was made; without any hashing."""
        answer = self._read(old)
        return not isinstance(answer, Readability) and answer.renewal is not None

    async def hash_like(self, password: Secret, old: PasswordHash) -> PasswordHash | None:
        """Return a hash of `password` as `old` was made: its scheme and parameters, and a salt of its own.

        None where none can be written so, or none must be: without a salt, in plain text, or where `old` cannot be
        read. It is for the system `old` came from, for as long as that one may be gone back to. Raises
        `UnacceptablePassword` (too long, not text) before any hashing, and `HashingOverloaded`.
        """
        encoded = self._policy.encode(password)
        answer = self._read(old)
        renewal = None if isinstance(answer, Readability) else answer.renewal
        if renewal is None:
            return None
        random = self._entropy.token_bytes(renewal.salt_size)
        peppered = self._peppered(encoded, old.scheme)
        text = await self._pool.run(partial(renewal.write, peppered, random))
        return None if text is None else PasswordHash(text, old.scheme)

    @property
    def pending(self) -> int:
        """How many passwords are being hashed or wait for it."""
        return self._pool.pending

    def close(self) -> None:
        """Finish the hashes at hand and end the threads; blocks until then."""
        self._pool.close()

    def _hash(self, password: bytes, salt: bytes) -> PasswordHash:
        digest = schemes.argon2id_digest(self._peppered(password, self._scheme), salt, self._parameters)
        return self._written(salt, digest)

    def _written(self, salt: bytes, digest: bytes) -> PasswordHash:
        return PasswordHash(schemes.argon2id_text(salt, digest, self._parameters), self._scheme)

    def _can_read(self, stored: PasswordHash) -> bool:
        return self.readability(stored) is Readability.READABLE

    def _read(self, stored: PasswordHash) -> schemes.Reading | Readability:
        scheme, has_key, name = stored.scheme.partition(_KEY_MARK)
        parameters = self._imported.get(name)
        if has_key and parameters is None:
            return Readability.NEEDS_PARAMETERS
        if _PEPPER_MARK in scheme and scheme not in self._peppers:
            return Readability.NEEDS_PARAMETERS
        scheme = scheme.partition(_PEPPER_MARK)[0]
        password = schemes.plain_text(scheme, stored.text)
        if password is not None and not self._policy.is_encodable(Secret(password)):
            return Readability.UNREADABLE
        return schemes.reading(scheme, stored.text, parameters)

    def _compare(self, password: bytes, stored: PasswordHash) -> bool:
        matched = self._matches(password, stored)
        if not matched and stored.scheme in schemes.WEAK_SCHEMES:
            # A refusal that is as good as free would tell whose hash is an old one (ABU-04).
            self._matches(password, self._dummy)
        return matched

    def _matches(self, password: bytes, stored: PasswordHash) -> bool:
        answer = self._read(stored)
        return isinstance(answer, schemes.Reading) and answer.check(self._peppered(password, stored.scheme))

    def _is_current(self, stored: PasswordHash) -> bool:
        same_cost = stored.text.startswith(schemes.argon2id_prefix(self._parameters))
        return stored.scheme == self._scheme and same_cost and len(stored.text) == len(self._dummy.text)

    def _peppered(self, password: bytes, scheme: str) -> bytes:
        """Return what Argon2 is given: the password, or its MAC under the pepper the scheme names."""
        pepper = self._peppers.get(scheme)
        return password if pepper is None else base64.b64encode(mac(pepper, password))


def _peppered_scheme(number: int) -> str:
    return f"{schemes.ARGON2ID}{_PEPPER_MARK}{number}"
