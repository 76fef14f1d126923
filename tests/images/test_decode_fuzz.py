"""Fuzzing of the decoders: an image or a MienError, no other exception, no warning, no output.

300 cases in every run, 10,000 in the slow one. Damaged TIFFs are tested apart: the libtiff inside Pillow writes to
standard error itself, which only turning off standard error for all threads could prevent.
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from mien import images
from mien.errors import MienError

LIMIT = 1_000_000  # pixels of a case
FACE = Image.open(Path(__file__).parents[2] / "examples" / "hopper.jpg").convert("RGB").resize((48, 56))


def encode(image: Image.Image, format_name: str, **options) -> bytes:
    data = BytesIO()
    image.save(data, format_name, **options)
    return data.getvalue()


def real_files() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker"
    animation = {"save_all": True, "append_images": [FACE.rotate(90), FACE.rotate(180)]}
    wide = Image.fromarray(np.asarray(FACE.convert("L")).astype(np.uint16) * 257)
    files = [
        encode(FACE, "JPEG", exif=exif),
        encode(FACE, "JPEG", progressive=True),
        encode(FACE.convert("CMYK"), "JPEG"),
        encode(FACE.convert("L"), "JPEG"),
        encode(FACE, "PNG", exif=exif),
        encode(FACE.convert("P"), "PNG", transparency=3),
        encode(FACE.convert("RGBA"), "PNG"),
        encode(wide, "PNG"),
        encode(FACE, "PNG", **animation),
        encode(FACE, "GIF", **animation),
        encode(FACE.convert("P"), "GIF", transparency=3),
        encode(FACE, "TIFF", exif=exif),
        encode(wide, "TIFF"),
        encode(FACE.convert("F"), "TIFF"),
        *(encode(FACE, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
        encode(FACE.convert("1"), "TIFF", compression="group4"),
        encode(FACE, "BMP"),
        encode(FACE.convert("P"), "BMP"),
        encode(FACE.convert("1"), "BMP"),
        encode(FACE, "PPM"),
        encode(FACE, "WEBP", exif=exif),
        encode(FACE.convert("RGBA"), "WEBP", lossless=True),
        encode(FACE, "WEBP", **animation),
    ]
    if features.check("jpg_2000"):
        files.append(encode(FACE, "JPEG2000"))
    if "avif" in features.modules and features.check("avif"):
        files.append(encode(FACE, "AVIF", speed=10))
    return files


FILES = real_files()
TIFFS = [data for data in FILES if data[:2] in (b"II", b"MM")]
OTHERS = [data for data in FILES if data not in TIFFS]
SIGNATURES = [data[:16] for data in OTHERS] + [b"P5 ", b"P6\n9 9\n255\n", b"BM"]

#: An offset in a file: anywhere, or among the first bytes, where headers are.
offset = st.one_of(st.integers(0, 400), st.integers(0, 1 << 20))
change = st.tuples(
    st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut", "flip"]),
    offset,
    st.one_of(
        st.binary(min_size=1, max_size=12), st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xd8"])
    ),
)


def apply_changes(data: bytes, changes) -> bytes:
    body = bytearray(data)
    for kind, offset_, new in changes:
        at = offset_ % (len(body) + 1)
        if kind == "overwrite":
            body[at : at + len(new)] = new
        elif kind == "insert":
            body[at:at] = new
        elif kind == "delete":
            del body[at : at + len(new)]
        elif kind == "repeat":
            body[at:at] = body[at : at + 40 * len(new)]
        elif kind == "cut":
            del body[at:]
        elif at < len(body):
            body[at] ^= new[0]
    return bytes(body)


def mutations(files: list[bytes]):
    return st.builds(apply_changes, st.sampled_from(files), st.lists(change, min_size=1, max_size=4))


noise = st.builds(lambda head, tail: head + tail, st.sampled_from([b"", *SIGNATURES]), st.binary(max_size=300))


def assert_image_or_error(data: bytes) -> None:
    try:
        pixels = images.load_image(data, max_pixels=LIMIT).pixels
    except MienError as caught:
        error = caught
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert 0 < pixels.shape[0] * pixels.shape[1] <= LIMIT
        assert pixels.flags.c_contiguous
        return
    assert all((error.happened, error.expected, error.remedy))
    assert str(error).isprintable()


def fuzz(cases, examples: int, deterministic: bool) -> None:
    # Deterministic in every run, so that a failure is caused by a change; random in the slow run, which searches.
    rules = settings(
        max_examples=examples,
        deadline=None,
        derandomize=deterministic,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    rules(given(cases)(assert_image_or_error))()


def peak_memory() -> float:
    """The peak peak_memory of this process in MB."""
    resource = pytest.importorskip("resource", reason="needs POSIX resource usage")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def test_undamaged_files_are_images():
    for data in FILES:
        assert images.load_image(data).pixels.shape in ((56, 48, 3), (48, 56, 3))


def check(cases, examples: int, deterministic: bool) -> None:
    before = peak_memory()
    fuzz(cases, examples, deterministic)
    assert peak_memory() - before < 200


@pytest.mark.parametrize(("cases", "examples"), [(mutations(OTHERS), 160), (noise, 80)], ids=["mutations", "noise"])
def test_mutated_and_random_files_raise_only_mien_errors(cases, examples, capfd):
    check(cases, examples, deterministic=True)
    assert capfd.readouterr() == ("", "")


def test_damaged_tiffs_raise_only_mien_errors(capsys):
    check(mutations(TIFFS), 60, deterministic=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "examples"), [(mutations(OTHERS), 6000), (noise, 2000)], ids=["mutations", "noise"])
def test_ten_thousand_files_raise_only_mien_errors(cases, examples, capfd):
    check(cases, examples, deterministic=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_two_thousand_damaged_tiffs_raise_only_mien_errors(capsys):
    check(mutations(TIFFS), 2000, deterministic=False)
    assert capsys.readouterr() == ("", "")
