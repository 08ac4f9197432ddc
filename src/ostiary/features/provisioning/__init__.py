"""Provisioning: making an account, the same way for everybody it is made for.

Whoever registers, is invited, is made by an operator, or comes from a provider for the first time: the identity, its
profile, its roles, what the application's hooks add, and the records exist afterwards, or none of them does.
"""

from ostiary.features.provisioning.model import Arrival, AwaitsApproval, Draft
from ostiary.features.provisioning.service import Provisioning

__all__ = ["Arrival", "AwaitsApproval", "Draft", "Provisioning"]
