"""The same results everywhere: three images, a file that is no image, and a short video, through every app."""

import re

import numpy as np
import pytest
from PIL import Image

from mien import Engine
from video_files import EXAMPLES, two_faces, write_shots, write_still_video
from windows import QUICK_WINDOWS, WINDOWS, open_library, summary_lines

#: Scores may differ by the rounding of their text.
TOLERANCE = 1e-6

NAMES = [name if name in QUICK_WINDOWS else pytest.param(name, marks=pytest.mark.full) for name in WINDOWS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images with one face, several faces and none; and a text file with the name of an image."""
    folder = tmp_path_factory.mktemp("parity")
    (folder / "one.jpg").write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    portraits = np.array(Image.open(EXAMPLES / "portraits.jpg").convert("RGB"))
    Image.fromarray(np.vstack([portraits, portraits[:, ::-1], portraits])).save(folder / "many.png")
    gradient = np.linspace(90, 160, 320, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(gradient[None, :, None], (240, 320, 3)).copy()).save(folder / "none.png")
    (folder / "broken.jpg").write_text("This is not a picture.")
    return folder


@pytest.fixture(scope="module")
def images(folder):
    return [folder / name for name in ("one.jpg", "many.png", "none.png")]


@pytest.fixture(scope="module")
def video(folder):
    return write_still_video(folder / "clip.mp4", two_faces(), 1.5)


@pytest.fixture(scope="module", params=NAMES)
def window(request, tmp_path_factory):
    with WINDOWS[request.param](tmp_path_factory.mktemp("window")) as window:
        yield window


@pytest.fixture(scope="module")
def expected_results(images, tmp_path_factory):
    with open_library(tmp_path_factory.mktemp("library")) as library:
        return library.read_images(images)


@pytest.fixture(scope="module")
def expected_rows(video, tmp_path_factory):
    with open_library(tmp_path_factory.mktemp("library")) as library:
        return library.analyze_video(video)


@pytest.fixture(scope="module")
def video_with_cuts(folder):
    """Two shots with two faces each, and a shot without a face."""
    faces = two_faces()
    return write_shots(folder / "cuts.mp4", [faces, np.full_like(faces, 90), faces[:, ::-1]], 0.6)


def test_the_library_finds_the_faces_of_the_images_and_of_the_video(expected_results, expected_rows):
    assert [len(result["faces"]) for result in expected_results] == [1, 6, 0]
    assert len({row["track"] for row in expected_rows}) == 2
    assert len({row["frame"] for row in expected_rows}) >= 12


def test_every_window_has_the_same_results_for_images(window, images, expected_results):
    results = window.read_images(images)
    assert len(results) == len(expected_results)
    for result, expected in zip(results, expected_results, strict=True):
        facts = ("size", "detector", "model")
        assert [result[fact] for fact in facts] == [expected[fact] for fact in facts]
        assert len(result["faces"]) == len(expected["faces"])
        for face, expected_face in zip(result["faces"], expected["faces"], strict=True):
            check_face(face, expected_face)


def check_face(face, expected):
    """All values of a face: the box, every label in order with its score, uncertainty and quality."""
    assert list(face["box"]) == list(expected["box"])
    for scores in ("scores", "votes", "mixture"):
        assert list(face[scores]) == list(expected[scores])
        assert list(face[scores].values()) == pytest.approx(list(expected[scores].values()), abs=TOLERANCE)
    for fact in ("emotion", "uncertain", "quality", "track"):
        assert face[fact] == expected[fact]
    assert face["detection"] == pytest.approx(expected["detection"], abs=TOLERANCE)


def test_every_window_reports_an_image_without_a_face(window, folder):
    assert re.search(r"no face (was )?found", window.no_face_text(folder / "none.png"), re.IGNORECASE)


def test_every_window_has_the_same_message_for_a_file_that_is_no_image(window, folder):
    _, broken = window.read_images([folder / "one.jpg", folder / "broken.jpg"])
    with open_library(folder) as library:
        [expected] = library.read_images([folder / "broken.jpg"])
    assert expected["error"].startswith(f"'{folder / 'broken.jpg'}' is text")
    path = str(folder / "broken.jpg")
    assert broken["error"].replace(path, "broken.jpg") == expected["error"].replace(path, "broken.jpg")


def test_every_window_has_the_same_rows_for_a_video(window, video, expected_rows):
    assert window.analyze_video(video) == expected_rows


def test_every_window_shows_the_same_summary_of_a_video(window, video_with_cuts, folder):
    expected = summary_lines(Engine.load(detector="haar"), video_with_cuts)
    assert re.fullmatch(r"1\.\d s, \d+ frames, 4 tracks, \d+ events", expected[0])
    assert len(expected) == 5
    text = re.sub(r"\s+", " ", window.video_text(video_with_cuts))
    assert [line for line in expected if line not in text] == []
