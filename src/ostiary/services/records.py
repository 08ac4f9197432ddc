"""The records of an installation: what happened, and what is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.audit import SEAL_KEY, Audit, AuditLog, Seals
from ostiary.features.outbox import (
    Courier,
    MailTransport,
    Messages,
    Outbox,
    Renderer,
    SmsTransport,
    Topic,
    Webhooks,
)
from ostiary.foundation.mail import mail_server_at
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret
from ostiary.foundation.sms import sms_gateway_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.outbox import Transport
    from ostiary.services.ground import Ground


@dataclass(frozen=True)
class Records:
    """The lowest tier: everybody writes here."""

    outbound: Outbound
    outbox: Outbox
    messages: Messages
    renderer: Renderer
    webhooks: Webhooks
    courier: Courier
    audit: Audit
    audit_log: AuditLog
    seals: Seals


def build_records(ground: Ground) -> Records:
    """Build the records."""
    settings, database, entropy = ground.settings, ground.database, ground.entropy
    key = ground.keys.derive("outbox payloads")
    outbound = Outbound(allowed_networks=settings.outbound.allowed_networks)
    outbox = Outbox(entropy, key=key)
    webhooks = Webhooks(
        database,
        entropy,
        key=key,
        secret_key=ground.keys.derive("webhook secrets"),
        outbound=outbound,
    )
    renderer = Renderer(
        product_name=settings.messages.product_name,
        links=settings.links,
        folder=settings.messages.templates,
    )
    courier = Courier(
        database,
        entropy,
        key=key,
        renderer=renderer,
        transports=_transports(ground, outbound),
        webhooks={Topic.EVENT: webhooks.expand, Topic.WEBHOOK: webhooks.post},
    )
    audit = Audit(
        database,
        entropy,
        root_keys=ground.keys,
        outbox=outbox,
        tells_new_devices=settings.messages.new_device_notice,
    )
    outbox.on_added = webhooks.on_added = courier.wake
    return Records(
        outbound=outbound,
        outbox=outbox,
        audit=audit,
        audit_log=AuditLog(ground.database, audit.personal_data),
        messages=Messages(database),
        renderer=renderer,
        webhooks=webhooks,
        courier=courier,
        seals=Seals(database, ground.keys.derive(SEAL_KEY)),
    )


def _transports(ground: Ground, outbound: Outbound) -> Mapping[Topic, Transport]:
    """Return who takes messages: the settings' transports, unless the application brings its own."""
    mail, sms = ground.settings.mail, ground.settings.sms
    server = mail_server_at(mail.url.get_secret_value(), sender=mail.sender)
    gateway = sms_gateway_at(
        sms.url.get_secret_value(),
        token=None if sms.token is None else Secret(sms.token.get_secret_value()),
        fields=sms.fields,
        outbound=outbound,
        clock=ground.clock,
    )
    own: dict[Topic, Transport] = {
        Topic.EMAIL: MailTransport(server, ground.clock),
        Topic.SMS: SmsTransport(gateway),
    }
    return own | dict(ground.declared.transports)
