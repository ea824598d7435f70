"""Settings of encryption at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidence_server.runtime.settings import Section


class EncryptionSettings(Section):
    """Whether images and face templates are encrypted where they are kept, and who has the keys."""

    mode: Literal["off", "key_file", "command"] = Field(
        "off",
        description="`key_file`: keys of a file; `command`: keys of a service, by a program; `off`: none.",
    )
    key_file: Path | None = Field(
        None,
        description="Keys, as `vidence encryption new-key` writes them; for its owner only; read again "
        "when it changes.",
    )
    command: tuple[str, ...] = Field(
        (), description="Program that wraps and unwraps data keys, and its arguments; no shell sees them."
    )
    command_timeout_s: float = Field(10, gt=0, description="How long it may take; then it is killed.")
    command_reuse_s: float = Field(
        300,
        ge=0,
        description="How long a data key of the program is used, and kept in memory; 0: asks each time.",
    )
    accept_plain: bool = Field(
        default=True,
        description="Whether what was kept before encryption is given out; to be off once all was rotated: "
        "what somebody put there plain is then refused.",
    )
