"""Limits of decoding: bytes of memory a pixel, scans of a JPEG, seconds."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from command import environment
from mien import images
from mien.errors import SourceTooLarge
from mien.images import decode

SIDE = 2400

#: Loads the file in a process of its own; prints the bytes of memory a pixel that it took at most.
MEASURE = """
import resource, sys
from mien.images import load_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pixels = load_image(sys.argv[1]).pixels
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 / (pixels.shape[0] * pixels.shape[1]))
"""


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def rotated_jpeg(side: int) -> bytes:
    image = Image.new("RGB", (side, side // 2))
    exif = image.getexif()
    exif[0x0112] = 6
    return encode(image, "JPEG", exif=exif)


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
@pytest.mark.parametrize(
    "create",
    [
        pytest.param(lambda side: encode(Image.fromarray(np.zeros((side, side), np.uint16)), "PNG"), id="16 bits"),
        pytest.param(lambda side: encode(Image.new("RGBA", (side, side)), "PNG"), id="transparent"),
        pytest.param(lambda side: encode(Image.new("P", (side, side)), "PNG", transparency=0), id="palette"),
        pytest.param(lambda side: encode(Image.new("F", (side, side)), "TIFF"), id="floats"),
        pytest.param(lambda side: encode(Image.new("RGB", (side, side)), "JPEG"), id="jpeg"),
        pytest.param(lambda side: rotated_jpeg(side), id="rotated"),
    ],
)
def test_memory_is_at_most_twelve_bytes_a_pixel(create, tmp_path):
    """Pillow needs four and the result three; blocks and the file itself a few more for an image of this size."""
    path = tmp_path / "image"
    path.write_bytes(create(SIDE))
    command = [sys.executable, "-c", MEASURE, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert float(result.stdout) < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_pillow(orientation):
    from PIL import ImageOps

    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    content = encode(image, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(images.load_image(content).pixels, expected)


def test_blocks_do_not_change_an_image(monkeypatch):
    values = np.random.default_rng(0).integers(0, 60_000, (37, 23), np.uint16)
    content = encode(Image.fromarray(values), "TIFF")
    whole = images.load_image(content).pixels
    monkeypatch.setattr(decode, "_BLOCK_PIXELS", 50)
    np.testing.assert_array_equal(images.load_image(content).pixels, whole)


def test_jpeg_with_many_scans_is_refused_before_decoding():
    content = encode(Image.new("RGB", (64, 64), "red"), "JPEG", progressive=True)
    assert content.count(b"\xff\xda") > 1
    assert images.load_image(content).pixels.shape == (64, 64, 3)
    scan = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(SourceTooLarge, match=r"it has 2,0.. scans"):
        images.load_image(content[:-2] + scan * 2000 + content[-2:])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"P5\n" + b"# a comment\n" * 2_000_000 + b"8 8\n255\n" + bytes(64), id="comments"),
        pytest.param(b"P6\n4000 4000\n254\n" + bytes(48_000_000), id="maximum 254"),
        pytest.param(b"P2\n3000 3000\n255\n" + b"17 " * 9_000_000, id="text"),
    ],
)
def test_slow_files_are_refused(content, monkeypatch):
    monkeypatch.setattr(decode, "MAX_SECONDS", 0.2)
    with pytest.raises(SourceTooLarge, match=r"not decoded after 0.2 seconds"):
        images.load_image(content)
