"""The guards that several doors share."""

from __future__ import annotations

from typing import Final

from ostiary.entrypoints.http.routes import signed_in
from ostiary.features.roles import OPERATOR

OPERATORS: Final = signed_in(entity_types={"admin"}, roles={OPERATOR}, recent=True, second_factor=True)
"""Administrators with the operator's role, who proved themselves with two factors a moment ago (ADM-04)."""
