"""Federation: what becomes of whoever arrives from a provider with a proof of who they are there.

They are somebody here already, become somebody, are linked to somebody, or are told why not: by the provider's rules, in
one place, whichever way they came. An address alone opens nothing (FED-01, FED-02), and no provider makes an operator
(FED-09).
"""

from ostiary.features.federation.linking import Linking
from ostiary.features.federation.model import ArrivalReason, ArrivalRefused, Visit
from ostiary.features.federation.provider_roles import ProviderRoles
from ostiary.features.federation.service import Federation, may_be_made, once_more

__all__ = [
    "ArrivalReason",
    "ArrivalRefused",
    "Federation",
    "Linking",
    "ProviderRoles",
    "Visit",
    "may_be_made",
    "once_more",
]
