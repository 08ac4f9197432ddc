"""What somebody may do to their own account."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.features.account.model import ProofRefused
from ostiary.features.audit import Action
from ostiary.features.flows import Proof
from ostiary.features.outbox import Template
from ostiary.features.passwords import PasswordHash
from ostiary.features.sessions import EndReason
from ostiary.foundation.crypto import equal

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.flows import Factor, FactorFacts, FactorProofs, Flows, Shown
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.passkeys import Ceremony
    from ostiary.features.passwords import Passwords
    from ostiary.features.profiles import Profile, ProfileChange, Profiles
    from ostiary.features.sessions import Caller, Sessions, Tokens
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Statements, Transaction


class Account:
    """The accounts of one installation, in the hands of their owners."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        profiles: Profiles,
        passwords: Passwords,
        sessions: Sessions,
        flows: Flows,
        factor_proofs: FactorProofs,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._profiles = profiles
        self._passwords = passwords
        self._sessions = sessions
        self._flows = flows
        self._factor_proofs = factor_proofs
        self._outbox = outbox
        self._audit = audit

    async def change_profile(self, caller: Caller, change: ProfileChange, *, now: datetime) -> Profile:
        """Change the caller's profile. Raises `InvalidProfile`, `ProfileNotFound`."""
        async with self._database.transaction() as tx:
            profile = await self._profiles.change(tx, caller.entity_type, caller.identity_id, change, now=now)
            self._record(tx, caller, Action.IDENTITY_PROFILE_CHANGED, now)
            return profile

    async def change_password(
        self, caller: Caller, *, current: Secret, new: Secret, now: datetime
    ) -> Tokens | ProofRefused:
        """Set a new password, end every session, and start a new one for the caller (PWD-09, SES-02).

        Raises `UnacceptablePassword`.
        """
        proven = await self._prove(caller, current, Action.IDENTITY_PASSWORD_CHANGE_FAILED, now)
        if isinstance(proven, ProofRefused):
            return proven
        eased = await self._is_mfa_enforced(self._database, proven, now)
        self._check(new, proven, mfa_enforced=eased)
        renewed = await self._passwords.renew(new, proven)
        proof, authenticated_at = _kept(caller)
        async with self._database.transaction() as tx:
            if not await self._is_unchanged(tx, proven):
                return ProofRefused()
            facts = await self._flows.facts(tx, proven.id, now=now)
            if not self._flows.is_enough(proven.entity_type, proof, facts):
                return ProofRefused(needs_factor=True)
            if eased:
                # The last factor may have gone while the password was hashed.
                self._check(new, proven, mfa_enforced=await self._is_mfa_enforced(tx, proven, now))
            await self._identities.set_password(tx, proven, renewed, now=now)
            epoch = await self._sessions.end_all(
                tx,
                caller.identity_id,
                reason=EndReason.PASSWORD_CHANGED,
                followed=caller.session_id,
                now=now,
            )
            self._outbox.notify(tx, proven.recipient, Template.PASSWORD_CHANGED, now=now)
            self._record(tx, caller, Action.IDENTITY_PASSWORD_CHANGED, now)
            return self._renew(
                tx, replace(proven, token_epoch=epoch), proof, facts, caller, now, authenticated_at
            )

    async def send_code(self, caller: Caller, factor: Factor, *, now: datetime) -> None:
        """Send the code of a message factor of the caller's, good for this session alone, as far as limits permit."""
        owner = await self._identities.get(caller.identity_id)
        facts = await self._flows.facts(self._database, owner.id, now=now)
        permitted = await self._factor_proofs.permits(
            owner, factor, ip_address=caller.origin.ip_address, now=now
        )
        if permitted and factor in facts.factors:
            async with self._database.transaction() as tx:
                self._factor_proofs.send(tx, owner, factor, bound_to=caller.session_id, now=now)

    async def begin_passkey(self, caller: Caller, *, now: datetime) -> Ceremony:
        """Begin to use a passkey of the caller's to prove themselves again, in this session alone."""
        async with self._database.transaction() as tx:
            return await self._factor_proofs.begin_passkey(
                tx, caller.identity_id, bound_to=caller.session_id, now=now
            )

    async def reauthenticate(
        self,
        caller: Caller,
        *,
        password: Secret | None = None,
        factor: Shown | None = None,
        now: datetime,
    ) -> Tokens | ProofRefused:
        """Replace the caller's session by one that has just been authenticated (SES-02, SES-08).

        By the password, by a second factor beside what the session began with, or by both: where the account has a second
        factor, or must have one, the password alone is not enough.
        """
        failure = Action.IDENTITY_REAUTHENTICATION_FAILED
        proven = await self._prove(caller, password, failure, now)
        if isinstance(proven, ProofRefused):
            return proven
        async with self._database.transaction() as tx:
            if not await self._is_unchanged(tx, proven):
                return ProofRefused()
            facts = await self._flows.facts(tx, proven.id, now=now)
            shown = await self._show(tx, caller, proven, factor, facts, now)
            if shown is None:
                self._record(tx, caller, failure, now, success=False)
                return ProofRefused()
            proof = Proof.again(caller.amr, by_password=password is not None, factor=shown)
            if not self._flows.is_enough(proven.entity_type, proof, facts):
                return ProofRefused(needs_factor=True)
            await self._sessions.end(
                tx, caller.identity_id, caller.session_id, reason=EndReason.REAUTHENTICATED, now=now
            )
            self._record(tx, caller, Action.IDENTITY_REAUTHENTICATED, now)
            return self._renew(tx, proven, proof, facts, caller, now)

    async def log_out(self, caller: Caller, *, refresh_token: Secret | None, now: datetime) -> None:
        """End the caller's session, and that of a refresh token of theirs if another is presented."""
        async with self._database.transaction() as tx:
            sessions = {caller.session_id}
            if refresh_token is not None:
                other = await self._sessions.find_by_refresh_token(tx, caller.identity_id, refresh_token)
                if other is not None:
                    sessions.add(other)
            for session_id in sorted(sessions):
                await self._end(tx, caller, session_id, EndReason.LOGOUT, now)

    async def log_out_everywhere(self, caller: Caller, *, keep_current: bool, now: datetime) -> None:
        """End every session of the caller, or every other one."""
        async with self._database.transaction() as tx:
            if keep_current:
                await self._identities.lock_for_change(tx, caller.identity_id)
                await self._sessions.end_others(
                    tx,
                    caller.identity_id,
                    keep=caller.session_id,
                    reason=EndReason.LOGOUT_ELSEWHERE,
                    now=now,
                )
            else:
                await self._sessions.end_all(
                    tx, caller.identity_id, reason=EndReason.LOGOUT_EVERYWHERE, now=now
                )
            self._record(tx, caller, Action.SESSIONS_ENDED, now)

    async def end_session(self, caller: Caller, session_id: UUID, *, now: datetime) -> bool:
        """End one session of the caller; False when they have no such session, whoever else may."""
        async with self._database.transaction() as tx:
            return await self._end(tx, caller, session_id, EndReason.LOGOUT_ELSEWHERE, now)

    async def revoke(self, caller: Caller, token: Secret, *, token_id: str | None, now: datetime) -> None:
        """Kill a token of the caller's: the refresh token's session, or the access token `token_id` (RFC 7009).

        Anything that is not theirs is left alone, and nobody is told which it was (RT-06).
        """
        async with self._database.transaction() as tx:
            if token_id is not None:
                await self._sessions.revocations.end_token(
                    tx,
                    token_id,
                    of=caller.identity_id,
                    reason=EndReason.TOKEN_REVOKED,
                    by=caller.external_id,
                    now=now,
                )
                self._record(tx, caller, Action.TOKEN_REVOKED, now)
                return
            session_id = await self._sessions.find_by_refresh_token(tx, caller.identity_id, token)
            if session_id is not None:
                await self._end(tx, caller, session_id, EndReason.TOKEN_REVOKED, now)

    async def _show(
        self,
        tx: Transaction,
        caller: Caller,
        owner: Credentials,
        given: Shown | None,
        facts: FactorFacts,
        now: datetime,
    ) -> tuple[str, ...] | None:
        """Use a factor up and return how RFC 8176 names it: nothing for none, None for a wrong one."""
        if given is None:
            return ()
        if given.factor not in facts.factors:
            return None
        return await self._factor_proofs.verify(
            tx, owner, given, bound_to=caller.session_id, origin=caller.origin, now=now
        )

    def _renew(
        self,
        tx: Transaction,
        owner: Credentials,
        proof: Proof,
        facts: FactorFacts,
        caller: Caller,
        now: datetime,
        authenticated_at: datetime | None = None,
    ) -> Tokens | ProofRefused:
        tokens = self._flows.renew(
            tx,
            owner,
            proof,
            facts,
            follows=caller.session_id,
            authenticated_at=authenticated_at,
            origin=caller.origin,
            now=now,
        )
        return tokens or ProofRefused(needs_factor=True)

    async def _prove(
        self, caller: Caller, password: Secret | None, failure: Action, now: datetime
    ) -> Credentials | ProofRefused:
        """Count an attempt, and check the caller's password if they give it, against the budget every other channel shares (ABU-01)."""
        attempt = await self._identities.reserve_attempt_by_id(caller.identity_id, now=now)
        credentials = attempt.credentials
        if not attempt.granted or credentials is None:
            return ProofRefused(retry_after=attempt.retry_after(now))
        if password is None:
            return credentials
        stored = PasswordHash.stored(credentials.password_hash, credentials.password_scheme)
        verification = await self._passwords.verify(password, stored)
        if verification.valid:
            return credentials
        async with self._database.transaction() as tx:
            self._record(tx, caller, failure, now, success=False)
        return ProofRefused()

    async def _is_mfa_enforced(self, source: Statements, owner: Credentials, now: datetime) -> bool:
        """Say whether the password alone opens nothing, so that a shorter one will do (PWD-01)."""
        if not self._passwords.may_be_shorter_with_mfa:
            return False
        facts = await self._flows.facts(source, owner.id, now=now)
        return not self._flows.is_password_enough(owner.entity_type, facts)

    def _check(self, new: Secret, owner: Credentials, *, mfa_enforced: bool) -> None:
        context = [owner.email] if owner.email else []
        self._passwords.check(new, context=context, mfa_enforced=mfa_enforced)

    async def _is_unchanged(self, tx: Transaction, proven: Credentials) -> bool:
        """Lock the identity, and say whether it still has the password, its shadow and the epoch that were proven."""
        locked = await self._identities.lock_for_change(tx, proven.id)
        is_same = locked.token_epoch == proven.token_epoch and locked.shadowed == proven.shadowed
        return is_same and equal((locked.password_hash or "").encode(), (proven.password_hash or "").encode())

    async def _end(
        self, tx: Transaction, caller: Caller, session_id: UUID, reason: EndReason, now: datetime
    ) -> bool:
        ended = await self._sessions.end(tx, caller.identity_id, session_id, reason=reason, now=now)
        if ended:
            self._record(tx, caller, Action.SESSION_ENDED, now, ended=session_id)
        return ended

    def _record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        now: datetime,
        *,
        ended: UUID | None = None,
        success: bool = True,
    ) -> None:
        event = caller.event(action, success=success)
        self._audit.record(tx, replace(event, session_id=ended) if ended else event, now=now)


def _kept(caller: Caller) -> tuple[Proof, datetime | None]:
    """Return what the session after a change of the password is proven by, and when if that is not now.

    The password was given, but the second factor a session began with was not shown again: it counts as of that moment.
    """
    if caller.showed_two_factors:
        names = tuple(dict.fromkeys(("pwd", *caller.amr)))
        return Proof("password", names, is_multi_factor=True), caller.authenticated_at
    return Proof("password", ("pwd",)), None
