"""Bad input: one clear sentence in three beats that names the source, and never another exception."""

import os
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import images
from mien.errors import MienError, SourceError, SourceMissing, SourceTooLarge, SourceUnreadable
from mien.images.sources import clean_file_name

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS = (EXAMPLES / "portraits.jpg").read_bytes()


def encoded(form: str, **settings) -> bytes:
    data = BytesIO()
    Image.open(EXAMPLES / "hopper.jpg").resize((96, 120)).save(data, form, **settings)
    return data.getvalue()


def refused(source, kind: type[MienError] = SourceUnreadable) -> MienError:
    with pytest.raises(kind) as caught:
        images.load_image(source)
    assert type(caught.value) is kind
    beats = (caught.value.happened, caught.value.expected, caught.value.remedy)
    assert all(beat and "\n" not in beat and len(beat) < 600 for beat in beats)
    return caught.value


def stored(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# What is in the file


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_cannot_be_read_although_it_opens():
    assert "'/proc/self/mem' cannot be read" in refused("/proc/self/mem", SourceMissing).happened


def test_bytes_with_gaps_are_bytes():
    spread = bytearray(2 * len(PORTRAITS))
    spread[::2] = PORTRAITS
    assert images.load_image(memoryview(spread)[::2]).pixels.shape == (480, 960, 3)


def test_an_empty_file(tmp_path):
    assert "'empty.jpg' is empty" in str(refused(stored(tmp_path, "empty.jpg", b""))).replace(f"{tmp_path}/", "")


def test_no_bytes():
    assert refused(b"").happened == "What came as bytes is empty"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"Dear diary,\n", "text"),
        ("Liebes Tagebuch, schön".encode(), "text"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "a drawing (SVG)"),
        (b"%PDF-1.7\n\xff", "a PDF document"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "a film"),
        (b"\x1aE\xdf\xa3\x01", "a film"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x93NUMPY\x01\0v\0", "another format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),
    ],
)
def test_what_is_no_picture_is_told_apart(tmp_path, data, told):
    error = refused(stored(tmp_path, "photo.jpg", data))
    assert "photo.jpg' is " in error.happened
    assert told in error.happened
    assert "JPEG, PNG, WebP" in error.expected


def test_a_suffix_does_not_matter(tmp_path):
    assert images.load_image(stored(tmp_path, "really.gif", PORTRAITS)).pixels.shape == (480, 960, 3)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_cut_off_picture(tmp_path, form, kept):
    whole = encoded(form)
    error = refused(stored(tmp_path, "cut", whole[: int(len(whole) * kept)]))
    assert "ends too early" in error.happened or "damaged" in error.happened


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_cut_off_picture_says_how_much_can_be_read(form):
    whole = encoded(form)
    error = refused(whole[: int(len(whole) * 0.6)])
    assert f"is a {form} that ends too early; only its upper" in error.happened
    share = int(error.happened.split("upper ")[1].split(" ")[0])
    assert 35 <= share <= 85


