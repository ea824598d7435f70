"""Odd but valid pictures come out as the pixels that a viewer shows (R-EX7, R-EX4)."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pypdfium2
import pytest
from PIL import ExifTags
from PIL import Image as PillowImage

from vidence_server.vision.decode import ImageDecoder, ImageLimits

pytestmark = pytest.mark.requirement("R-EX7")

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def quarters(width: int = 64, height: int = 48) -> PillowImage.Image:
    """Red and green above blue and yellow: every turn and mirror looks different."""
    picture = PillowImage.new("RGB", (width, height), RED)
    half_width, half_height = width // 2, height // 2
    picture.paste(GREEN, (half_width, 0, width, half_height))
    picture.paste(BLUE, (0, half_height, half_width, height))
    picture.paste(YELLOW, (half_width, half_height, width, height))
    return picture


def saved(picture: PillowImage.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def decoded(content: bytes) -> npt.NDArray[np.uint8]:
    """RGB, for comparing with Pillow."""
    image = ImageDecoder(ImageLimits()).decode(content)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    return image.pixels[:, :, ::-1]


def middles(rgb: npt.NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters: above left and right, below left and right."""
    height, width = rgb.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return [(int(rgb[at][0]), int(rgb[at][1]), int(rgb[at][2])) for at in places]


def close(actual: list[tuple[int, int, int]], expected: list[tuple[int, int, int]], within: int) -> bool:
    return bool(np.abs(np.array(actual) - np.array(expected)).max() <= within)


@pytest.mark.parametrize(
    ("kind", "options", "media_type"),
    [
        ("PNG", {}, "image/png"),
        ("WEBP", {"lossless": True}, "image/webp"),
        ("BMP", {}, "image/bmp"),
        ("TIFF", {}, "image/tiff"),
        ("TIFF", {"compression": "tiff_lzw"}, "image/tiff"),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, "image/tiff"),
        ("TIFF", {"big_tiff": False, "compression": "packbits"}, "image/tiff"),
        ("GIF", {}, "image/gif"),
    ],
)
def test_lossless_formats_keep_every_pixel(kind: str, options: dict[str, object], media_type: str) -> None:
    content = saved(quarters(), kind, **options)
    image = ImageDecoder(ImageLimits()).decode(content)
    assert np.array_equal(image.pixels[:, :, ::-1], np.asarray(quarters()))
    assert image.media_type == media_type
    assert image.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_jpegs_look_as_saved(options: dict[str, object]) -> None:
    rgb = decoded(saved(quarters(), "JPEG", **options))
    assert close(middles(rgb), [RED, GREEN, BLUE, YELLOW], within=6)


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    rgb = decoded(saved(quarters().convert("CMYK"), "JPEG", quality=95))
    assert close(middles(rgb), [RED, GREEN, BLUE, YELLOW], within=8)


def test_a_cmyk_tiff_is_converted() -> None:
    rgb = decoded(saved(quarters().convert("CMYK"), "TIFF"))
    assert middles(rgb) == [RED, GREEN, BLUE, YELLOW]


def test_a_ycbcr_tiff_is_converted() -> None:
    rgb = decoded(saved(quarters().convert("YCbCr"), "TIFF"))
    assert close(middles(rgb), [RED, GREEN, BLUE, YELLOW], within=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_cut(kind: str) -> None:
    values = np.array([[0, 257, 32768, 65535]] * 8, np.uint16).repeat(4, axis=1)
    rgb = decoded(saved(PillowImage.fromarray(values), kind))
    assert rgb[0, ::4, 0].tolist() == [0, 1, 128, 255]
    assert np.array_equal(rgb[:, :, 0], rgb[:, :, 2])


def test_a_big_endian_16_bit_tiff_is_scaled() -> None:
    values = np.array([[0, 257, 32768, 65535]] * 8, np.uint16).repeat(4, axis=1)
    little = PillowImage.fromarray(values)
    big = PillowImage.frombytes("I;16B", little.size, values.astype(">u2").tobytes())
    assert decoded(saved(big, "TIFF"))[0, ::4, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e6])
def test_float_pixels_are_scaled_to_their_range(white: float) -> None:
    values = np.array([[0.0, 0.6, 1.0, np.nan]] * 8, np.float32).repeat(4, axis=1) * white
    assert decoded(saved(PillowImage.fromarray(values), "TIFF"))[0, ::4, 0].tolist() == [0, 153, 255, 0]


