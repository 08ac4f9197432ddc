"""What proves an address: a link or a code by e-mail, a code by SMS, written into the outbox with its challenge."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.challenges.model import Format, Purpose, lifetime_of
from ostiary.features.identities import Address, Channel
from ostiary.features.outbox import Message, Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.challenges.service import Challenges
    from ostiary.features.outbox import Outbox
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Transaction

VERIFY: Final[Mapping[Channel, Purpose]] = MappingProxyType(
    {Channel.EMAIL: Purpose.VERIFY_EMAIL, Channel.PHONE: Purpose.VERIFY_PHONE}
)
CHANGE: Final[Mapping[Channel, Purpose]] = MappingProxyType(
    {Channel.EMAIL: Purpose.CHANGE_EMAIL, Channel.PHONE: Purpose.CHANGE_PHONE}
)
_TEMPLATES: Final[Mapping[Purpose, Template]] = MappingProxyType(
    {
        Purpose.REGISTER: Template.REGISTER,
        Purpose.VERIFY_EMAIL: Template.VERIFY_EMAIL,
        Purpose.VERIFY_PHONE: Template.VERIFY_PHONE,
        Purpose.CHANGE_EMAIL: Template.CHANGE_EMAIL,
        Purpose.CHANGE_PHONE: Template.CHANGE_PHONE,
        Purpose.RESET_PASSWORD: Template.RESET_PASSWORD,
        Purpose.SIGN_IN_LINK: Template.SIGN_IN_LINK,
        Purpose.SIGN_IN_CODE: Template.SIGN_IN_CODE,
    }
)


class AddressProofs:
    """Asks for the proof of addresses. Whether one more message may be sent, `Sending` was asked before."""

    def __init__(self, challenges: Challenges, outbox: Outbox) -> None:
        self._challenges = challenges
        self._outbox = outbox

    def ask(
        self,
        tx: Transaction,
        purpose: Purpose,
        address: Address,
        *,
        identity_id: UUID,
        form: Format,
        locale: str | None,
        now: datetime,
    ) -> None:
        """Send the owner of an account a link, or a code; a phone number gets a code whatever is asked for."""
        destination, payload = address.key, address.text.encode()
        if form is Format.LINK and address.channel is Channel.EMAIL:
            token = self._challenges.issue(
                tx, purpose, identity_id=identity_id, destination=destination, payload=payload, now=now
            )
            self._send_link(tx, purpose, address, token, locale, now)
        else:
            code = self._challenges.issue_code(
                tx, purpose, identity_id=identity_id, destination=destination, payload=payload, now=now
            )
            self._send_code(tx, purpose, address, code, locale, now)

    def ask_nobody(
        self,
        tx: Transaction,
        purpose: Purpose,
        address: Address,
        *,
        entity_type: str,
        payload: bytes,
        flow_id: UUID,
        locale: str | None,
        now: datetime,
    ) -> None:
        """Send whoever reads what is sent to an address that is nobody's yet a link, or by SMS a code of the flow."""
        if address.channel is Channel.EMAIL:
            token = self._challenges.issue(
                tx,
                purpose,
                identity_id=None,
                entity_type=entity_type,
                destination=address.key,
                payload=payload,
                flow_id=flow_id,
                now=now,
            )
            self._send_link(tx, purpose, address, token, locale, now)
        else:
            code = self._challenges.issue_code_to_nobody(
                tx,
                purpose,
                entity_type=entity_type,
                destination=address.key,
                payload=payload,
                flow_id=flow_id,
                now=now,
            )
            self._send_code(tx, purpose, address, code, locale, now)

    def _send_link(
        self,
        tx: Transaction,
        purpose: Purpose,
        address: Address,
        token: Secret,
        locale: str | None,
        now: datetime,
    ) -> None:
        lifetime = lifetime_of(purpose, Format.LINK)
        values = {"token": token.reveal(), "minutes": _minutes(lifetime)}
        message = Message.email(_TEMPLATES[purpose], address.text, locale=locale, values=values)
        self._outbox.add(tx, message, lifetime=lifetime, now=now)

    def _send_code(
        self,
        tx: Transaction,
        purpose: Purpose,
        address: Address,
        code: Secret,
        locale: str | None,
        now: datetime,
    ) -> None:
        lifetime = lifetime_of(purpose, Format.CODE)
        values = {"code": code.reveal(), "minutes": _minutes(lifetime)}
        # A newcomer proves a phone number as its owner does.
        template = Template.VERIFY_PHONE if purpose is Purpose.REGISTER else _TEMPLATES[purpose]
        write = Message.email if address.channel is Channel.EMAIL else Message.sms
        message = write(template, address.text, locale=locale, values=values)
        self._outbox.add(tx, message, lifetime=lifetime, now=now)


def _minutes(lifetime: timedelta) -> str:
    return str(lifetime // timedelta(minutes=1))
