"""Secrets of one stack, created once and kept in its folder: a cursor or a token must survive a restart."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one stack."""

    objects_access_key: str
    objects_secret_key: str
    postgres_password: str
    cursor_secret: str
    jwt_private_pem: str
    jwt_public_pem: str

    @property
    def media_secret(self) -> str:
        """Key from which the addresses of photos are computed."""
        return self._derived(b"media")

    @property
    def purge_key(self) -> str:
        """Key that a request must have to purge a tier of the CDN."""
        return self._derived(b"purge")

    def _derived(self, purpose: bytes) -> str:
        # derived, not stored: so it works with a folder of an older build
        return hashlib.blake2b(purpose, key=self.cursor_secret.encode()[:64], digest_size=32).hexdigest()


def load_or_make(folder: Path) -> Secrets:
    """Read the secrets in ``folder``, or create them there, readable by the owner only."""
    path = folder / "secrets.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    key = ec.generate_private_key(ec.SECP256R1())
    made = Secrets(
        objects_access_key=secrets.token_hex(10),
        objects_secret_key=secrets.token_hex(20),
        postgres_password=secrets.token_hex(16),
        cursor_secret=secrets.token_hex(32),
        jwt_private_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        jwt_public_pem=key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_private(path, msgspec.json.encode(made))
    return made


def write_private(path: Path, data: bytes) -> None:
    """Write a file atomically; only its owner can read it."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    scratch.replace(path)
