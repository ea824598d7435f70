"""Makes the encryption of a process from its settings."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.data_keys import DataKeys
from vidence_server.encryption.key_command import KeyCommand
from vidence_server.encryption.key_file import KeyFile
from vidence_server.encryption.sealing import Sealing, is_under
from vidence_server.runtime.encryption_settings import EncryptionSettings
from vidence_server.storage.blob_format import BlobLabel

CHECK_FILE = "encryption.check"
"""In the data folder: something encrypted, by which a wrong key is found before anything else is."""
_CHECK = b"vidence: these data are encrypted"
CHECK_LABEL = BlobLabel("", "encryption", CHECK_FILE)


def make_sealing(settings: EncryptionSettings, clock: Clock) -> Sealing:
    """Encryption as the settings want it; the keys are read, and not tried yet.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    if settings.mode == "off":
        return Sealing()
    if settings.mode == "key_file":
        if settings.key_file is None:
            raise _wrong("encryption.mode is key_file, and encryption.key_file names none.")
        keys = DataKeys(KeyFile(settings.key_file), clock=clock, random=os.urandom)
    else:
        if not settings.command:
            raise _wrong("encryption.mode is command, and encryption.command names none.")
        command = KeyCommand(settings.command, timeout_s=settings.command_timeout_s)
        keys = DataKeys(command, clock=clock, random=os.urandom, reuse_s=settings.command_reuse_s)
    return Sealing(keys, accept_plain=settings.accept_plain)


def check_key(sealing: Sealing, folder: Path) -> None:
    """Proves that the keys are those of a data folder; leaves in it what shows that. Blocks.

    Raises:
        DomainError: CONFIGURATION_INVALID: the folder is encrypted, and encryption is off; KEY_UNKNOWN,
            CIPHERTEXT_INVALID: the keys are not those of the folder; KEY_UNAVAILABLE.
    """
    path = folder / CHECK_FILE
    try:
        kept = path.read_bytes()
    except FileNotFoundError:
        kept = b""
    if not sealing.on:
        if kept:
            raise _wrong(f"The data of {folder} are encrypted, and encryption.mode is off.")
        return
    sealing.current_key_id()
    if not kept:
        _leave(path, sealing.seal(_CHECK, CHECK_LABEL, sealing.fresh(CHECK_LABEL.tenant)))
        kept = path.read_bytes()
    if sealing.open(kept, CHECK_LABEL) != _CHECK:
        raise _wrong(f"{path} is not what it should be.")


def rotate_check(sealing: Sealing, folder: Path) -> None:
    """Brings what `check_key` left under the current key, so that older ones can be taken away. Blocks.

    Raises:
        DomainError: as `check_key`.
    """
    path = folder / CHECK_FILE
    kept = path.read_bytes()
    if is_under(kept, sealing.current_key_id()):
        return
    draft = _draft(path, sealing.resealed(kept, CHECK_LABEL))
    draft.replace(path)


def _leave(path: Path, content: bytes) -> None:
    """Makes a file, unless another process has made it meanwhile; never half of it."""
    draft = _draft(path, content)
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _wrong(why: str) -> DomainError:
    return DomainError(Reason.CONFIGURATION_INVALID, why)
