"""The house stays as it is drawn: what no linter checks."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ostiary"
MODULES = sorted(SOURCE.rglob("*.py"))
FEATURES = sorted(
    path.name for path in (SOURCE / "features").iterdir() if path.is_dir() and path.name[0] != "_"
)
SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s+\S+.*\b(FROM|SET|VALUES|AS|ostiary\.)", re.DOTALL
)


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.fixture(scope="module")
def trees():
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def _imports(tree: ast.Module):
    """Yield every imported name whole: `from a.b import c` is `a.b.c`, as `c` may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.fixture(scope="module")
def imports(trees):
    """What each module imports; a dot behind every name."""
    return {path: [f"{name}." for name in _imports(tree)] for path, tree in trees.items()}


def _reaching_into(package: str, imports: dict[Path, list[str]]) -> list[str]:
    """Name the modules outside `package` that import a module inside it."""
    home = SOURCE.joinpath(*package.split("."))
    inside = tuple(f"ostiary.{package}.{path.stem}." for path in home.glob("*.py"))
    return [
        _name(path)
        for path, names in imports.items()
        if home not in path.parents and any(name.startswith(inside) for name in names)
    ]


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_imported_by_its_package_name_only(imports, feature):
    """Nobody outside a feature reaches into its modules."""
    assert _reaching_into(f"features.{feature}", imports) == []


def test_storage_is_imported_by_its_package_name_only(imports):
    """The drivers are nobody's business but storage's."""
    assert _reaching_into("foundation.storage", imports) == []


def test_sql_stands_in_stores_and_foundation_only(trees):
    """All SQL of a feature is in its `store.py`, or in `revocations.py`, the store of the feed."""
    allowed = {
        "store.py",
        "revocations.py",
        "claim_store.py",
        "observing_store.py",
        "overview_store.py",
        "way_back_store.py",
        "settling_store.py",
        "budget_store.py",
    }
    strays = [
        _name(path)
        for path, tree in trees.items()
        if path.name not in allowed and path.relative_to(SOURCE).parts[0] not in {"foundation", "schema"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]

    assert strays == []


def test_the_inside_of_every_feature_has_the_same_files():
    """A file's name says its role, and there are few roles."""
    roles = {
        "__init__.py",
        "model.py",
        "errors.py",
        "service.py",
        "store.py",
        # What is a concept of its own within a feature.
        "access_tokens.py",
        "application_vault.py",
        "claim_model.py",
        "claim_store.py",
        "refreshes.py",
        "address_proofs.py",
        "addresses.py",
        "application_records.py",
        "approvals.py",
        "attempts.py",
        "believing.py",
        "budget_store.py",
        "calls.py",
        "caller.py",
        "catalogue.py",
        "cognito.py",
        "changes.py",
        "contents.py",
        "delivery.py",
        "devices.py",
        "claims.py",
        "linking.py",
        "provider_roles.py",
        "upkeep.py",
        "endings.py",
        "entity_types.py",
        "exchange.py",
        "export.py",
        "feed.py",
        "firebase.py",
        "flows.py",
        "hashing.py",
        "passkeys.py",
        "keycloak.py",
        "keys.py",
        "key_care.py",
        "installation.py",
        "resealing.py",
        "log.py",
        "invitations.py",
        "managed.py",
        "messaging.py",
        "metadata.py",
        "lease.py",
        "legacy.py",
        "policy.py",
        "proofs.py",
        "progress.py",
        "providers.py",
        "restore_guard.py",
        "reading.py",
        "recovery_codes.py",
        "resets.py",
        "rendering.py",
        "revocations.py",
        "roles.py",
        "schedule.py",
        "schemes.py",
        "messages.py",
        "sealing.py",
        "steps.py",
        "successors.py",
        "seals.py",
        "sending.py",
        "verification.py",
        "verify_first.py",
        "webhooks.py",
        "statistics.py",
        "tasks.py",
        "totp.py",
        "transports.py",
        # A migration from another system as a whole; its stages are folders of their own.
        "overview.py",
        "overview_store.py",
        "work.py",
    }
    strangers = [_name(path) for path in (SOURCE / "features").glob("*/*.py") if path.name not in roles]

    assert strangers == []


def test_no_folder_or_file_is_a_drawer_for_anything():
    """utils, helpers, common, misc, manager and base say nothing about what is inside."""
    drawers = {"utils", "util", "helpers", "common", "misc", "manager", "managers", "base"}

    assert [
        _name(path) for path in MODULES if set(path.relative_to(SOURCE).with_suffix("").parts) & drawers
    ] == []


def test_modules_stay_readable():
    """A module over 400 lines is missing a concept."""
    long = [_name(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 400]

    assert long == []


def test_nothing_is_left_unfinished(trees):
    """No placeholder is committed."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")

    assert [_name(path) for path in trees if marks.search(path.read_text(encoding="utf-8"))] == []
    assert [_name(path) for path, tree in trees.items() if any(map(_is_hollow, ast.walk(tree)))] == []


def _is_hollow(node: ast.AST) -> bool:
    """Say whether this is a function of `pass` alone; an abstract method is written with dots."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and isinstance(node.body[0], ast.Pass)


def test_the_linter_still_bans_reading_time_and_randomness():
    """Only the clock and the entropy may, among what is installed."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    banned = lint["flake8-tidy-imports"]["banned-api"]
    free = {place for place, rules in lint["per-file-ignores"].items() if "TID251" in rules}

    assert {"datetime.datetime.now", "time.time", "secrets", "random", "os.urandom", "uuid.uuid4"} <= set(
        banned
    )
    assert lint["select"] == ["ALL"]
    assert "TID251" not in lint["ignore"]
    assert {place for place in free if place.startswith("src/")} == {
        "src/ostiary/foundation/clock.py",
        "src/ostiary/foundation/entropy.py",
    }


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    ).stdout
    names = [name for name in listed.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()] or MODULES


def test_no_tracked_file_names_a_machine_or_holds_a_key():
    """No path of one machine, no package index, no private key."""
    forbidden = re.compile(
        rb"(?<![A-Za-z0-9_.\-/])/(work|root|farm)/"
        rb"|files\.python" + rb"hosted|py" + rb"pi\.org|registry\.npm" + rb"js"
        rb"|-----BEGIN [A-Z ]*PRIVATE " + rb"KEY-----"
    )
    found = [path.relative_to(ROOT).as_posix() for path in _tracked() if forbidden.search(path.read_bytes())]

    assert found == []
