"""A system in memory that keeps every promise, or breaks a chosen one: the checker is tested on its histories."""

from __future__ import annotations

import itertools
from typing import Final, Literal

from tests.faults.harness.history import WRONG_PASSWORD, Issued, Kind, Operation, Outcome
from tests.faults.harness.records import AuditEvent, Records, StoredSession

Fate = Literal["answered", "answer lost", "never arrived"]
Defect = Literal[
    "",
    *(
        "logout forgotten",
        "password change forgotten",
        "suspension forgotten",
        "sign-in lost",
        "rotation lost",
    ),
    *("fork", "spent token accepted", "false alarm", "event missing", "event invented", "alarm unfounded"),
    *("old session listed", "wrong password accepted", "internal error", "registered twice"),
]
GRACE: Final = 10.0
_SECOND: Final = 1.0


class _Session:
    def __init__(self, name: str, person: str, number: int) -> None:
        self.id = name
        self.person = person
        self.number = number
        self.live = True
        self.unspent = ""


class Simulation:
    """One installation, its clients' history and its records. Every operation takes a tenth of a second."""

    def __init__(self, defect: Defect = "") -> None:
        self.defect = defect
        self.operations: list[Operation] = []
        self.passwords: dict[str, int] = {}
        self.suspended: set[str] = set()
        self.held: list[Issued] = []
        self._sessions: dict[str, _Session] = {}
        self._spent: dict[str, tuple[float, Issued]] = {}
        self._events: list[AuditEvent] = []
        self._names = itertools.count(1)
        self._now = 0.0

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def register(self, person: str, fate: Fate = "answered") -> None:
        """Register somebody with the password 1."""
        if fate == "never arrived":
            self._record(Kind.REGISTER, person, fate, new_password=1)
        elif person in self.passwords and self.defect != "registered twice":
            self._record(Kind.REGISTER, person, fate, refused="identifier_taken", new_password=1)
        else:
            self.passwords[person] = 1
            self._event("identity:account:registered", person)
            issued = self._start(person)
            self._event("identity:session:started", person, issued.session)
            self._record(Kind.REGISTER, person, fate, issued=issued, new_password=1)

    def sign_in(self, person: str, password: int, fate: Fate = "answered") -> None:
        """Try a password."""
        right = self.passwords.get(person) == password and person not in self.suspended
        accepted = right or (self.defect == "wrong password accepted" and password == WRONG_PASSWORD)
        if fate == "never arrived":
            self._record(Kind.SIGN_IN, person, fate, password=password)
        elif accepted:
            issued = self._start(person)
            self._event("identity:session:started", person, issued.session)
            if self.defect == "sign-in lost":
                del self._sessions[issued.session]
            self._record(Kind.SIGN_IN, person, fate, issued=issued, password=password)
        else:
            self._event("identity:session:refused", person)
            self._record(Kind.SIGN_IN, person, fate, refused="invalid_credentials", password=password)

    def refresh(self, tokens: Issued, fate: Fate = "answered") -> Issued | None:
        """Exchange a refresh token."""
        session = self._sessions.get(tokens.session)
        asked = {"refresh": tokens.refresh, "session": tokens.session}
        person = self._owner(tokens)
        if fate == "never arrived":
            return self._record(Kind.REFRESH, person, fate, **asked)
        if session is None or not session.live or self.defect == "false alarm":
            return self._record(Kind.REFRESH, person, fate, refused="invalid_refresh_token", **asked)
        if tokens.refresh != session.unspent:
            return self._present_spent(session, tokens, fate, asked)
        successor = self._issue(session)
        if self.defect != "rotation lost":
            self._spent[tokens.refresh] = (self._now, successor)
            session.unspent = successor.refresh
        return self._record(Kind.REFRESH, person, fate, issued=successor, **asked)

    def _present_spent(
        self, session: _Session, tokens: Issued, fate: Fate, asked: dict[str, str]
    ) -> Issued | None:
        spent = self._spent.get(tokens.refresh)
        if spent is not None:
            at, successor = spent
            retry = self._now - at < GRACE and successor.refresh == session.unspent
            if self.defect == "fork":
                successor = self._issue(session)
            if retry or self.defect in {"spent token accepted", "fork"}:
                return self._record(Kind.REFRESH, session.person, fate, issued=successor, **asked)
        session.live = False
        self._event("session:refresh_token:reused", session.person, session.id)
        return self._record(Kind.REFRESH, session.person, fate, refused="invalid_refresh_token", **asked)

    def me(self, tokens: Issued, fate: Fate = "answered") -> None:
        """Use an access token."""
        self._bearer(Kind.ME, tokens, fate)

    def list_sessions(self, tokens: Issued, fate: Fate = "answered") -> None:
        """List the live sessions."""
        seen = [
            session.id
            for session in self._sessions.values()
            if session.person == self._owner(tokens) and (session.live or self.defect == "old session listed")
        ]
        self._bearer(Kind.LIST_SESSIONS, tokens, fate, seen=tuple(seen))

    def log_out(self, tokens: Issued, fate: Fate = "answered") -> None:
        """Sign out."""
        if self._bearer(Kind.LOG_OUT, tokens, fate) and self.defect != "logout forgotten":
            self._sessions[tokens.session].live = False
            self._event("session:session:ended", self._owner(tokens), tokens.session)

    def log_out_everywhere(self, tokens: Issued, fate: Fate = "answered") -> None:
        """Sign out everywhere."""
        if self._bearer(Kind.LOG_OUT_EVERYWHERE, tokens, fate) and self.defect != "logout forgotten":
            self._end_all(self._owner(tokens))
            self._event("identity:sessions:ended", self._owner(tokens))

    def change_password(self, tokens: Issued, fate: Fate = "answered") -> None:
        """Set the password after the newest."""
        person = self._owner(tokens)
        old, new = self.passwords[person], next(self._names) + 1
        asked = {"password": old, "new_password": new}
        session = self._sessions.get(tokens.session)
        if fate == "never arrived" or session is None or not session.live:
            self._bearer(Kind.CHANGE_PASSWORD, tokens, fate, **asked)
            return
        if self.defect != "password change forgotten":
            self.passwords[person] = new
        self._end_all(person)
        self._event("identity:password:changed", person)
        asked |= {"access": tokens.access, "session": tokens.session}
        self._record(Kind.CHANGE_PASSWORD, person, fate, issued=self._start(person), **asked)

    def suspend(self, person: str, fate: Fate = "answered") -> None:
        """Suspend somebody."""
        if fate != "never arrived":
            self._event("identity:account:suspended", person)
            if self.defect != "suspension forgotten":
                self.suspended.add(person)
                self._end_all(person)
        self._record(Kind.SUSPEND, person, fate)

    def reactivate(self, person: str, fate: Fate = "answered") -> None:
        """Let somebody in again."""
        if fate != "never arrived":
            self._event("identity:account:reactivated", person)
            self.suspended.discard(person)
        self._record(Kind.REACTIVATE, person, fate)

    def records(self) -> Records:
        """Return what the database would hold."""
        events = [*self._events]
        if self.defect == "event missing":
            events = [event for event in events if event.action != "identity:session:started"]
        if self.defect == "event invented":
            events += [event for event in events if event.action == "identity:session:started"]
        if self.defect == "alarm unfounded":
            events += [AuditEvent("session:refresh_token:reused", None, name) for name in self._sessions]
        sessions = [StoredSession(session.id, not session.live, 1) for session in self._sessions.values()]
        return Records(events, sessions, [])

    def _bearer(self, kind: Kind, tokens: Issued, fate: Fate, **asked: object) -> bool:
        """Record something done with an access token; return whether it has its effect."""
        session = self._sessions.get(tokens.session)
        refused = "" if session is not None and session.live else "invalid_token"
        if self.defect == "internal error":
            refused = "internal_error"
        if refused:
            asked.pop("seen", None)
        self._record(
            kind,
            self._owner(tokens),
            fate,
            refused=refused,
            access=tokens.access,
            session=tokens.session,
            **asked,
        )
        return not refused and fate != "never arrived"

    def _start(self, person: str) -> Issued:
        session = _Session(f"ses_{next(self._names)}", person, len(self._sessions))
        self._sessions[session.id] = session
        issued = self._issue(session)
        session.unspent = issued.refresh
        return issued

    def _issue(self, session: _Session) -> Issued:
        return Issued(session.id, f"access {next(self._names)}", f"refresh {next(self._names)}")

    def _end_all(self, person: str) -> None:
        for session in self._sessions.values():
            if session.person == person:
                session.live = False

    def _owner(self, tokens: Issued) -> str:
        return next(
            operation.person
            for operation in self.operations
            if operation.issued and operation.issued.session == tokens.session
        )

    def _event(self, action: str, person: str, session: str | None = None) -> None:
        self._events.append(AuditEvent(action, f"idn_{person}", session))

    def _record(
        self,
        kind: Kind,
        person: str,
        fate: Fate,
        *,
        refused: str = "",
        issued: Issued | None = None,
        seen: tuple[str, ...] = (),
        **asked: object,
    ) -> Issued | None:
        """Write down what the client saw of it; return what it was given."""
        outcome: Outcome = "fail" if refused else "ok"
        reason = refused
        identity = f"idn_{person}" if outcome == "ok" else ""
        if fate != "answered":
            outcome, reason, issued, seen, identity = "unknown", "broken", None, (), ""
        self.operations.append(
            Operation(
                number=len(self.operations),
                kind=kind,
                person=person,
                worker=0,
                started=self._now,
                ended=self._now + 0.1 * _SECOND,
                outcome=outcome,
                reason=reason,
                identity=identity,
                issued=issued,
                seen=seen,
                **asked,
            )
        )
        self._now += 0.2 * _SECOND
        if issued:
            self.held.append(issued)
        return issued
