"""Every supported format becomes RGB uint8 with the EXIF orientation applied."""

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
    """Red, green, blue and gray quarters: all rotations differ, and every codec preserves it."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 210)
    pixels[height // 2 :, width // 2 :] = (128, 128, 128)
    return Image.fromarray(pixels)


def encode(image: Image.Image, format_name: str, **settings) -> bytes:
    data = BytesIO()
    image.save(data, format_name, **settings)
    return data.getvalue()


def assert_pixels(source, expected: Image.Image, tolerance: float = 0) -> None:
    pixels = images.load_image(source).pixels
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    expected_pixels = np.asarray(expected.convert("RGB"), int)
    assert pixels.shape == expected_pixels.shape
    assert np.abs(pixels - expected_pixels).mean() <= tolerance


@pytest.mark.parametrize(
    ("format_name", "settings", "tolerance"),
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
def test_formats_keep_the_pixels(tmp_path, format_name, settings, tolerance):
    data = encode(scene(), format_name, **settings)
    assert_pixels(data, scene(), tolerance)
    path = tmp_path / "picture.of-any-name"
    path.write_bytes(data)
    assert_pixels(path, scene(), tolerance)


def test_avif_is_loaded_if_pillow_supports_it():
    pytest.importorskip("PIL._avif")
    assert_pixels(encode(scene(), "AVIF", quality=95), scene(), 6)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA"])
def test_png_modes(mode):
    image = scene().convert(mode)
    assert_pixels(encode(image, "PNG"), image)


@pytest.mark.parametrize("mode", ["L", "CMYK", "LAB", "1", "P", "RGBA"])
def test_tiff_modes(mode):
    image = Image.new("LAB", (8, 8), (160, 128, 128)) if mode == "LAB" else scene().convert(mode)
    assert_pixels(encode(image, "TIFF"), image, 1)


def test_cmyk_jpeg_is_not_inverted():
    assert_pixels(encode(scene().convert("CMYK"), "JPEG", quality=95, subsampling=0), scene(), 4)


def test_gray_jpeg():
    assert_pixels(encode(scene().convert("L"), "JPEG", quality=95), scene().convert("L"), 2)


# Phones


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(format_name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(scene(), format_name, exif=exif, **({"lossless": True} if format_name == "WEBP" else {}))
    tagged = scene()
    tagged.getexif()[0x0112] = orientation
    assert_pixels(data, ImageOps.exif_transpose(tagged), 8)
    assert_pixels(Image.open(BytesIO(data)), ImageOps.exif_transpose(tagged), 8)


def test_orientation_six_moves_the_top_left_to_the_top_right():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = images.load_image(encode(scene(40, 24), "PNG", exif=exif)).pixels
    assert pixels.shape == (40, 24, 3)
    assert tuple(pixels[0, -1]) == (220, 30, 30)  # what was top left is top right


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\x01" * 40, b"nonsense"]
)
def test_a_broken_exif_is_no_reason_to_refuse(exif):
    assert_pixels(encode(scene(), "JPEG", exif=exif, quality=95, subsampling=0), scene(), 3)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_pixels(encode(scene(), "PNG", exif=exif), scene())


# Transparency


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (4, 4), (255, 0, 0, 0)),
        Image.new("LA", (4, 4), (0, 0)),
    ],
    ids=["RGBA", "LA"],
)
@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(image, format_name):
    if format_name == "WEBP":
        image = image.convert("RGBA")
    assert (images.load_image(encode(image, format_name)).pixels == 255).all()


def test_half_transparent_is_half_white():
    assert (images.load_image(encode(Image.new("RGBA", (4, 4), (0, 0, 0, 127)), "PNG")).pixels == 128).all()


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
def test_transparent_colour_of_a_palette_is_white(format_name):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    pixels = images.load_image(encode(image, format_name, transparency=0)).pixels
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 1]) == (40, 50, 60)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_colour_key_of_a_png_is_on_white(mode):
    key = 7 if mode == "L" else (7, 8, 9)
    assert (images.load_image(encode(Image.new(mode, (3, 3), key), "PNG", transparency=key)).pixels == 255).all()


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_is_loaded(format_name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    settings = {"lossless": True} if format_name == "WEBP" else {}
    data = encode(frames[0], format_name, save_all=True, append_images=frames[1:], duration=40, **settings)
    assert_pixels(data, frames[0])


# More than eight bits


def ramp(kind=np.uint16, top: float = 65535) -> np.ndarray:
    return np.linspace(0, top, 256).astype(kind).reshape(16, 16)


def assert_ramp(pixels):
    np.testing.assert_allclose(pixels[..., 0].ravel(), np.arange(256), atol=1)
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(format_name):
    assert_ramp(images.load_image(encode(Image.fromarray(ramp()), format_name)).pixels)


def test_dark_sixteen_bit_image_stays_dark():
    assert images.load_image(encode(Image.fromarray(ramp(top=255)), "PNG")).pixels.max() <= 1


def test_sixteen_bit_colour_png():
    rows = b"".join(b"\0" + struct.pack(">12H", *([65535, 32768, 0] * 4)) for _ in range(4))
    pixels = images.load_image(png(4, 4, rows, depth=16, colour=2)).pixels
    np.testing.assert_allclose(pixels[0, 0], [255, 128, 0], atol=1)


@pytest.mark.parametrize(("kind", "top"), [(np.float32, 1), (np.float32, 255), (np.float32, 65535), (np.int32, 255)])
def test_tiff_of_floats_and_32_bit_integers(kind, top):
    assert_ramp(images.load_image(encode(Image.fromarray(ramp(kind, top)), "TIFF")).pixels)


def test_negative_minimum_becomes_black():
    assert_ramp(images.load_image(encode(Image.fromarray(ramp(np.float32, 2) - 1), "TIFF")).pixels)


def test_float_image_of_zeros_is_black():
    assert images.load_image(Image.new("F", (3, 3))).pixels.max() == 0


def test_floats_that_are_not_finite_are_an_error():
    with pytest.raises(SourceUnreadable, match="not finite"):
        images.load_image(encode(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"))


# HEIC


HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic"


def test_error_for_heic_names_the_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceUnreadable, match="Install pillow-heif") as caught:
        images.load_image(HEIC)
    assert "HEIC" in caught.value.happened


def test_heic_is_decoded_by_its_package(monkeypatch):
    """The package is not installed here: a module with its name and class decodes a PNG."""
    from PIL.PngImagePlugin import PngImageFile

    class HeifImageFile(PngImageFile):
        def _open(self):
            self.fp.seek(len(HEIC))
            self.fp = BytesIO(self.fp.read())
            super()._open()

    plugin = types.ModuleType("pillow_heif")
    plugin.HeifImageFile = HeifImageFile
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    assert_pixels(HEIC + encode(scene(), "PNG"), scene())


def test_heic_of_the_real_package():
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    data = BytesIO()
    pillow_heif.from_pillow(scene(64, 64)).save(data, quality=95)
    assert_pixels(data.getvalue(), scene(64, 64), 6)


# The limit


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_decompression_bomb_is_rejected_by_its_header():
    import time
    import tracemalloc

    images.load_image(png(1, 1, b"\0abc"))
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(SourceTooLarge, match="60000 × 60000 pixels") as caught:
        images.load_image(png(60_000, 60_000))
    assert time.perf_counter() - start < 20
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert "200,000,000" in caught.value.expected
    assert "MIEN_MAX_PIXELS" in caught.value.remedy


@pytest.mark.parametrize("format_name", ["GIF", "BMP", "TIFF", "WEBP", "JPEG"])
def test_pixel_limit_applies_to_every_format(format_name):
    data = encode(scene(), format_name)
    with pytest.raises(SourceTooLarge):
        images.load_image(data, max_pixels=40 * 24 - 1)
    assert images.load_image(data, max_pixels=40 * 24).pixels.shape == (24, 40, 3)


def test_pixel_limit_applies_to_pil_images():
    with pytest.raises(SourceTooLarge, match="The PIL image is too large"):
        images.load_image(scene(), max_pixels=10)


def test_argument_overrides_the_limit_of_the_environment(monkeypatch):
    monkeypatch.setenv("MIEN_MAX_PIXELS", "100")
    with pytest.raises(SourceTooLarge):
        images.load_image(scene())
    assert images.load_image(scene(), max_pixels=1000).pixels.size


@pytest.mark.parametrize("value", ["many", "0", "-5", ""])
def test_invalid_limit_is_an_error(monkeypatch, value):
    monkeypatch.setenv("MIEN_MAX_PIXELS", value)
    with pytest.raises(SourceError, match="MIEN_MAX_PIXELS is"):
        images.load_image(scene())


def test_images_above_the_limit_of_pillow_are_loaded_without_a_warning(monkeypatch):
    """A phone photo of 200 megapixels exceeds Pillow's limit; a small limit stands for that."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert_pixels(encode(scene(), "PNG"), scene())


