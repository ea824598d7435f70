"""A key management service as a program, with the fault knobs of `key_service`; run as a script.

It imports nothing of the suite: it is started for each question.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap


def answer(folder: Path, question: dict[str, str]) -> dict[str, str]:
    with (folder / "calls").open("a") as calls:
        calls.write(question["operation"] + "\n")
    if question["operation"] == "wrap":
        current = (folder / "current").read_text()
        wrapped = aes_key_wrap((folder / current).read_bytes(), base64.b64decode(question["data_key"]))
        return {"key_id": current, "wrapped": base64.b64encode(wrapped).decode()}
    if not (folder / question["key_id"]).exists():
        return {"error": "KEY_UNKNOWN"}
    try:
        key = (folder / question["key_id"]).read_bytes()
        data_key = aes_key_unwrap(key, base64.b64decode(question["wrapped"]))
    except InvalidUnwrap:
        return {"error": "CIPHERTEXT_INVALID"}
    return {"data_key": base64.b64encode(data_key).decode()}


def main() -> None:
    folder = Path(sys.argv[1])
    question = json.load(sys.stdin)
    fault = (folder / "fault").read_text() if (folder / "fault").exists() else ""
    print("a secret on stderr", file=sys.stderr)  # noqa: T201 - what nobody may log
    silent_after = int(fault.removeprefix("silent after")) if fault.startswith("silent after") else None
    calls = len((folder / "calls").read_text().split()) if (folder / "calls").exists() else 0
    if fault == "silent" or (silent_after is not None and calls >= silent_after):
        (folder / "stuck").touch()
        time.sleep(600)
    if fault == "exit":
        sys.exit(3)
    told = {"error": "away"} if fault == "away" else answer(folder, question)
    if fault == "unwrapped":
        told = {"key_id": "first", "wrapped": question["data_key"]}
    print("{" if fault == "garbage" else json.dumps(told))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
