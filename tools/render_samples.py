"""Draws the sample documents in examples/samples. Everything on them is made up.

Run `python tools/render_samples.py`; needs the font OCR-B (Debian: `apt-get install fonts-ocr-b`).
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from rendering.degrade import Degradation, degrade  # noqa: E402 - the path above is needed first
from rendering.documents import render_document  # noqa: E402 - see above
from rendering.fonts import FontMissingError  # noqa: E402 - see above
from rendering.pages import render_page  # noqa: E402 - see above
from rendering.people import Person  # noqa: E402 - see above

SAMPLES = ROOT / "examples" / "samples"
HOLDER = Person(
    surname="FALKENBERG",
    given_names="ELOWEN MIREI",
    nationality="UTO",
    issuer="UTO",
    birth_date=date(1991, 3, 27),
    sex="F",
    number="X4093218K",
    expiry_date=date(2031, 9, 14),
    optional_data="ZE184226B",
)
PAGE = (
    "Lighthouse keeper's log",
    "12 October, wind north-west, force 7, sea rough.",
    "Lamp lit at 17:42, put out at 07:15.",
    "Two trawlers passed before midnight, both well clear.",
    "The fog signal failed at 03:20 and was mended by 03:55.",
    "",
    "13 October, wind west, force 4, visibility 12 miles.",
    "Received: 40 litres of oil, 6 candles, one box of bread.",
    "Paid 18.50 for the new rope; change returned: 1.50.",
    "The inspector will come on Thursday by the mail boat.",
    "Repainted the north door. Colour: signal red, no. 3.",
    "Barometer 1014 hPa and rising slowly since noon.",
    "Nothing further to report.",
)
README = """# Samples

Drawn by `tools/render_samples.py`: nobody on them exists, every number is made up, and they are free to use
under the project's licence. To draw them again install the font OCR-B (Debian: `fonts-ocr-b`).

| file | what |
|---|---|
| `passport.jpg` | data page of a passport, two lines of 44 characters (TD3) |
| `visa.jpg` | visa sticker, two lines of 44 characters (MRV-A) |
| `id-card.jpg` | back of an identity card, three lines of 30 characters (TD1) |
| `page.png` | a page of text, twelve lines |
"""


def main() -> int:
    """Writes the samples; 1 where the font is missing."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    light = Degradation(tilt_degrees=1.2, blur_px=0.4, noise=2, jpeg_quality=86)
    try:
        for name, layout in (("passport", "TD3"), ("visa", "MRV-A"), ("id-card", "TD1")):
            encoded = degrade(render_document(HOLDER, layout).image, light, seed=1)
            (SAMPLES / f"{name}.jpg").write_bytes(encoded)
    except FontMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    render_page(PAGE).image.save(SAMPLES / "page.png", optimize=True)
    (SAMPLES / "README.md").write_text(README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
