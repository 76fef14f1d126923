"""Saving images: complete or not at all, with the reason."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import images
from mien.errors import ArrayError, MienError, OutputError

PIXELS = np.asarray(Image.open(Path(__file__).parents[2] / "examples" / "hopper.jpg").convert("RGB"))
NOISE = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)


def save_error(pixels, path) -> OutputError:
    with pytest.raises(OutputError) as caught:
        images.save_image(pixels, path)
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("name", "format_name", "tolerance"),
    [("a.jpg", "JPEG", 3), ("a.JPEG", "JPEG", 3), ("a.png", "PNG", 0), ("a.webp", "WEBP", 4)],
)
def test_suffix_selects_the_format(tmp_path, name, format_name, tolerance):
    images.save_image(PIXELS, tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.format == format_name
    saved = images.load_image(tmp_path / name).pixels
    assert np.abs(saved.astype(int) - PIXELS).mean() <= tolerance
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_jpeg_quality_is_92(tmp_path):
    images.save_image(PIXELS, tmp_path / "a.jpg")
    Image.fromarray(PIXELS).save(tmp_path / "b.jpg", quality=92)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize(
    ("name", "hint"), [("a.jpgg", "'.jpg'"), ("a.pgn", "'.png'"), ("a.xyz", ".png"), ("a", ".png")]
)
def test_error_for_an_unknown_suffix_suggests_a_similar_one(tmp_path, name, hint):
    error = save_error(PIXELS, tmp_path / name)
    assert name in error.happened
    assert hint in error.remedy
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_replaced(tmp_path):
    images.save_image(NOISE, tmp_path / "a.png")
    images.save_image(PIXELS, tmp_path / "a.png")
    np.testing.assert_array_equal(images.load_image(tmp_path / "a.png").pixels, PIXELS)


def test_target_of_a_link_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to("real/a.png")
    images.save_image(PIXELS, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(images.load_image(tmp_path / "real" / "a.png").pixels, PIXELS)


def test_missing_folder_is_an_error(tmp_path):
    assert "No such file" in save_error(PIXELS, tmp_path / "nowhere" / "a.png").happened


def test_folder_of_the_same_name_is_an_error(tmp_path):
    (tmp_path / "a.png").mkdir()
    assert "it is a folder" in save_error(PIXELS, tmp_path / "a.png").happened
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["null\0byte.png", "x" * 300 + ".png"])
def test_impossible_names_are_errors(tmp_path, name):
    save_error(PIXELS, f"{tmp_path}/{name}")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_read_only_folder_is_an_error(tmp_path):
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        error = save_error(PIXELS, folder / "a.png")
    finally:
        if root:
            os.seteuid(0)
    assert "ermission denied" in error.happened


SAVE_TO_FULL_DISK = """
import resource, signal, sys
from mien import images
from mien.errors import OutputError
import numpy as np
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
images.save_image(noise[:8, :8], sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    images.save_image(noise, sys.argv[1])
except OutputError as error:
    print(error)
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX resource limits")
def test_full_disk_keeps_the_old_file(tmp_path):
    """A limit on the file size stops the write half way, as a full disk does."""
    path = tmp_path / "a.png"
    process = subprocess.run(
        [sys.executable, "-c", SAVE_TO_FULL_DISK, path], capture_output=True, text=True, check=True
    )
    assert "could not be written" in process.stdout
    assert "File too large" in process.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(images.load_image(path).pixels, NOISE[:8, :8])


@pytest.mark.parametrize(("name", "shape"), [("a.webp", (1, 20_000, 3)), ("a.jpg", (1, 70_000, 3))])
def test_image_too_large_for_the_format_is_an_error(tmp_path, name, shape):
    error = save_error(np.zeros(shape, np.uint8), tmp_path / name)
    assert f"{shape[1]} × 1 pixels" in error.happened
    assert ".png" in error.remedy
    images.save_image(np.zeros(shape, np.uint8), tmp_path / "a.png")


@pytest.mark.parametrize("pixels", [np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 7), np.uint8)])
def test_array_that_is_no_image_is_not_written(tmp_path, pixels):
    with pytest.raises(ArrayError):
        images.save_image(pixels, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_output_error_is_a_mien_error():
    assert issubclass(OutputError, MienError)
