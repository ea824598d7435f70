"""rapidocr with its defaults; `--threads N` limits the threads of its sessions."""

import argparse
from importlib.metadata import version

from protocol import Line, line, serve
from rapidocr import RapidOCR


def main() -> None:
    """Reads what stdin names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0)
    threads = parser.parse_args().threads
    chosen = {"EngineConfig.onnxruntime.intra_op_num_threads": threads} if threads else {}
    engine = RapidOCR(params=chosen)

    def read(content: bytes) -> list[Line]:
        result = engine(content)
        if result.boxes is None or result.txts is None:
            return []
        return [line(text, box) for text, box in zip(result.txts, result.boxes, strict=True)]

    serve(f"rapidocr {version('rapidocr')}", read)


if __name__ == "__main__":
    main()
