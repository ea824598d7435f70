"""Tesseract's command with its defaults and English; OMP_THREAD_LIMIT limits its threads."""

import csv
import io
import subprocess

from protocol import Line, serve, upright

COMMAND = ["tesseract", "stdin", "stdout", "tsv"]


def read(content: bytes) -> list[Line]:
    """One line per line that Tesseract found: its words, joined."""
    table = subprocess.run(COMMAND, input=content, capture_output=True, check=True).stdout.decode()
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    return [_joined(found) for found in words.values()]


def _joined(words: list[dict[str, str]]) -> Line:
    lefts, tops = [int(word["left"]) for word in words], [int(word["top"]) for word in words]
    right = max(left + int(word["width"]) for left, word in zip(lefts, words, strict=True))
    bottom = max(top + int(word["height"]) for top, word in zip(tops, words, strict=True))
    return upright(" ".join(word["text"] for word in words), min(lefts), min(tops), right, bottom)


def main() -> None:
    """Reads what stdin names."""
    version = subprocess.run(["tesseract", "--version"], capture_output=True, check=True, text=True).stdout
    serve(version.splitlines()[0], read)


if __name__ == "__main__":
    main()
