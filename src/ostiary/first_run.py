"""What a first start makes where nothing was configured: a data folder and a root key, both for their owner alone."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final

from ostiary.foundation.crypto import KEY_SIZE, Keyring
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.key_service import AwsCredentials, AwsKms, LocalKeys, SeveralServices
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret
from ostiary.settings import InvalidSettings, parse_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.foundation.clock import Clock
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.key_service import KeyService
    from ostiary.settings import Settings

KEY_FILE: Final = "root.key"


class NoRootKeys(OstiaryError):
    """There is no root key here, and whoever asks must not make one: it would open nothing."""

    def __init__(self) -> None:
        super().__init__(
            "The root key is missing, and what is in the database can be checked and read with it alone: set "
            "OSTIARY_ROOT_KEYS_FILE, or OSTIARY_DATA to the folder that holds root.key."
        )


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


def key_service_at(settings: Settings, entropy: Entropy, clock: Clock, *, make: bool = True) -> KeyService:
    """Return whatever holds the root keys: this process, AWS KMS, or each some of them.

    A key is made on first use, where neither is configured; unless `make` is false. Raises `InvalidSettings`,
    `NoRootKeys`.
    """
    wanted = settings.vault
    services: list[KeyService] = []
    if _has_local_keys(settings) or not wanted.kms_keys:
        if not make and not _has_local_keys(settings):
            raise NoRootKeys
        services.append(LocalKeys(root_keys(settings, entropy), entropy))
    if wanted.kms_keys:
        services.append(_kms(settings, clock))
    try:
        return SeveralServices(services)
    except ValueError:
        raise InvalidSettings(
            [
                (
                    "OSTIARY_VAULT__KMS_KEYS: a number is taken by OSTIARY_ROOT_KEYS. Root keys are numbered across both, and "
                    "the largest number wraps."
                )
            ]
        ) from None


def keys_to_adopt(settings: Settings, entropy: Entropy) -> Mapping[int, bytes] | None:
    """Return the root keys of this process, if there are any, for a database that was sealed with them directly."""
    return root_keys(settings, entropy).versions if _has_local_keys(settings) else None


def _has_local_keys(settings: Settings) -> bool:
    is_configured = settings.root_keys is not None or settings.root_keys_file is not None
    return is_configured or (settings.data / KEY_FILE).exists()


def _kms(settings: Settings, clock: Clock) -> AwsKms:
    wanted = settings.vault
    secret, token = wanted.kms_secret_access_key, wanted.kms_session_token
    return AwsKms(
        wanted.kms_keys,
        region=wanted.kms_region or "",
        credentials=AwsCredentials(
            wanted.kms_access_key_id or "",
            Secret("" if secret is None else secret.get_secret_value()),
            None if token is None else Secret(token.get_secret_value()),
        ),
        # Connections of its own: it is asked before there is anything else.
        outbound=Outbound(allowed_networks=settings.outbound.allowed_networks),
        clock=clock,
        endpoint=wanted.kms_endpoint,
    )


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
