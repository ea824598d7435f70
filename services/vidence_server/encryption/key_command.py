"""Keys in a key management service, asked through a program, as git asks its credential helpers.

The program is started for each question, gets one JSON object on stdin, and answers with one on stdout:

    {"version": 1, "operation": "wrap", "data_key": "<base64>"}
        → {"key_id": "…", "wrapped": "<base64>"}
    {"version": 1, "operation": "unwrap", "key_id": "…", "wrapped": "<base64>"}
        → {"data_key": "<base64>"}
    what it cannot do
        → {"error": "KEY_UNKNOWN" | "CIPHERTEXT_INVALID" | …}

Another error, an exit status that is not 0, no answer in time: KEY_UNAVAILABLE. What it writes on stderr goes
nowhere: it might be a secret.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence

from vidence_server.core.errors import DomainError
from vidence_server.encryption import refusals
from vidence_server.encryption.ports import (
    DATA_KEY_BYTES,
    MOST_KEY_ID_BYTES,
    MOST_WRAPPED_BYTES,
    WrappedKey,
)

_VERSION = 1
_MOST_ANSWER_BYTES = 64 * 1024


class KeyCommand:
    """A `KeyProvider` that asks a program."""

    def __init__(self, command: Sequence[str], *, timeout_s: float) -> None:
        """Asks nothing yet.

        Args:
            command: The program and its arguments; no shell looks at them.
            timeout_s: How long it may take; then it is killed.
        """
        self._command = tuple(command)
        self._timeout_s = timeout_s

    def wrap(self, data_key: bytes) -> WrappedKey:
        """See `KeyProvider`."""
        answer = self._ask({"operation": "wrap", "data_key": base64.b64encode(data_key).decode()})
        key_id, wrapped = answer.get("key_id", ""), _bytes_of(answer, "wrapped")
        if not 0 < len(key_id) <= MOST_KEY_ID_BYTES or not key_id.isascii():
            raise refusals.unavailable("the command gave no id of a key")
        if not 0 < len(wrapped) <= MOST_WRAPPED_BYTES or data_key in wrapped:
            raise refusals.unavailable("the command did not wrap")
        return WrappedKey(key_id, wrapped)

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """See `KeyProvider`."""
        question = {
            "operation": "unwrap",
            "key_id": wrapped.key_id,
            "wrapped": base64.b64encode(wrapped.wrapped).decode(),
        }
        data_key = _bytes_of(self._ask(question, wrapped.key_id), "data_key")
        if len(data_key) != DATA_KEY_BYTES:
            raise refusals.unavailable("the command gave no key of 32 bytes")
        return data_key

    def _ask(self, question: Mapping[str, str], key_id: str = "") -> Mapping[str, str]:
        text = json.dumps({"version": _VERSION, **question}) + "\n"
        try:
            done = subprocess.run(  # noqa: S603  # the program that the settings name
                self._command,
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            # Without its cause: it holds what was asked.
            raise refusals.unavailable(f"the command gave no answer in {self._timeout_s:g} s") from None
        except OSError as error:
            raise refusals.unavailable(f"the command cannot be started: {error.strerror}") from None
        answer = _parsed(done.stdout)
        if answer is not None and "error" in answer:
            raise _refusal(answer["error"], key_id)
        if done.returncode:
            raise refusals.unavailable(f"the command ended with {done.returncode}")
        if answer is None:
            raise refusals.unavailable("the command's answer is no JSON object of texts")
        return answer


def _parsed(output: bytes) -> Mapping[str, str] | None:
    try:
        answer = json.loads(output) if len(output) <= _MOST_ANSWER_BYTES else None
    except ValueError:
        return None
    texts = isinstance(answer, dict) and all(isinstance(value, str) for value in answer.values())
    return answer if texts else None


def _refusal(code: str, key_id: str) -> DomainError:
    if code == "KEY_UNKNOWN":
        return refusals.unknown(key_id)
    if code == "CIPHERTEXT_INVALID":
        return refusals.tampered()
    return refusals.unavailable("the command refuses")


def _bytes_of(answer: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(answer.get(name, ""), validate=True)
    except ValueError:
        raise refusals.unavailable("the command's answer is not base64") from None
