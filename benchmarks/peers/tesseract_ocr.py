"""Tesseract's command with its defaults and English; OMP_THREAD_LIMIT limits its threads."""

import csv
import io
import subprocess

from protocol import Line, line, serve

COMMAND = ["tesseract", "stdin", "stdout", "tsv"]


def read(content: bytes) -> list[Line]:
    """One line per line that Tesseract found: its words, joined."""
    table = subprocess.run(COMMAND, input=content, capture_output=True, check=True).stdout.decode()
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    return [
        line(" ".join(row["text"] for row in row_words), [p for row in row_words for p in _corners(row)])
        for row_words in words.values()
    ]


def _corners(row: dict[str, str]) -> list[tuple[float, float]]:
    left, top = int(row["left"]), int(row["top"])
    return [(left, top), (left + int(row["width"]), top + int(row["height"]))]


def main() -> None:
    """Reads what stdin names."""
    version = subprocess.run(["tesseract", "--version"], capture_output=True, check=True, text=True).stdout
    serve(version.splitlines()[0], read)


if __name__ == "__main__":
    main()
