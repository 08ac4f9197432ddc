"""The outbox: what is to be told to somebody outside, written with the change that causes it.

Owns `outbox` and `webhook_endpoints`. A message is delivered at least once, deduplicated by its id; what it says is sealed
until then and erased afterwards. Whoever adds a message adds it in the transaction of the change it tells of.
"""

from ostiary.features.outbox.model import Message, Recipient, Template, Topic
from ostiary.features.outbox.service import Outbox

__all__ = ["Message", "Outbox", "Recipient", "Template", "Topic"]
