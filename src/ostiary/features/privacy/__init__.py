"""Privacy: what somebody may demand to see of themselves, and to have forgotten.

Owns `erasures`. An export says everything the tables hold about a person and no secret. A deletion closes the account at
once, can be taken back for a while, and then erases: rows go, the keys of what records must keep are destroyed, and a
receipt stays that names nobody.
"""

from ostiary.features.privacy.export import Export, PersonalExport
from ostiary.features.privacy.model import (
    ERASURE_PREFIX,
    DeletionNotUndone,
    Erasure,
    ErasureNotFound,
    ErasuresFailed,
    ErasureState,
    OnErasure,
    OnExport,
    PersonalDataHooks,
)
from ostiary.features.privacy.service import Privacy

__all__ = [
    "ERASURE_PREFIX",
    "DeletionNotUndone",
    "Erasure",
    "ErasureNotFound",
    "ErasureState",
    "ErasuresFailed",
    "Export",
    "OnErasure",
    "OnExport",
    "PersonalDataHooks",
    "PersonalExport",
    "Privacy",
]