def test_a_damaged_picture():
    damaged = bytearray(encoded("PNG"))
    damaged[len(damaged) // 2] ^= 0xFF
    assert "is a damaged PNG" in refused(bytes(damaged)).happened


def test_only_a_header():
    assert "PNG that ends too early" in refused(b"\x89PNG\r\n\x1a\n").happened
    assert "JPEG that ends too early" in refused(b"\xff\xd8\xff\xe0").happened


# What the path is


def test_a_missing_path_names_the_nearest(tmp_path):
    stored(tmp_path, "holiday.jpg", b"")
    stored(tmp_path, "other.txt", b"")
    assert refused(tmp_path / "holliday.jpg", SourceMissing).remedy == "Did you mean 'holiday.jpg'?"


def test_a_missing_folder_names_the_nearest(tmp_path):
    (tmp_path / "photos" / "empty").mkdir(parents=True)
    assert refused(tmp_path / "photo" / "a.jpg", SourceMissing).remedy == "Did you mean 'photos'?"
    assert "Check the spelling" in refused(tmp_path / "photos" / "empty" / "a.jpg", SourceMissing).remedy


def test_a_missing_path_where_nothing_is_near(tmp_path):
    assert "Check the spelling" in refused(tmp_path / "a.jpg", SourceMissing).remedy


def test_a_file_used_as_a_folder():
    assert refused(EXAMPLES / "hopper.jpg" / "a.jpg", SourceMissing).happened.endswith("is not there")


def test_a_folder():
    error = refused(EXAMPLES)
    assert error.happened.endswith("examples' is a folder")
    assert "find_pictures" in error.remedy


def test_a_broken_link_and_one_that_leads_to_itself(tmp_path):
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert "link to something that is not there" in refused(tmp_path / "broken.jpg", SourceMissing).happened
    assert "leads to itself" in refused(tmp_path / "loop.jpg", SourceMissing).happened


@pytest.fixture
def powerless():
    """Root may open everything, so the test steps down for as long as it lasts."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are another matter here")
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_a_file_that_may_not_be_read(tmp_path, request):
    path = stored(tmp_path, "private.jpg", PORTRAITS)
    path.chmod(0)
    request.getfixturevalue("powerless")
    assert "private.jpg' may not be opened" in refused(path, SourceMissing).happened


@pytest.mark.parametrize(
    "name", ["with spaces.jpg", "lächelnd 😊.jpg", "two\nlines.jpg", "tab\t'quote'.jpg", "-dash.jpg"]
)
def test_odd_names_are_read_and_told_on_one_line(tmp_path, name):
    path = stored(tmp_path, name, PORTRAITS)
    assert images.load_image(path).name == str(path)
    assert images.load_image(str(path)).pixels.shape == (480, 960, 3)
    path.write_bytes(b"")
    shown = name.replace("\n", "\\n").replace("\t", "\\t")
    assert shown in refused(path).happened


def test_a_name_that_is_no_text_can_be_read_and_printed(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(path)).write_bytes(PORTRAITS)
    except OSError:
        pytest.skip("this file system only takes names that are text")
    name = images.load_image(os.fsdecode(path)).name
    assert name.endswith("caf\\udce9.jpg")
    assert name.encode()


@pytest.mark.parametrize("path", ["null\0byte.jpg", "x" * 5000, "lone\ud800surrogate.jpg"])
def test_names_that_no_file_can_have(path):
    assert str(refused(path, SourceMissing)).encode()


@pytest.mark.parametrize("path", ["", Path()])
def test_an_empty_path(path):
    kind = SourceMissing if path == "" else SourceUnreadable  # Path("") is the folder we are in
    refused(path, kind)


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("https://example.org/a.jpg", "--allow-url"),
        ("HTTP://example.org", "--allow-url"),
        ("s3://bucket/a.jpg", "name the file"),
        ("data:image/png;base64,iVBO", "name the file"),
    ],
)
def test_an_address_is_not_fetched(address, way):
    error = refused(address, SourceError)
    assert "is an address" in error.happened
    assert way in error.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PORTRAITS,))
    writer.start()
    assert images.load_image(pipe).pixels.shape == (480, 960, 3)
    writer.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_devices_without_end_are_no_pictures():
    assert "another format" in refused("/dev/zero").happened
    assert "is empty" in refused("/dev/null").happened


def test_a_pipe_without_end_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("mien.images.load._PIPE_BYTES", 1000)
    reader, writer = os.pipe()
    os.write(writer, PORTRAITS[:2000])
    os.close(writer)
    try:
        assert "pipe" in refused(f"/dev/fd/{reader}", SourceTooLarge).happened
    finally:
        os.close(reader)


# What is no source at all


@pytest.mark.parametrize(
    ("source", "advice"),
    [(None, "one of these"), (3, "one of these"), (BytesIO(PORTRAITS), ".read()"), ([1, 2], "read_many")],
)
def test_what_is_no_source(source, advice):
    assert advice in refused(source, SourceError).remedy


def test_a_closed_pil_image(tmp_path):
    path = stored(tmp_path, "a.jpg", PORTRAITS)
    image = Image.open(path)
    image.close()
    assert "could not be loaded" in refused(image).happened


def test_a_cut_off_pil_image(tmp_path):
    with Image.open(stored(tmp_path, "a.jpg", PORTRAITS[:40_000])) as image:
        assert "a.jpg' could not be loaded: image file is truncated" in refused(image).happened


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
def test_names(source, name):
    assert images.source_name(source) == name


def test_a_pil_image_that_was_opened_is_called_by_its_file():
    with Image.open(EXAMPLES / "hopper.jpg") as image:
        assert images.source_name(image) == str(EXAMPLES / "hopper.jpg")


def test_every_kind_of_bytes_is_the_same_picture(tmp_path):
    wanted = images.load_image(PORTRAITS).pixels
    for source in (bytearray(PORTRAITS), memoryview(PORTRAITS), EXAMPLES / "portraits.jpg"):
        np.testing.assert_array_equal(images.load_image(source).pixels, wanted)
    with Image.open(EXAMPLES / "portraits.jpg") as image:
        np.testing.assert_array_equal(images.load_image(image).pixels, wanted)


def test_a_picture_is_a_frozen_value():
    with pytest.raises(AttributeError):
        images.load_image(PORTRAITS).name = "other"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("holiday.jpg", "holiday.jpg"),
        ("/etc/passwd", "passwd"),
        ("C:\\photos\\me.png", "me.png"),
        ("a\r\nSet-Cookie: b\ud800.jpg", "aSet-Cookie: b.jpg"),
        ("x" * 500, "x" * 120),
        (" \t/", "picture"),
    ],
)
def test_a_name_that_was_sent_is_shown_and_no_more(sent, told):
    assert clean_file_name(sent) == told
