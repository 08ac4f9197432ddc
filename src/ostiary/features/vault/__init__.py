"""The vault: accounts at providers, whose they are here, and their tokens, sealed.

Owns `linked_accounts`. One row for each account at a provider, shared by every session that began with it. A token is in
the clear only in the hands of whoever asked for it: no log, error, repr, record or cache has one.
"""

from ostiary.features.vault.claim_model import ClaimedRefresh, KeptToken
from ostiary.features.vault.claims import RefreshClaims
from ostiary.features.vault.errors import AlreadyLinked
from ostiary.features.vault.model import (
    ACCOUNT_PREFIX,
    LinkedAccount,
    LinkedBy,
    UpstreamTokens,
    external_account_id,
    parse_account_id,
)
from ostiary.features.vault.resealing import Resealing
from ostiary.features.vault.sealing import OpenTokens, SealedTokens
from ostiary.features.vault.service import Vault
from ostiary.features.vault.store import VaultFigures

__all__ = [
    "ACCOUNT_PREFIX",
    "AlreadyLinked",
    "ClaimedRefresh",
    "KeptToken",
    "LinkedAccount",
    "LinkedBy",
    "OpenTokens",
    "RefreshClaims",
    "Resealing",
    "SealedTokens",
    "UpstreamTokens",
    "Vault",
    "VaultFigures",
    "external_account_id",
    "parse_account_id",
]
