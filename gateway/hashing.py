"""The one secret and what is keyed by it: every cache key, tenant and assignment.

Hashes are HMAC-SHA256, so nobody without the secret can test a guessed text or credential against a
store. Parts are hashed with their lengths, so no two lists of parts share a hash.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConfigError

VARIABLE = "PITH_SECRET"
MIN_SECRET_BYTES = 16
ANONYMOUS = "anonymous"
"""The tenant of requests without a credential."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The process's secret. The same on all replicas, or they share neither scores nor pins."""

    key: bytes = field(repr=False)

    def keyed(self, *parts: bytes) -> bytes:
        """Keyed hash of a list of parts, 32 bytes."""
        message = b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)])
        return hmac.digest(self.key, message, "sha256")


def load_secret(env: Mapping[str, str], beside: Path | None, *, is_shared: bool = False) -> Secret:
    """`PITH_SECRET`, else the secret kept beside this file (the ledger), made there when absent.

    What is shared with other replicas must be under a secret that they share: none is made then, nor where
    the ledger is no file.
    """
    value = env.get(VARIABLE, "")
    if not value and (is_shared or beside is None):
        what = "cache" if is_shared else "ledger"
        raise ConfigError(
            f"{VARIABLE} is not set: a shared {what} wants the same one on every replica, or they cannot "
            "read what each other wrote; set it, e.g. to the output of `openssl rand -hex 32`"
        )
    if not value and beside is not None:
        if not beside.parent.exists():  # as the ledger would say: a secret of one's own would not help
            raise ConfigError(
                f"ledger {beside}: the folder {beside.parent} does not exist; create it or set another ledger"
            )
        return _load_kept(beside.with_name(beside.name + ".secret"))
    if len(value.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"{VARIABLE} is {len(value.encode())} bytes long: use at least {MIN_SECRET_BYTES}, "
            "e.g. the output of `openssl rand -hex 32`"
        )
    return Secret(value.encode())


def tenant_of(credentials: Iterable[bytes], secret: Secret) -> str:
    """Whose cache entries a request may share, from all its authorization and x-api-key values.

    The same key is the same tenant under either header; two different keys are a tenant of their own.
    """
    keys = {strip_scheme(credential) for credential in credentials} - {b""}
    return secret.keyed(b"tenant", *sorted(keys)).hex() if keys else ANONYMOUS


def strip_scheme(credential: bytes) -> bytes:
    """A credential without the word `Bearer` before it."""
    scheme, _, key = credential.strip().partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else credential.strip()


def _load_kept(path: Path) -> Secret:
    try:
        if not path.exists():
            _make(path)
        text = path.read_text("ascii", errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot keep a secret in {path} ({error}): set {VARIABLE} instead") from error
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"{path} does not hold a secret (at least {2 * MIN_SECRET_BYTES} hex digits): "
            f"restore it, delete it to start with a new one, or set {VARIABLE}"
        )
    return Secret(key)


def _make(path: Path) -> None:
    """Write a new secret unless there is one by then; never seen half written.

    It is written under another name first and then linked: of two processes starting at once the second
    link fails, and both read what the first one linked.
    """
    draft = path.with_name(f"{secrets.token_hex(8)}.{path.name}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret is the one
    finally:
        draft.unlink()
