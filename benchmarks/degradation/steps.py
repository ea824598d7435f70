"""What is done to the pictures: one thing at a time, in steps."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from rendering.camera import Stance, photograph, with_glare
from rendering.degrade import Degradation, degrade

STILL = Stance()
UNSPOILT = Degradation()
_GLARE_AT = (0.62, 0.4)
"""Where the lamp is reflected, in parts of the sides."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way of spoiling a picture, and how much."""

    group: str
    name: str
    stance: Stance = STILL
    spoilt: Degradation = UNSPOILT
    glare: float = 0.0

    def picture(self, image: Image.Image, seed: int) -> bytes:
        """The spoilt picture as JPEG; the same arguments give the same bytes."""
        seen = photograph(image, self.stance).image
        return degrade(with_glare(seen, self.glare, _GLARE_AT) if self.glare else seen, self.spoilt, seed)


STEPS: tuple[Step, ...] = (
    Step("none", "as it is"),
    *(
        Step("tilt", f"{way} {degrees}°", Stance(degrees, towards))
        for way, towards in (("sideways", 0), ("backwards", 90), ("askew", 215))
        for degrees in (15, 30)
    ),
    *(Step("turn", f"{degrees}°", Stance(turn_degrees=degrees)) for degrees in (-15, 8, 15)),
    *(Step("turn", f"{degrees}°", Stance(turn_degrees=degrees)) for degrees in (90, 180, 270)),
    Step("turn", "270°, tilt 20°", Stance(20, 35, 274)),
    Step("turn", "180° + 12°", Stance(turn_degrees=192)),
    *(Step("blur", f"{sigma} px", spoilt=Degradation(blur_px=sigma)) for sigma in (1.5, 3.0)),
    *(Step("glare", f"{strength:.0%}", glare=strength) for strength in (0.6, 0.9)),
    *(Step("JPEG", f"quality {quality}", spoilt=Degradation(jpeg_quality=quality)) for quality in (30, 10)),
    *(Step("noise", f"{noise} levels", spoilt=Degradation(noise=noise)) for noise in (12, 30)),
)
"""Tilts have the direction that recedes: the right side, the upper one, the lower left corner."""
