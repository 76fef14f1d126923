"""Whatever comes to the door, a picture or a MienError goes out: no other exception, no warning, no word on stderr.

300 cases in every run, 10,000 in the slow one. Damaged TIFFs stand apart: the libtiff inside Pillow writes its own
remarks to the process's stderr, and nothing short of turning off stderr for all threads keeps it from that.
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

LIMIT = 1_000_000  # pixels: what a case may cost
FACE = Image.open(Path(__file__).parents[2] / "examples" / "hopper.jpg").convert("RGB").resize((48, 56))


def encoded(image: Image.Image, form: str, **settings_) -> bytes:
    data = BytesIO()
    image.save(data, form, **settings_)
    return data.getvalue()


def real_files() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker"
    film = {"save_all": True, "append_images": [FACE.rotate(90), FACE.rotate(180)]}
    wide = Image.fromarray(np.asarray(FACE.convert("L")).astype(np.uint16) * 257)
    files = [
        encoded(FACE, "JPEG", exif=exif),
        encoded(FACE, "JPEG", progressive=True),
        encoded(FACE.convert("CMYK"), "JPEG"),
        encoded(FACE.convert("L"), "JPEG"),
        encoded(FACE, "PNG", exif=exif),
        encoded(FACE.convert("P"), "PNG", transparency=3),
        encoded(FACE.convert("RGBA"), "PNG"),
        encoded(wide, "PNG"),
        encoded(FACE, "PNG", **film),
        encoded(FACE, "GIF", **film),
        encoded(FACE.convert("P"), "GIF", transparency=3),
        encoded(FACE, "TIFF", exif=exif),
        encoded(wide, "TIFF"),
        encoded(FACE.convert("F"), "TIFF"),
        *(encoded(FACE, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
        encoded(FACE.convert("1"), "TIFF", compression="group4"),
        encoded(FACE, "BMP"),
        encoded(FACE.convert("P"), "BMP"),
        encoded(FACE.convert("1"), "BMP"),
        encoded(FACE, "PPM"),
        encoded(FACE, "WEBP", exif=exif),
        encoded(FACE.convert("RGBA"), "WEBP", lossless=True),
        encoded(FACE, "WEBP", **film),
    ]
    if features.check("jpg_2000"):
        files.append(encoded(FACE, "JPEG2000"))
    if "avif" in features.modules and features.check("avif"):
        files.append(encoded(FACE, "AVIF", speed=10))
    return files


FILES = real_files()
TIFFS = [data for data in FILES if data[:2] in (b"II", b"MM")]
OTHERS = [data for data in FILES if data not in TIFFS]
SIGNATURES = [data[:16] for data in OTHERS] + [b"P5 ", b"P6\n9 9\n255\n", b"BM"]

#: A place in a file: anywhere, or among the first bytes, where headers are.
place = st.one_of(st.integers(0, 400), st.integers(0, 1 << 20))
change = st.tuples(
    st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut", "flip"]),
    place,
    st.one_of(
        st.binary(min_size=1, max_size=12), st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xd8"])
    ),
)


def changed(data: bytes, changes) -> bytes:
    body = bytearray(data)
    for kind, where, new in changes:
        at = where % (len(body) + 1)
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


def mutated(files: list[bytes]):
    return st.builds(changed, st.sampled_from(files), st.lists(change, min_size=1, max_size=4))


noise = st.builds(lambda head, tail: head + tail, st.sampled_from([b"", *SIGNATURES]), st.binary(max_size=300))


def comes_out_well(data: bytes) -> None:
    try:
        pixels = images.load_image(data, max_pixels=LIMIT).pixels
    except MienError as refusal:
        error = refusal
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert 0 < pixels.shape[0] * pixels.shape[1] <= LIMIT
        assert pixels.flags.c_contiguous
        return
    assert all((error.happened, error.expected, error.remedy))
    assert str(error).isprintable()


def fuzz(cases, examples: int, steady: bool) -> None:
    # Steady in every run, so that a change is to blame when it fails; fresh in the long one, which is there to find.
    rules = settings(
        max_examples=examples, deadline=None, derandomize=steady, database=None, suppress_health_check=list(HealthCheck)
    )
    rules(given(cases)(comes_out_well))()


def memory() -> float:
    """The most this process has held, in MB."""
    resource = pytest.importorskip("resource", reason="memory is measured another way here")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20) if sys.platform == "darwin" else most / 1024


def test_the_real_files_are_pictures():
    for data in FILES:
        assert images.load_image(data).pixels.shape in ((56, 48, 3), (48, 56, 3))


def check(cases, examples: int, steady: bool) -> None:
    before = memory()
    fuzz(cases, examples, steady)
    assert memory() - before < 200


@pytest.mark.parametrize(("cases", "examples"), [(mutated(OTHERS), 160), (noise, 80)], ids=["mutated", "noise"])
def test_the_door_holds(cases, examples, capfd):
    check(cases, examples, steady=True)
    assert capfd.readouterr() == ("", "")


def test_the_door_holds_against_damaged_tiffs(capsys):
    check(mutated(TIFFS), 60, steady=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "examples"), [(mutated(OTHERS), 6000), (noise, 2000)], ids=["mutated", "noise"])
def test_the_door_holds_ten_thousand_times(cases, examples, capfd):
    check(cases, examples, steady=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_the_door_holds_against_thousands_of_damaged_tiffs(capsys):
    check(mutated(TIFFS), 2000, steady=False)
    assert capsys.readouterr() == ("", "")
