"""Invalid input: one message in three parts that names the source, and no other exception."""

import os
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import images
from mien.errors import MienError, SourceError, SourceMissing, SourceTooLarge, SourceUnreadable
from mien.images import load
from mien.images.sources import clean_file_name

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS = (EXAMPLES / "portraits.jpg").read_bytes()


def encode(format_name: str, **settings) -> bytes:
    data = BytesIO()
    Image.open(EXAMPLES / "hopper.jpg").resize((96, 120)).save(data, format_name, **settings)
    return data.getvalue()


def load_error(source, kind: type[MienError] = SourceUnreadable) -> MienError:
    with pytest.raises(kind) as caught:
        images.load_image(source)
    assert type(caught.value) is kind
    parts = (caught.value.happened, caught.value.expected, caught.value.remedy)
    assert all(part and "\n" not in part and len(part) < 600 for part in parts)
    return caught.value


def write_file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# What is in the file


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_file_that_opens_but_cannot_be_read_is_an_error():
    assert "'/proc/self/mem' cannot be read" in load_error("/proc/self/mem", SourceMissing).happened


def test_strided_memoryview_is_loaded():
    spread = bytearray(2 * len(PORTRAITS))
    spread[::2] = PORTRAITS
    assert images.load_image(memoryview(spread)[::2]).pixels.shape == (480, 960, 3)


def test_empty_file_is_an_error(tmp_path):
    assert "'empty.jpg' is empty" in str(load_error(write_file(tmp_path, "empty.jpg", b""))).replace(f"{tmp_path}/", "")


def test_empty_bytes_are_an_error():
    assert load_error(b"").happened == "The image in bytes is empty"


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (b"Dear diary,\n", "text"),
        ("Liebes Tagebuch, schön".encode(), "text"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "a drawing (SVG)"),
        (b"%PDF-1.7\n\xff", "a PDF document"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "a video"),
        (b"\x1aE\xdf\xa3\x01", "a video"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x93NUMPY\x01\0v\0", "another format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),
    ],
)
def test_error_describes_other_content(tmp_path, data, description):
    error = load_error(write_file(tmp_path, "photo.jpg", data))
    assert "photo.jpg' is " in error.happened
    assert description in error.happened
    assert "JPEG, PNG, WebP" in error.expected


def test_suffix_is_not_used(tmp_path):
    assert images.load_image(write_file(tmp_path, "really.gif", PORTRAITS)).pixels.shape == (480, 960, 3)


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_image_is_an_error(tmp_path, format_name, fraction):
    data = encode(format_name)
    error = load_error(write_file(tmp_path, "cut", data[: int(len(data) * fraction)]))
    assert "is a truncated" in error.happened or "damaged" in error.happened


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_error_for_a_truncated_image_says_how_much_can_be_read(format_name):
    data = encode(format_name)
    error = load_error(data[: int(len(data) * 0.6)])
    assert f"is a truncated {format_name}; only its upper" in error.happened
    percent = int(error.happened.split("upper ")[1].split(" ")[0])
    assert 35 <= percent <= 85


