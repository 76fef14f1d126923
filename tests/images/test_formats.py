"""Every format people keep pictures in becomes RGB uint8, upright."""

import struct
import sys
import types
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mien import images
from mien.errors import SourceError, SourceTooLarge, SourceUnreadable

EXAMPLES = Path(__file__).parents[2] / "examples"


def scene(width: int = 40, height: int = 24) -> Image.Image:
    """Red, green, blue and gray quarters: no two turns of it are alike, and no codec loses it."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 210)
    pixels[height // 2 :, width // 2 :] = (128, 128, 128)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str, **settings) -> bytes:
    data = BytesIO()
    image.save(data, form, **settings)
    return data.getvalue()


def assert_shows(source, wanted: Image.Image, tolerance: float = 0) -> None:
    pixels = images.load_image(source).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    expected = np.asarray(wanted.convert("RGB"), int)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() <= tolerance


@pytest.mark.parametrize(
    ("form", "settings", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 3),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 0}, 3),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"big_tiff": True}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
        ("GIF", {}, 2),
        ("JPEG2000", {}, 2),
    ],
)
def test_a_colour_picture_keeps_its_pixels(tmp_path, form, settings, tolerance):
    data = encoded(scene(), form, **settings)
    assert_shows(data, scene(), tolerance)
    path = tmp_path / "picture.of-any-name"
    path.write_bytes(data)
    assert_shows(path, scene(), tolerance)


def test_avif_is_read_where_pillow_has_it():
    pytest.importorskip("PIL._avif")
    assert_shows(encoded(scene(), "AVIF", quality=95), scene(), 6)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA"])
def test_every_png_mode(mode):
    image = scene().convert(mode)
    assert_shows(encoded(image, "PNG"), image)


@pytest.mark.parametrize("mode", ["L", "CMYK", "LAB", "1", "P", "RGBA"])
def test_every_tiff_mode(mode):
    image = Image.new("LAB", (8, 8), (160, 128, 128)) if mode == "LAB" else scene().convert(mode)
    assert_shows(encoded(image, "TIFF"), image, 1)


def test_a_cmyk_jpeg_is_not_negative():
    assert_shows(encoded(scene().convert("CMYK"), "JPEG", quality=95, subsampling=0), scene(), 4)


def test_a_gray_jpeg():
    assert_shows(encoded(scene().convert("L"), "JPEG", quality=95), scene().convert("L"), 2)


# Phones


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turns_the_picture_upright(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(scene(), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    tagged = scene()
    tagged.getexif()[0x0112] = orientation
    assert_shows(stored, ImageOps.exif_transpose(tagged), 8)
    assert_shows(Image.open(BytesIO(stored)), ImageOps.exif_transpose(tagged), 8)


def test_orientation_six_stands_on_its_right_side():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = images.load_image(encoded(scene(40, 24), "PNG", exif=exif)).pixels
    assert pixels.shape == (40, 24, 3)
    assert tuple(pixels[0, -1]) == (220, 30, 30)  # what was top left is top right


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\x01" * 40, b"nonsense"]
)
def test_a_broken_exif_is_no_reason_to_refuse(exif):
    assert_shows(encoded(scene(), "JPEG", exif=exif, quality=95, subsampling=0), scene(), 3)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_shows(encoded(scene(), "PNG", exif=exif), scene())


# Transparency


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (4, 4), (255, 0, 0, 0)),
        Image.new("LA", (4, 4), (0, 0)),
    ],
    ids=["RGBA", "LA"],
)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(image, form):
    if form == "WEBP":
        image = image.convert("RGBA")
    assert (images.load_image(encoded(image, form)).pixels == 255).all()


def test_half_transparent_is_half_white():
    assert (images.load_image(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 127)), "PNG")).pixels == 128).all()


def test_a_palette_with_a_transparent_colour():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    pixels = images.load_image(encoded(image, "PNG", transparency=0)).pixels
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 1]) == (40, 50, 60)


def test_a_transparent_gif():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    pixels = images.load_image(encoded(image, "GIF", transparency=0)).pixels
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 1]) == (40, 50, 60)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_colour_key_in_a_png(mode):
    key = 7 if mode == "L" else (7, 8, 9)
    assert (images.load_image(encoded(Image.new(mode, (3, 3), key), "PNG", transparency=key)).pixels == 255).all()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_a_film_it_is_the_first_frame(form):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    settings = {"lossless": True} if form == "WEBP" else {}
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=40, **settings)
    assert_shows(data, frames[0])


# More than eight bits


def ramp(kind=np.uint16, top: float = 65535) -> np.ndarray:
    return np.linspace(0, top, 256).astype(kind).reshape(16, 16)


def assert_is_the_ramp(pixels):
    np.testing.assert_allclose(pixels[..., 0].ravel(), np.arange(256), atol=1)
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(form):
    assert_is_the_ramp(images.load_image(encoded(Image.fromarray(ramp()), form)).pixels)


def test_a_dark_sixteen_bit_picture_stays_dark():
    assert images.load_image(encoded(Image.fromarray(ramp(top=255)), "PNG")).pixels.max() <= 1


def test_a_sixteen_bit_colour_png():
    rows = b"".join(b"\0" + struct.pack(">12H", *([65535, 32768, 0] * 4)) for _ in range(4))
    pixels = images.load_image(png(4, 4, rows, depth=16, colour=2)).pixels
    np.testing.assert_allclose(pixels[0, 0], [255, 128, 0], atol=1)


@pytest.mark.parametrize(("kind", "top"), [(np.float32, 1), (np.float32, 255), (np.float32, 65535), (np.int32, 255)])
def test_tiff_of_floats_and_long_integers(kind, top):
    assert_is_the_ramp(images.load_image(encoded(Image.fromarray(ramp(kind, top)), "TIFF")).pixels)


def test_negative_values_move_black_down():
    assert_is_the_ramp(images.load_image(encoded(Image.fromarray(ramp(np.float32, 2) - 1), "TIFF")).pixels)


def test_a_black_float_picture_is_black():
    assert images.load_image(Image.new("F", (3, 3))).pixels.max() == 0


def test_floats_that_are_no_numbers_are_refused():
    with pytest.raises(SourceUnreadable, match="no numbers"):
        images.load_image(encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"))


# HEIC


HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic"


def test_heic_without_its_package_says_which_one_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceUnreadable, match="Install pillow-heif") as caught:
        images.load_image(HEIC)
    assert "HEIC" in caught.value.happened


def test_heic_with_its_package_is_decoded_by_it(monkeypatch):
    """The package itself is not in the test environment: a module of its name, with its class, decodes a PNG."""
    from PIL.PngImagePlugin import PngImageFile

    class HeifImageFile(PngImageFile):
        def _open(self):
            self.fp.seek(len(HEIC))
            self.fp = BytesIO(self.fp.read())
            super()._open()

    plugin = types.ModuleType("pillow_heif")
    plugin.HeifImageFile = HeifImageFile
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    assert_shows(HEIC + encoded(scene(), "PNG"), scene())


def test_heic_really():
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    data = BytesIO()
    pillow_heif.from_pillow(scene(64, 64)).save(data, quality=95)
    assert_shows(data.getvalue(), scene(64, 64), 6)


# The limit


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_from_its_header():
    import time
    import tracemalloc

    images.load_image(png(1, 1, b"\0abc"))
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(SourceTooLarge, match="60000 × 60000 pixels") as caught:
        images.load_image(png(60_000, 60_000))
    assert time.perf_counter() - start < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert "200,000,000" in caught.value.expected
    assert "MIEN_MAX_PIXELS" in caught.value.remedy


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP", "JPEG"])
def test_the_limit_holds_for_every_format(form):
    data = encoded(scene(), form)
    with pytest.raises(SourceTooLarge):
        images.load_image(data, max_pixels=40 * 24 - 1)
    assert images.load_image(data, max_pixels=40 * 24).pixels.shape == (24, 40, 3)


def test_the_limit_holds_for_pil_images():
    with pytest.raises(SourceTooLarge, match="The PIL image is too large"):
        images.load_image(scene(), max_pixels=10)


def test_the_environment_sets_the_limit_and_the_argument_wins(monkeypatch):
    monkeypatch.setenv("MIEN_MAX_PIXELS", "100")
    with pytest.raises(SourceTooLarge):
        images.load_image(scene())
    assert images.load_image(scene(), max_pixels=1000).pixels.size


@pytest.mark.parametrize("value", ["many", "0", "-5", ""])
def test_a_limit_that_is_no_number_is_told(monkeypatch, value):
    monkeypatch.setenv("MIEN_MAX_PIXELS", value)
    with pytest.raises(SourceError, match="MIEN_MAX_PIXELS is"):
        images.load_image(scene())


def test_pictures_above_pillows_own_limit_are_read_in_silence(monkeypatch):
    """A 200 MP phone photo is above Pillow's limit; a small limit there stands for it."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert_shows(encoded(scene(), "PNG"), scene())


