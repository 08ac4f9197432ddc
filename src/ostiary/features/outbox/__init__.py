"""The outbox: what is to be told to somebody outside, written with the change that causes it.

Owns `outbox` and `webhook_endpoints`. A message is delivered at least once, deduplicated by its id; what it says is sealed
until then and erased afterwards. Whoever adds a message adds it in the transaction of the change it tells of.
"""

from ostiary.features.outbox.contents import ACTIONS, CONTENTS, Contents
from ostiary.features.outbox.delivery import Courier
from ostiary.features.outbox.errors import EndpointNotFound, InvalidEndpoint, MessageNotFound
from ostiary.features.outbox.model import (
    ENDPOINT_PREFIX,
    MESSAGE_PREFIX,
    Addressed,
    Endpoint,
    Entry,
    Message,
    OutboxFigures,
    Recipient,
    Rendered,
    State,
    Template,
    Topic,
    Transport,
    matches,
)
from ostiary.features.outbox.reading import Messages
from ostiary.features.outbox.rendering import Renderer
from ostiary.features.outbox.service import Outbox
from ostiary.features.outbox.transports import MailTransport, SmsTransport
from ostiary.features.outbox.webhooks import Webhooks

__all__ = [
    "ACTIONS",
    "CONTENTS",
    "ENDPOINT_PREFIX",
    "MESSAGE_PREFIX",
    "Addressed",
    "Contents",
    "Courier",
    "Endpoint",
    "EndpointNotFound",
    "Entry",
    "InvalidEndpoint",
    "MailTransport",
    "Message",
    "MessageNotFound",
    "Messages",
    "Outbox",
    "OutboxFigures",
    "Recipient",
    "Rendered",
    "Renderer",
    "SmsTransport",
    "State",
    "Template",
    "Topic",
    "Transport",
    "Webhooks",
    "matches",
]