def test_damaged_image_is_an_error():
    damaged = bytearray(encode("PNG"))
    damaged[len(damaged) // 2] ^= 0xFF
    assert "is a damaged PNG" in load_error(bytes(damaged)).happened


def test_image_of_only_a_header_is_truncated():
    assert "a truncated PNG" in load_error(b"\x89PNG\r\n\x1a\n").happened
    assert "a truncated JPEG" in load_error(b"\xff\xd8\xff\xe0").happened


# What the path is


def test_error_for_a_missing_file_suggests_a_similar_name(tmp_path):
    write_file(tmp_path, "holiday.jpg", b"")
    write_file(tmp_path, "other.txt", b"")
    assert load_error(tmp_path / "holliday.jpg", SourceMissing).remedy == "Did you mean 'holiday.jpg'?"


def test_error_for_a_missing_folder_suggests_a_similar_name(tmp_path):
    (tmp_path / "photos" / "empty").mkdir(parents=True)
    assert load_error(tmp_path / "photo" / "a.jpg", SourceMissing).remedy == "Did you mean 'photos'?"
    assert "Check the spelling" in load_error(tmp_path / "photos" / "empty" / "a.jpg", SourceMissing).remedy


def test_error_without_a_similar_name_has_another_remedy(tmp_path):
    assert "Check the spelling" in load_error(tmp_path / "a.jpg", SourceMissing).remedy


def test_file_used_as_a_folder_is_missing():
    assert load_error(EXAMPLES / "hopper.jpg" / "a.jpg", SourceMissing).happened.endswith("does not exist")


def test_folder_is_not_an_image():
    error = load_error(EXAMPLES)
    assert error.happened.endswith("examples' is a folder")
    assert "find_images" in error.remedy


def test_broken_link_and_link_to_itself_are_missing(tmp_path):
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert "link to a file that does not exist" in load_error(tmp_path / "broken.jpg", SourceMissing).happened
    assert "leads to itself" in load_error(tmp_path / "loop.jpg", SourceMissing).happened


@pytest.fixture
def unprivileged():
    """Root may open every file, so the test runs as another user."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_file_without_permission_is_an_error(tmp_path, request):
    path = write_file(tmp_path, "private.jpg", PORTRAITS)
    path.chmod(0)
    request.getfixturevalue("unprivileged")
    assert "private.jpg' may not be opened" in load_error(path, SourceMissing).happened


@pytest.mark.parametrize(
    "name", ["with spaces.jpg", "lächelnd 😊.jpg", "two\nlines.jpg", "tab\t'quote'.jpg", "-dash.jpg"]
)
def test_special_characters_in_names_are_escaped_in_messages(tmp_path, name):
    path = write_file(tmp_path, name, PORTRAITS)
    assert images.load_image(path).name == str(path)
    assert images.load_image(str(path)).pixels.shape == (480, 960, 3)
    path.write_bytes(b"")
    escaped = name.replace("\n", "\\n").replace("\t", "\\t")
    assert escaped in load_error(path).happened


def test_name_that_is_not_utf_8_can_be_printed(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(path)).write_bytes(PORTRAITS)
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    name = images.load_image(os.fsdecode(path)).name
    assert name.endswith("caf\\udce9.jpg")
    assert name.encode()


@pytest.mark.parametrize("path", ["null\0byte.jpg", "x" * 5000, "lone\ud800surrogate.jpg"])
def test_impossible_names_are_missing(path):
    assert str(load_error(path, SourceMissing)).encode()


@pytest.mark.parametrize("path", ["", Path()])
def test_empty_path_is_an_error(path):
    kind = SourceMissing if path == "" else SourceUnreadable  # Path("") is the folder we are in
    load_error(path, kind)


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("https://example.org/a.jpg", "--allow-url"),
        ("HTTP://example.org", "--allow-url"),
        ("s3://bucket/a.jpg", "pass the file"),
        ("data:image/png;base64,iVBO", "pass the file"),
    ],
)
def test_address_is_not_downloaded(address, remedy):
    error = load_error(address, SourceError)
    assert "is an address" in error.happened
    assert remedy in error.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PORTRAITS,))
    writer.start()
    assert images.load_image(pipe).pixels.shape == (480, 960, 3)
    writer.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_devices_are_not_images():
    assert "another format" in load_error("/dev/zero").happened
    assert "is empty" in load_error("/dev/null").happened


def test_pipe_with_too_much_data_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(load, "MAX_PIPE_BYTES", 1000)
    reader, writer = os.pipe()
    os.write(writer, PORTRAITS[:2000])
    os.close(writer)
    try:
        assert "pipe" in load_error(f"/dev/fd/{reader}", SourceTooLarge).happened
    finally:
        os.close(reader)


# What is no source at all


@pytest.mark.parametrize(
    ("source", "advice"),
    [(None, "one of these"), (3, "one of these"), (BytesIO(PORTRAITS), ".read()"), ([1, 2], "read_many")],
)
def test_error_for_other_types_has_advice(source, advice):
    assert advice in load_error(source, SourceError).remedy


def test_closed_pil_image_is_an_error(tmp_path):
    path = write_file(tmp_path, "a.jpg", PORTRAITS)
    image = Image.open(path)
    image.close()
    assert "could not be loaded" in load_error(image).happened


def test_truncated_pil_image_is_an_error(tmp_path):
    with Image.open(write_file(tmp_path, "a.jpg", PORTRAITS[:40_000])) as image:
        assert "a.jpg' could not be loaded: image file is truncated" in load_error(image).happened


# What sources are called


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/b.jpg", "a/b.jpg"),
        (Path("a/b.jpg"), str(Path("a/b.jpg"))),
        (b"", "<bytes>"),
        (bytearray(), "<bytes>"),
        (memoryview(b""), "<bytes>"),
        (Image.new("L", (1, 1)), "<image>"),
        (np.zeros((1, 1)), "<array>"),
        (None, "<NoneType>"),
    ],
)
def test_names_of_sources(source, name):
    assert images.source_name(source) == name


def test_name_of_a_pil_image_is_its_file():
    with Image.open(EXAMPLES / "hopper.jpg") as image:
        assert images.source_name(image) == str(EXAMPLES / "hopper.jpg")


def test_every_source_of_an_image_has_the_same_pixels(tmp_path):
    expected = images.load_image(PORTRAITS).pixels
    for source in (bytearray(PORTRAITS), memoryview(PORTRAITS), EXAMPLES / "portraits.jpg"):
        np.testing.assert_array_equal(images.load_image(source).pixels, expected)
    with Image.open(EXAMPLES / "portraits.jpg") as image:
        np.testing.assert_array_equal(images.load_image(image).pixels, expected)


def test_loaded_image_is_frozen():
    with pytest.raises(AttributeError):
        images.load_image(PORTRAITS).name = "other"


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("holiday.jpg", "holiday.jpg"),
        ("/etc/passwd", "passwd"),
        ("C:\\photos\\me.png", "me.png"),
        ("a\r\nSet-Cookie: b\ud800.jpg", "aSet-Cookie: b.jpg"),
        ("x" * 500, "x" * 120),
        (" \t/", "image"),
    ],
)
def test_uploaded_file_name_is_cleaned(name, cleaned):
    assert clean_file_name(name) == cleaned