# Warnings


CORRUPT_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0\x1a\x01\x05\0\x01\0\0\0\xf0\xff\0\0"
)


def test_pillow_warns_of_the_damaged_exif_data():
    """The next tests depend on this."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Image.open(BytesIO(encode(scene(), "JPEG", exif=CORRUPT_EXIF))).getexif()
    assert caught


def test_warnings_of_pillow_are_suppressed_even_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_pixels(encode(scene(), "JPEG", exif=CORRUPT_EXIF, quality=95, subsampling=0), scene(), 3)


def test_other_warnings_are_not_suppressed():
    images.load_image(scene())
    with pytest.warns(UserWarning, match="still here"):
        warnings.warn("still here", UserWarning, stacklevel=1)


def test_only_one_warnings_filter_is_added():
    with warnings.catch_warnings():
        for _ in range(5):
            images.load_image(encode(scene(), "PNG"))
            warnings.simplefilter("error")
        images.load_image(encode(scene(), "PNG"))
        assert sum("_ThreadDepth" in repr(entry) for entry in warnings.filters) == 1


def test_warnings_of_other_threads_are_not_suppressed(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    data = encode(scene(), "JPEG", exif=CORRUPT_EXIF)

    def warns(i: int) -> bool:
        try:
            warnings.warn(f"number {i}", UserWarning, stacklevel=1)
        except UserWarning:
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(images.load_image, data) for _ in range(60)]
        warned = [pool.submit(warns, i) for i in range(60)]
        assert all(each.result().pixels.size for each in loads)
        assert all(each.result() for each in warned)


@pytest.mark.parametrize("name", ["astronaut.jpg", "hopper.jpg", "portraits.jpg"])
def test_examples_are_loaded(name):
    assert_pixels(EXAMPLES / name, Image.open(EXAMPLES / name))


def test_small_photo_is_decoded_fast():
    import time

    data = encode(Image.open(EXAMPLES / "portraits.jpg").resize((640, 480)), "JPEG", quality=90)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        images.load_image(data)
        times.append(time.perf_counter() - start)
    assert sorted(times)[4] < 1  # takes 2 ms
