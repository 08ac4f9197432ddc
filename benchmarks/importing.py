"""What `import ostiary.verifier` costs beside the two packages it cannot do without."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.harness import Finding, Part, Reads, Result, Scale, Tell

_NAME = "importing the verifier"
_INTERPRETERS = 60
_OURS = "ostiary.verifier"
_PRIMITIVES = "cryptography.hazmat.primitives"
_ALGORITHMS = ", ".join(f"{_PRIMITIVES}.asymmetric.{name}" for name in ("ec", "rsa", "ed25519"))
# `import cryptography` alone loads next to nothing, so the bar stands on what verifying an ES256 signature needs.
_FLOORS = {
    f"{_NAME}": (f"{_PRIMITIVES}.asymmetric.ec, msgspec", 1.2),
    f"{_NAME}, every algorithm": (f"{_ALGORITHMS}, {_PRIMITIVES}.serialization, msgspec", None),
    f"{_NAME}, packages only": ("cryptography, msgspec", None),
}
# Processor time, not the clock's: a loaded machine makes an import late, but hardly dearer.
_PROGRAM = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [Part(list(_FLOORS), _importing)]


async def _importing(scale: Scale, tell: Tell) -> list[Finding]:
    interpreters = scale.of(_INTERPRETERS, least=10)
    claim = "processor time, user and system, in fresh interpreters, against `import {}`"
    results = [Result(name, claim.format(floor), bar, Reads.COST) for name, (floor, bar) in _FLOORS.items()]
    programs = [_OURS, *(floor for floor, _ in _FLOORS.values())]
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder:
        # Compiled once, into a folder of our own: an environment that keeps no bytecode would compile at every start.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for modules in programs:
            _import_in_a_fresh_interpreter(modules, environment)
        for turn in range(interpreters):
            tell(_NAME, turn / interpreters)
            order = programs if turn % 2 else programs[::-1]
            taken = {modules: _import_in_a_fresh_interpreter(modules, environment) for modules in order}
            for result, floor in zip(results, programs[1:], strict=True):
                result.subject_us.append(taken[_OURS])
                result.floor_us.append(taken[floor])
    return list(results)


def _import_in_a_fresh_interpreter(modules: str, environment: dict[str, str]) -> float:
    """Return how many microseconds of processor time the import takes."""
    command = [sys.executable, "-c", _PROGRAM.format(modules)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout) * 1e6
