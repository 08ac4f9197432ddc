"""The outbox: what is to be told to somebody outside, written with the change that causes it.

Owns `outbox` and `webhook_endpoints`. A message is delivered at least once, deduplicated by its id; what it says is sealed
until then and erased afterwards. Whoever adds a message adds it in the transaction of the change it tells of.
"""

from ostiary.features.outbox.contents import CONTENTS, Contents
from ostiary.features.outbox.delivery import Courier
from ostiary.features.outbox.model import Addressed, Message, Recipient, Rendered, Template, Topic, Transport
from ostiary.features.outbox.rendering import Renderer
from ostiary.features.outbox.service import Outbox
from ostiary.features.outbox.transports import MailTransport

__all__ = [
    "CONTENTS",
    "Addressed",
    "Contents",
    "Courier",
    "MailTransport",
    "Message",
    "Outbox",
    "Recipient",
    "Rendered",
    "Renderer",
    "Template",
    "Topic",
    "Transport",
]
