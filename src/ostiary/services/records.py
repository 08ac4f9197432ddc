"""The records of an installation: what happened, and what is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.audit import SEAL_KEY, Audit, AuditLog, Seals
from ostiary.features.outbox import Courier, MailTransport, Outbox, Renderer, Topic
from ostiary.foundation.mail import mail_server_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.outbox import Transport
    from ostiary.services.ground import Ground


@dataclass(frozen=True)
class Records:
    """The lowest tier: everybody writes here."""

    outbox: Outbox
    courier: Courier
    renderer: Renderer
    audit: Audit
    audit_log: AuditLog
    seals: Seals


def build_records(ground: Ground) -> Records:
    """Build the records."""
    settings, key = ground.settings, ground.keys.derive("outbox payloads")
    outbox = Outbox(ground.entropy, key=key)
    renderer = Renderer(
        product_name=settings.messages.product_name,
        links=settings.links,
        folder=settings.messages.templates,
    )
    courier = Courier(
        ground.database,
        ground.entropy,
        key=key,
        renderer=renderer,
        transports=_transports(ground),
        webhooks={},
    )
    outbox.on_added = courier.wake
    audit = Audit(
        ground.database,
        ground.entropy,
        root_keys=ground.keys,
        outbox=outbox,
        tells_new_devices=settings.messages.new_device_notice,
    )
    return Records(
        outbox=outbox,
        audit=audit,
        audit_log=AuditLog(ground.database, audit.personal_data),
        courier=courier,
        renderer=renderer,
        seals=Seals(ground.database, ground.keys.derive(SEAL_KEY)),
    )


def _transports(ground: Ground) -> Mapping[Topic, Transport]:
    mail = ground.settings.mail
    server = mail_server_at(mail.url.get_secret_value(), sender=mail.sender)
    return {Topic.EMAIL: MailTransport(server, ground.clock)} | dict(ground.transports)
