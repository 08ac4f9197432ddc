"""Every statement the features run, found where they are written."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from ostiary import features
from ostiary.foundation.storage import Query


def modules():
    """Return the modules that hold SQL."""
    packages = (f"ostiary.features.{package.name}" for package in pkgutil.iter_modules(features.__path__))
    stores = [f"{name}.store" for name in packages if importlib.util.find_spec(f"{name}.store")]
    others = (
        "features.sessions.revocations",
        "features.vault.claim_store",
        "features.identities.budget_store",
        "features.legacy.verifying.observing_store",
        "features.legacy.overview_store",
        "features.legacy.running.settling_store",
        "features.legacy.switching.way_back_store",
        "foundation.limits",
    )
    return [*stores, *(f"ostiary.{name}" for name in others)]


def queries_in(value, name):
    """Find the queries in a value, however deep in containers and dataclasses, each with its place."""
    if isinstance(value, Query):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from queries_in(item, f"{name}[{key}]")
    elif isinstance(value, tuple | list | set | frozenset):
        for number, item in enumerate(value):
            yield from queries_in(item, f"{name}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from queries_in(getattr(value, field.name), f"{name}.{field.name}")


def queries_of(module):
    """Find the queries of a module, each with its place."""
    for name, value in vars(importlib.import_module(module)).items():
        yield from queries_in(value, f"{module}.{name}")


QUERIES = {name: query for module in modules() for name, query in queries_of(module)}
