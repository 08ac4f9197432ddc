"""What everything else stands on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ostiary.declarations import Declarations
from ostiary.features.data_keys import DataKeys
from ostiary.foundation.clock import Clock
from ostiary.foundation.crypto import Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.limits import SqlLimits
from ostiary.foundation.storage import Database
from ostiary.settings import Settings

if TYPE_CHECKING:
    from ostiary.foundation.cache import SharedCache


@dataclass(frozen=True)
class Ground:
    """What an installation is built on: what it was given, and what its application declared."""

    settings: Settings
    database: Database
    keys: Keyring
    data_keys: DataKeys
    entropy: Entropy
    clock: Clock
    declared: Declarations

    @cached_property
    def limits(self) -> SqlLimits:
        """The counters every worker shares."""
        return SqlLimits(self.database, self.keys.derive("rate limits"))

    @cached_property
    def cache(self) -> SharedCache | None:
        """What is shared through Redis, if there is one."""
        if self.settings.redis is None:
            return None
        # Imported here because the driver is an extra.
        try:
            from ostiary.foundation.cache import SharedCache  # noqa: PLC0415 - see above
        except ModuleNotFoundError:
            raise OstiaryError(
                'OSTIARY_REDIS_URL is set, but the driver is missing: pip install "ostiary[redis]".'
            ) from None
        return SharedCache(self.settings.redis, self.keys.derive("shared cache"), self.entropy)