@pytest.mark.parametrize(("white", "middle"), [(255, 128), (65535, 128), (1_000_000, 128)])
def test_32_bit_integers_are_scaled_to_their_range(white: int, middle: int) -> None:
    values = np.array([[0, white // 2 + 1, white, -5]] * 8, np.int32).repeat(4, axis=1)
    assert decoded(saved(PillowImage.fromarray(values), "TIFF"))[0, ::4, 0].tolist() == [0, middle, 255, 0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_lie_on_white(kind: str) -> None:
    picture = quarters().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 32, 24))
    picture.paste((0, 0, 0, 128), (32, 0, 64, 24))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert close(
        middles(decoded(saved(picture, kind, **options))),
        [(255, 255, 255), (127, 127, 127), BLUE, YELLOW],
        within=1,
    )


def test_grey_with_alpha_lies_on_white() -> None:
    picture = PillowImage.new("LA", (16, 16), (40, 255))
    picture.paste((40, 0), (8, 0, 16, 16))
    rgb = decoded(saved(picture, "PNG"))
    assert (rgb[0, 0].tolist(), rgb[0, 15].tolist()) == ([40] * 3, [255] * 3)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_lies_on_white(kind: str) -> None:
    picture = quarters().quantize(4)
    clear = picture.getpixel((0, 0))
    rgb = decoded(saved(picture, kind, transparency=clear))
    assert middles(rgb) == [(255, 255, 255), GREEN, BLUE, YELLOW]


def test_a_palette_with_a_transparency_per_colour_lies_on_white() -> None:
    picture = quarters().quantize(4)
    alphas = bytearray(b"\xff" * 4)
    alphas[int(np.asarray(picture)[0, 63])] = 0
    rgb = decoded(saved(picture, "PNG", transparency=bytes(alphas)))
    assert middles(rgb) == [RED, (255, 255, 255), BLUE, YELLOW]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_pixels_are_black_and_white(kind: str) -> None:
    picture = PillowImage.new("1", (16, 16), 1)
    picture.paste(0, (0, 0, 8, 16))
    rgb = decoded(saved(picture, kind))
    assert (rgb[0, 0].tolist(), rgb[0, 15].tolist()) == ([0] * 3, [255] * 3)


def test_a_fax_page_is_read() -> None:
    picture = PillowImage.new("1", (64, 64), 1)
    picture.paste(0, (0, 0, 32, 64))
    rgb = decoded(saved(picture, "TIFF", compression="group4"))
    assert (rgb[5, 5].tolist(), rgb[5, 60].tolist()) == ([0] * 3, [255] * 3)


STORED_AS = {
    1: None,
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_90,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_270,
}
"""How a camera held that way stores an upright scene: the inverse of what a viewer does."""


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    turn = STORED_AS[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    rgb = decoded(saved(stored, kind, exif=exif))
    assert rgb.shape == (48, 64, 3)
    assert close(middles(rgb), [RED, GREEN, BLUE, YELLOW], within=10)


@pytest.mark.parametrize("exif", [b"Exif\0\0" + bytes(20), b"Exif\0\0II*\0\xff\xff\xff\xff", b"rubbish"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's remark, not a failure
def test_broken_exif_does_not_cost_the_picture(exif: bytes) -> None:
    assert decoded(saved(quarters(), "JPEG", exif=exif)).shape == (48, 64, 3)


def test_an_orientation_that_does_not_exist_is_ignored() -> None:
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = 9
    assert decoded(saved(quarters(), "JPEG", exif=exif)).shape == (48, 64, 3)


def test_the_first_picture_of_a_cameras_mpo_is_read() -> None:
    out = io.BytesIO()
    quarters().save(out, "MPO", save_all=True, append_images=[PillowImage.new("RGB", (32, 32))])
    assert close(middles(decoded(out.getvalue())), [RED, GREEN, BLUE, YELLOW], within=6)


def pdf(*sizes: tuple[float, float]) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height).close()
    out = io.BytesIO()
    document.save(out)
    document.close()
    return out.getvalue()


def test_a_pdf_page_is_rendered_white_at_the_asked_resolution() -> None:
    image = ImageDecoder(ImageLimits(pdf_dpi=144)).decode(pdf((100, 200), (300, 50)), pdf_page=2)
    assert (image.width_px, image.height_px, image.media_type) == (600, 100, "application/pdf")
    assert (image.pixels == 255).all()


def test_a_pdf_may_begin_after_some_bytes() -> None:
    assert ImageDecoder(ImageLimits()).decode(b"\n" * 900 + pdf((72, 72))).width_px == 200


def test_a_large_pdf_page_is_rendered_coarser() -> None:
    limits = ImageLimits(max_pixels=4_000_000, pdf_dpi=300, pdf_min_dpi=72)
    image = ImageDecoder(limits).decode(pdf((1000, 1000)))
    assert 3_900_000 < image.width_px * image.height_px <= 4_000_000


def test_a_picture_inside_a_pdf_keeps_its_colours() -> None:
    out = io.BytesIO()
    quarters(400, 300).save(out, "PDF", resolution=72)
    assert close(middles(decoded(out.getvalue())), [RED, GREEN, BLUE, YELLOW], within=6)


def test_pdfs_are_rendered_from_many_threads() -> None:
    decoder = ImageDecoder(ImageLimits())
    contents = [pdf((72 + n, 72)) for n in range(24)]
    with ThreadPoolExecutor(8) as threads:
        widths = [image.width_px for image in threads.map(decoder.decode, contents)]
    assert widths == [ImageDecoder(ImageLimits()).decode(content).width_px for content in contents]


def test_a_picture_at_the_limits_is_read() -> None:
    limits = ImageLimits(max_pixels=64 * 48, min_side_px=48)
    content = saved(quarters(), "PNG")
    assert ImageDecoder(limits).decode(content).width_px == 64
    exact = ImageLimits(max_bytes=len(content))
    assert ImageDecoder(exact).decode(content).width_px == 64
