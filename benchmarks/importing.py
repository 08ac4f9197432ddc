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
# What checking signatures needs of cryptography, whoever does it: `import cryptography` alone loads next to nothing.
_FLOOR = (
    "msgspec, cryptography.hazmat.primitives.asymmetric.ec, cryptography.hazmat.primitives.asymmetric.rsa,"
    " cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.serialization"
)
# Processor time, not the clock's: a loaded machine makes an import late, but hardly dearer.
_PROGRAM = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [Part([_NAME], _importing)]


async def _importing(scale: Scale, tell: Tell) -> list[Finding]:
    interpreters = scale.of(_INTERPRETERS, least=4)
    claim = "processor time against importing cryptography and msgspec, in fresh interpreters"
    result = Result(_NAME, claim, 1.2, Reads.COST)
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder:
        # Compiled once, into a folder of our own: an environment that keeps no bytecode would compile at every start.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder

        def import_in_a_fresh_interpreter(modules: str) -> float:
            command = [sys.executable, "-c", _PROGRAM.format(modules)]
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            return float(ran.stdout) * 1e6

        import_in_a_fresh_interpreter(_OURS)
        import_in_a_fresh_interpreter(_FLOOR)
        for turn in range(interpreters):
            tell(_NAME, turn / interpreters)
            order = (_OURS, _FLOOR) if turn % 2 else (_FLOOR, _OURS)
            taken = {modules: import_in_a_fresh_interpreter(modules) for modules in order}
            result.subject_us.append(taken[_OURS])
            result.floor_us.append(taken[_FLOOR])
    return [result]
