"""What importing the verifier loads: two libraries, and nothing of a server."""

import subprocess
import sys

import pytest

# `_openssl` is cryptography's own; `_cffi_backend`, `bcrypt` and `typing_extensions` are what cryptography and msgspec load where they find them.
LIBRARIES = {
    "_cffi_backend",
    "_openssl",
    "bcrypt",
    "cryptography",
    "msgspec",
    "typing_extensions",
}
OURS = {
    "ostiary",
    "ostiary.foundation",
    "ostiary.foundation.clock",
    "ostiary.foundation.errors",
    "ostiary.foundation.jose",
    "ostiary.foundation.jose.base64url",
    "ostiary.foundation.jose.keys",
    "ostiary.foundation.jose.tokens",
    "ostiary.verifier",
    "ostiary.verifier.access_tokens",
    "ostiary.verifier.principal",
    "ostiary.verifier.remote",
    "ostiary.verifier.revocations",
}
# Parts of the standard library that only a server, a client or a database needs.
HEAVY = {"asyncio", "concurrent", "email", "hashlib", "http", "logging", "multiprocessing", "socket", "sqlite3", "ssl", "urllib"}  # fmt: skip
LIST = "import sys; before = set(sys.modules); import ostiary.verifier; print('\\n'.join(set(sys.modules) - before))"


@pytest.fixture(scope="module")
def loaded():
    """The modules a fresh interpreter has after `import ostiary.verifier`, and had not before."""
    run = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_it_loads_only_libraries_that_are_named(loaded):
    """Beside the standard library, it needs cryptography and msgspec."""
    packages = {name.partition(".")[0] for name in loaded}

    assert packages - sys.stdlib_module_names - LIBRARIES == {"ostiary"}
    assert {"cryptography", "msgspec"} <= packages


def test_it_loads_only_these_modules_of_ours(loaded):
    """An HTTP client is loaded when a verifier starts, and no part of the server ever."""
    assert {name for name in loaded if name.partition(".")[0] == "ostiary"} <= OURS


def test_it_loads_nothing_heavy(loaded):
    """No network, no event loop and no logging comes with the import, which is why it is cheap."""
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
