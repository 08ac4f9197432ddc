"""What a first start makes where nothing was configured: a data folder and a root key, both for their owner alone."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final

from ostiary.foundation.crypto import KEY_SIZE, Keyring
from ostiary.foundation.key_service import LocalKeys
from ostiary.settings import InvalidSettings, parse_keys

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.key_service import KeyService
    from ostiary.settings import Settings

KEY_FILE: Final = "root.key"


def generate_key(entropy: Entropy, *, version: int = 1) -> str:
    """Return a new root key as settings write it, `1:<base64>`."""
    return f"{version}:{base64.b64encode(entropy.token_bytes(KEY_SIZE)).decode()}"


def root_keys(settings: Settings, entropy: Entropy) -> Keyring:
    """Return the configured root keys, or those of the data folder, made on first use.

    Raises `InvalidSettings` when a key file cannot be read.
    """
    if settings.root_keys is not None:
        return Keyring(settings.root_keys)
    path = settings.root_keys_file or settings.data / KEY_FILE
    if settings.root_keys_file is None:
        _generate(path, entropy)
    try:
        return Keyring(parse_keys(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        raise InvalidSettings(
            ["OSTIARY_ROOT_KEYS_FILE: the file cannot be read, or does not hold 1:<base64 of 32 bytes>."]
        ) from None


def key_service_at(settings: Settings, entropy: Entropy) -> KeyService:
    """Return whatever holds the root keys. Raises `InvalidSettings`."""
    return LocalKeys(root_keys(settings, entropy), entropy)


def _generate(path: Path, entropy: Entropy) -> None:
    """Write a fresh key, unless another process did."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(generate_key(entropy) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link appears whole or not at all, and never replaces a key something is sealed under.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
