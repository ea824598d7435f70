"""faster-paddle with its defaults; `--size tiny|small`, `--threads N` limits its CPU budget."""

import argparse
from importlib.metadata import version

from faster_paddle import OcrEngine
from protocol import Line, serve, upright


def main() -> None:
    """Reads what stdin names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=("tiny", "small"), default="tiny")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    engine = OcrEngine(model_size=options.size, threads=options.threads)

    def read(content: bytes) -> list[Line]:
        bounds = engine.ocr(content)["bounds"]
        return [
            upright(bound["text"], *bound["topLeftCoord"], *bound["bottomRightCoord"])
            for bound in bounds.values()
        ]

    serve(f"faster-paddle {version('faster-paddle')} {options.size}", read)


if __name__ == "__main__":
    main()
