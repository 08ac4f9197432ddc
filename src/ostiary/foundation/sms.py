"""Sending text messages: through Twilio, Amazon SNS or any gateway that takes JSON, or to the console.

What a gateway answers is told by its code alone: its words quote numbers.
"""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote, urlencode, urlsplit

import msgspec

from ostiary.foundation.errors import OstiaryError, Undelivered
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused
from ostiary.foundation.secret import Secret
from ostiary.foundation.sigv4 import signed_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.clock import Clock
    from ostiary.foundation.outbound import Outbound, Reply

_FORM: Final = "application/x-www-form-urlencoded"
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
FIELDS: Final[Mapping[str, str]] = {"id": "{id}", "to": "{to}", "text": "{text}"}
"""What a gateway of one's own is sent, unless the settings say otherwise."""
_OK: Final = range(200, 300)
# Not known, not allowed, asked too often, or broken: no fault of this message.
_OF_ALL: Final = frozenset({401, 402, 403, 404, 429})
_SERVER_ERROR: Final = 500
# Twilio's: not a number, no mobile phone, unsubscribed, no permission for that region, blocked.
_NEVER: Final = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 30005, 30006})


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One text message; `id` is the same however often it is sent. `to` is a number in E.164."""

    id: str
    to: str = field(repr=False)
    text: str = field(repr=False)


class SmsGateway(Protocol):
    """Takes text messages: one of the providers, or the console."""

    async def send(self, message: TextMessage) -> None:
        """Return when the message is taken. Raises `Undelivered`."""


def sms_gateway_at(
    url: str,
    *,
    token: Secret | None = None,
    fields: Mapping[str, str] = FIELDS,
    outbound: Outbound,
    clock: Clock,
) -> SmsGateway:
    """Return what a URL names.

    `console:`, `twilio://sid:token@/?from=+1…`, `sns://key:secret@region/?sender=…`, or the `https://…` of a gateway that
    takes JSON: an object of `fields`, with `token` or the URL's own name and password as credentials. Raises `OstiaryError`
    for any other.
    """
    if url == "console:":
        return ConsoleSms()
    parts = urlsplit(url)
    # Not parse_qs: the + of a number is no blank here.
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    options = {name: unquote(value) for name, value in options.items()}
    user, password = unquote(parts.username or ""), Secret(unquote(parts.password or ""))
    if parts.scheme == "twilio" and user and parts.password and options.get("from") and not parts.hostname:
        return Twilio(user, password, sender=options["from"], outbound=outbound)
    if parts.scheme == "sns" and user and parts.password and _REGION.fullmatch(parts.hostname or ""):
        return Sns(
            user,
            password,
            region=parts.hostname or "",
            sender=options.get("sender"),
            outbound=outbound,
            clock=clock,
        )
    if parts.scheme in {"https", "http"} and parts.hostname:
        target = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        basic = f"{user}:{password.reveal()}" if user else None
        return HttpGateway(target, _credential(basic, token), fields=fields, outbound=outbound)
    raise OstiaryError(
        "The URL of the SMS gateway is not one we know: write twilio://sid:token@/?from=+1…, sns://key:secret@region, "
        "the https://… of a gateway, or console:."
    )


def _credential(basic: str | None, token: Secret | None) -> Secret | None:
    if token is not None:
        return Secret(f"Bearer {token.reveal()}")
    return None if basic is None else Secret(_basic(basic))


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


class ConsoleSms:
    """Shows text messages to whoever develops, on the standard error; they go nowhere else."""

    async def send(self, message: TextMessage) -> None:
        """Write the message out."""
        sys.stderr.write(f"\n--- SMS to {message.to}\n{message.text}\n---\n")


class Twilio:
    """Twilio's Messages resource; `sender` is a number, or the id (MG…) of a messaging service."""

    def __init__(
        self,
        account: str,
        token: Secret,
        *,
        sender: str,
        outbound: Outbound,
        at: str = "https://api.twilio.com",
    ) -> None:
        self._url = f"{at}/2010-04-01/Accounts/{account}/Messages.json"
        self._credential = Secret(_basic(f"{account}:{token.reveal()}"))
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}
        self._outbound = outbound

    async def send(self, message: TextMessage) -> None:
        """Have Twilio send one message. Raises `Undelivered`."""
        headers = {"authorization": self._credential.reveal(), "content-type": _FORM}
        content = urlencode({"To": message.to, "Body": message.text, **self._sender}).encode()
        reply = await _posted(self._outbound, self._url, headers, content)
        answer = _object_in(reply)
        if reply.status in _OK and isinstance(answer.get("sid"), str):
            return
        raise _refused(reply, never=answer.get("code") in _NEVER, malformed=reply.status in _OK)