# Warnings


CORRUPT_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0\x1a\x01\x05\0\x01\0\0\0\xf0\xff\0\0"
)


def test_pillow_warns_of_this_picture():
    """The premise of the tests below."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        Image.open(BytesIO(encoded(scene(), "JPEG", exif=CORRUPT_EXIF))).getexif()
    assert heard


def test_no_warning_leaks_even_where_they_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_shows(encoded(scene(), "JPEG", exif=CORRUPT_EXIF, quality=95, subsampling=0), scene(), 3)


def test_other_warnings_are_heard_as_before():
    images.load_image(scene())
    with pytest.warns(UserWarning, match="still here"):
        warnings.warn("still here", UserWarning, stacklevel=1)


def test_the_list_of_filters_does_not_grow():
    with warnings.catch_warnings():
        for _ in range(5):
            images.load_image(encoded(scene(), "PNG"))
            warnings.simplefilter("error")
        images.load_image(encoded(scene(), "PNG"))
        assert sum("_InsideQuietly" in repr(each) for each in warnings.filters) == 1


def test_threads_decode_in_silence_and_others_are_heard(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    data = encoded(scene(), "JPEG", exif=CORRUPT_EXIF)

    def warned(i: int) -> bool:
        try:
            warnings.warn(f"number {i}", UserWarning, stacklevel=1)
        except UserWarning:
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        pictures = [pool.submit(images.load_image, data) for _ in range(60)]
        heard = [pool.submit(warned, i) for i in range(60)]
        assert all(each.result().pixels.size for each in pictures)
        assert all(each.result() for each in heard)


@pytest.mark.parametrize("name", ["astronaut.jpg", "hopper.jpg", "portraits.jpg"])
def test_the_examples(name):
    assert_shows(EXAMPLES / name, Image.open(EXAMPLES / name))


def test_a_photo_of_640_pixels_is_decoded_in_a_few_milliseconds():
    import time

    data = encoded(Image.open(EXAMPLES / "portraits.jpg").resize((640, 480)), "JPEG", quality=90)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        images.load_image(data)
        times.append(time.perf_counter() - start)
    assert sorted(times)[4] < 0.025  # 2 ms on an idle core
