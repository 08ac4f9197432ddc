"""Legacy: the accounts of another system, moved here: rehearsed, watched, verified, undoable.

Owns the `legacy_…` tables but for what was handed out (`legacy_bearers`). A profile says, as data, what each table and
column over there is here; whatever it does not say stops a migration before it writes anything.
"""

from ostiary.features.legacy.model import Decisions, Duplicates, ExitCode, LegacyError, Migration, State
from ostiary.features.legacy.overview import Overview
from ostiary.features.legacy.planning.plan import Plan
from ostiary.features.legacy.planning.sources import layout_of
from ostiary.features.legacy.rows.inspection import draft, matching, missing, unmapped
from ostiary.features.legacy.rows.profile import InvalidProfileFile, Profile, load_profile, packaged_profiles
from ostiary.features.legacy.running.running import Pace, Progress
from ostiary.features.legacy.service import Legacy
from ostiary.features.legacy.switching.rolling_back import WhatGoesBack
from ostiary.features.legacy.verifying.verification import (
    Canary,
    Checked,
    Counted,
    Level,
    Mismatch,
    Step,
    Verification,
)
from ostiary.features.legacy.work import Tools

__all__ = [
    "Canary",
    "Checked",
    "Counted",
    "Decisions",
    "Duplicates",
    "ExitCode",
    "InvalidProfileFile",
    "Legacy",
    "LegacyError",
    "Level",
    "Migration",
    "Mismatch",
    "Overview",
    "Pace",
    "Plan",
    "Profile",
    "Progress",
    "State",
    "Step",
    "Tools",
    "Verification",
    "WhatGoesBack",
    "draft",
    "layout_of",
    "load_profile",
    "matching",
    "missing",
    "packaged_profiles",
    "unmapped",
]