class Sns:
    """Amazon SNS, which sends to a number directly."""

    def __init__(
        self,
        key_id: str,
        secret: Secret,
        *,
        region: str,
        sender: str | None,
        outbound: Outbound,
        clock: Clock,
        at: str | None = None,
    ) -> None:
        self._url = f"{at or f'https://sns.{region}.amazonaws.com'}/"
        self._key_id = key_id
        self._secret = secret
        self._region = region
        self._attributes = {"AWS.SNS.SMS.SMSType": "Transactional"} | (
            {"AWS.SNS.SMS.SenderID": sender} if sender else {}
        )
        self._outbound = outbound
        self._clock = clock

    async def send(self, message: TextMessage) -> None:
        """Have SNS send one message. Raises `Undelivered`."""
        values = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "PhoneNumber": message.to,
            "Message": message.text,
        }
        for number, (name, value) in enumerate(self._attributes.items(), start=1):
            entry = f"MessageAttributes.entry.{number}"
            values |= {
                f"{entry}.Name": name,
                f"{entry}.Value.DataType": "String",
                f"{entry}.Value.StringValue": value,
            }
        content = urlencode(values).encode()
        headers = signed_headers(
            self._url,
            {"content-type": _FORM},
            content,
            key_id=self._key_id,
            secret=self._secret,
            region=self._region,
            service="sns",
            now=self._clock.now(),
        )
        reply = await _posted(self._outbound, self._url, headers, content)
        if reply.status in _OK and b"<MessageId>" in reply.body:
            return
        never = b"<Code>InvalidParameter" in reply.body or b"<Code>OptedOut" in reply.body
        raise _refused(reply, never=never, malformed=reply.status in _OK)


class HttpGateway:
    """Any gateway that takes a JSON object; `fields` may say `{id}`, `{to}` and `{text}`. Whatever it answers with 2xx is taken."""

    def __init__(
        self, url: str, credential: Secret | None, *, fields: Mapping[str, str], outbound: Outbound
    ) -> None:
        self._url = url
        self._credential = credential
        self._fields = fields
        self._outbound = outbound

    async def send(self, message: TextMessage) -> None:
        """Have the gateway send one message. Raises `Undelivered`."""
        headers = {"content-type": "application/json", "idempotency-key": message.id}
        if self._credential is not None:
            headers["authorization"] = self._credential.reveal()
        values = {"{id}": message.id, "{to}": message.to, "{text}": message.text}
        content = msgspec.json.encode({name: _filled(text, values) for name, text in self._fields.items()})
        reply = await _posted(self._outbound, self._url, headers, content)
        if reply.status not in _OK:
            raise _refused(reply, never=False, malformed=False)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Fill a field in one go, so that nothing in a value is filled in again."""
    return re.sub(r"\{(?:id|to|text)\}", lambda found: values[found[0]], text)


async def _posted(outbound: Outbound, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
    try:
        return await outbound.request("POST", url, headers=headers, content=content)
    except (OutboundFailed, OutboundRefused) as error:
        raise Undelivered(f"The SMS gateway could not be asked. {error}", is_outage=True) from None


def _object_in(reply: Reply) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _refused(reply: Reply, *, never: bool, malformed: bool) -> Undelivered:
    """Say what a gateway's answer means for this message, and for all others."""
    if malformed:
        return Undelivered("The SMS gateway answered something that is not its own.", is_outage=True)
    if never:
        return Undelivered(f"The SMS gateway will never send to this number ({reply.status}).", is_final=True)
    of_all = reply.status in _OF_ALL or reply.status >= _SERVER_ERROR
    return Undelivered(f"The SMS gateway refused the message with {reply.status}.", is_outage=of_all)
