"""Signing keys: the private keys our tokens are signed with, and the public ones they are checked with.

Owns `signing_keys`. Private keys rest sealed under the root keys; only public members are ever published.
"""

from ostiary.features.signing_keys.service import SigningKeys

__all__ = ["SigningKeys"]
