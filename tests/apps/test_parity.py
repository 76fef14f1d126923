"""The same numbers everywhere: three pictures, a file that is none, and a short film, through every window."""

import re

import numpy as np
import pytest
from PIL import Image

from video_files import EXAMPLES, write_still_video, two_faces
from windows import WINDOWS

#: Shares may differ by what is lost when they are written down.
CLOSE = 1e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One face, many faces, none; and a text that calls itself a picture."""
    folder = tmp_path_factory.mktemp("parity")
    (folder / "one.jpg").write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    many = np.array(Image.open(EXAMPLES / "portraits.jpg").convert("RGB"))
    Image.fromarray(np.vstack([many, many[:, ::-1], many])).save(folder / "many.png")
    across = np.linspace(90, 160, 320, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(across[None, :, None], (240, 320, 3)).copy()).save(folder / "none.png")
    (folder / "broken.jpg").write_text("This is not a picture.")
    return folder


@pytest.fixture(scope="module")
def film(folder):
    return write_still_video(folder / "clip.mp4", two_faces(), 1.5)


@pytest.fixture(scope="module", params=WINDOWS)
def window(request, folder, tmp_path_factory):
    with WINDOWS[request.param](tmp_path_factory.mktemp("window")) as window:
        yield window


@pytest.fixture(scope="module")
def known(folder, film, tmp_path_factory):
    """What the library says, which every other window must say too."""
    with WINDOWS["library"](tmp_path_factory.mktemp("library")) as library:
        return library.pictures(paths(folder)), library.film(film)


def paths(folder):
    return [folder / name for name in ("one.jpg", "many.png", "none.png")]


def test_the_pictures_are_what_they_are_called(known):
    assert [len(picture["faces"]) for picture in known[0]] == [1, 6, 0]
    assert len({row["person"] for row in known[1]}) == 2
    assert len({row["frame"] for row in known[1]}) >= 12


def test_every_window_reads_the_same_in_pictures(window, folder, known):
    read = window.pictures(paths(folder))
    assert len(read) == 3
    for mine, told in zip(read, known[0], strict=True):
        assert [mine["size"], mine["detector"], mine["model"]] == [told["size"], told["detector"], told["model"]]
        assert len(mine["faces"]) == len(told["faces"])
        for face, expected in zip(mine["faces"], told["faces"], strict=True):
            same(face, expected)


def same(face, expected):
    """One face in all that is said of it: its place, every label in order, every share, doubts and quality."""
    assert list(face["box"]) == list(expected["box"])
    for shares in ("scores", "votes", "mixture"):
        assert list(face[shares]) == list(expected[shares])
        assert list(face[shares].values()) == pytest.approx(list(expected[shares].values()), abs=CLOSE)
    for fact in ("emotion", "uncertain", "quality", "track"):
        assert face[fact] == expected[fact]
    assert face["detection"] == pytest.approx(expected["detection"], abs=CLOSE)


def test_a_picture_without_a_face_is_said_to_have_none(window, folder):
    assert re.search(r"no face (was )?found", window.nothing(folder / "none.png"), re.IGNORECASE)


def test_a_file_that_is_no_picture_gets_the_same_sentence(window, folder):
    _, broken = window.pictures([folder / "one.jpg", folder / "broken.jpg"])
    said = broken["error"].replace(str(folder / "broken.jpg"), "broken.jpg")
    assert said == (
        "'broken.jpg' is text, not an image that mien reads. An image was expected: JPEG, PNG, WebP, GIF, TIFF, BMP, "
        "AVIF, HEIC, JPEG 2000, PNM. Open it in the program it comes from and save it as PNG or JPEG."
    )


def test_every_window_reads_the_same_in_a_film(window, film, known):
    rows = window.film(film)
    assert rows == known[1]
