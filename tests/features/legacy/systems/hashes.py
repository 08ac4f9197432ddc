"""Known passwords, hashed as old systems hash them: weak, so that they cost nothing, and the same at every run."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Final

import bcrypt
from argon2.low_level import Type, hash_secret
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORDS: Final = ("correct horse 1", "Übung macht den Meister", "p@ss wörd 🔑", "x" * 71)
_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_BCRYPT: Final = bytes.maketrans(_STANDARD, _BCRYPT)

TOO_COSTLY: Final = "$2b$31$" + "." * 22 + "a" * 31
UNREADABLE: Final = "$unheard-of$0000"
AMBIGUOUS: Final = hashlib.md5(b"correct horse 1", usedforsecurity=False).hexdigest()

FIREBASE: Final = {
    "signer_key": base64.b64encode(bytes(range(64))).decode(),
    "salt_separator": "Bw==",
    "rounds": 8,
    "memory_cost": 2,
}
"""The parameters of the Firebase project, as its console shows them."""


def hashed(scheme: str, number: int) -> tuple[str, str]:
    """Return a password, and its hash under a scheme; a few of each are made, and come again."""
    return _hashed(scheme, number % len(PASSWORDS))


@cache
def _hashed(scheme: str, place: int) -> tuple[str, str]:
    password, salt = PASSWORDS[place], hashlib.sha256(f"{scheme}:{place}".encode()).digest()[:16]
    return password, _hash(scheme, password.encode(), salt)


def _hash(scheme: str, password: bytes, salt: bytes) -> str:
    makers: dict[str, Callable[[bytes, bytes], str]] = {
        "bcrypt": lambda password, salt: _bcrypt(password, salt, "2b"),
        "bcrypt-2y": lambda password, salt: _bcrypt(password, salt, "2y"),
        "argon2id": _argon2,
        "django-argon2": lambda password, salt: f"argon2{_argon2(password, salt)}",
        "django-bcrypt-sha256": _django_bcrypt_sha256,
        "keycloak": lambda password, salt: json.dumps(keycloak(password, salt)),
        "firebase-scrypt": lambda password, salt: json.dumps(firebase(password, salt)),
        "supabase-fbscrypt": _supabase,
    }
    if scheme in makers:
        return makers[scheme](password, salt)
    return _django(scheme, password, salt.hex()[:12])


def _django_bcrypt_sha256(password: bytes, salt: bytes) -> str:
    return f"bcrypt_sha256${_bcrypt(hashlib.sha256(password).hexdigest().encode(), salt, '2b')}"


def _supabase(password: bytes, salt: bytes) -> str:
    made = firebase(password, salt)
    known = f"n={FIREBASE['memory_cost']},r={FIREBASE['rounds']},p=1,ss={FIREBASE['salt_separator']}"
    return f"$fbscrypt$v=1,{known},sk={FIREBASE['signer_key']}${made['salt']}${made['passwordHash']}"


def _django(scheme: str, password: bytes, salt: str) -> str:
    match scheme:
        case "django-pbkdf2-sha256":
            digest = hashlib.pbkdf2_hmac("sha256", password, salt.encode(), 100)
            return f"pbkdf2_sha256$100${salt}${base64.b64encode(digest).decode()}"
        case "django-scrypt":
            digest = hashlib.scrypt(password, salt=salt.encode(), n=16, r=8, p=1, dklen=64)
            return f"scrypt$16${salt}$8$1${base64.b64encode(digest).decode()}"
        case "django-md5":
            digest = hashlib.md5(salt.encode() + password, usedforsecurity=False).digest()
            return f"md5${salt}${digest.hex()}"
    raise ValueError(scheme)


def keycloak(password: bytes, salt: bytes) -> dict[str, str]:
    """Return the two texts Keycloak keeps of a password."""
    digest = hashlib.pbkdf2_hmac("sha512", password, salt, 100, 64)
    return {
        "credentialData": '{"hashIterations":100,"algorithm":"pbkdf2-sha512","additionalParameters":{}}',
        "secretData": json.dumps(
            {
                "value": base64.b64encode(digest).decode(),
                "salt": base64.b64encode(salt).decode(),
                "additionalParameters": {},
            },
            separators=(",", ":"),
        ),
    }


def firebase(password: bytes, salt: bytes) -> dict[str, str]:
    """Return the two texts Firebase exports of a password."""
    separator = base64.b64decode(str(FIREBASE["salt_separator"]))
    key = hashlib.scrypt(password, salt=salt + separator, n=4, r=8, p=1, dklen=32)
    encryptor = Cipher(AES256(key), CTR(bytes(16))).encryptor()
    made = encryptor.update(base64.b64decode(str(FIREBASE["signer_key"]))) + encryptor.finalize()
    return {"passwordHash": base64.b64encode(made).decode(), "salt": base64.b64encode(salt).decode()}


def _bcrypt(password: bytes, salt: bytes, version: str) -> str:
    written = base64.b64encode(salt)[:22].translate(_TO_BCRYPT)
    made = bcrypt.hashpw(password[:72], b"$2b$04$" + written).decode()
    return f"${version}{made[3:]}"


def _argon2(password: bytes, salt: bytes) -> str:
    return hash_secret(password, salt, 1, 8, 1, 32, Type.ID).decode()
