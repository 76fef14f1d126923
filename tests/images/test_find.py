"""Files, folders and globs: lazily, in the order people count, each folder once."""

import os
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from mien import images
from mien.errors import SourceError, SourceMissing
from mien.results import Failure


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plant("photos", "img10.jpg", "img2.JPG", "IMG1.jpeg", "notes.txt", ".hidden.jpg", "._img1.jpg")
    plant("photos/2020", "b.png", "a.webp")
    plant("photos/.trash", "old.jpg")
    plant("photos/100", "z.gif")
    return Path("photos")


def plant(folder: str, *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (Path(folder) / name).touch()


def found(*paths) -> list[str]:
    return [each.source if isinstance(each, Failure) else each.as_posix() for each in images.find_images(paths)]


def lone_failure(path) -> Failure:
    [failure] = images.find_images([path])
    assert isinstance(failure, Failure)
    assert failure.error.expected
    return failure


def test_a_folder_in_the_order_people_count(photos):
    assert found("photos") == [
        "photos/IMG1.jpeg",
        "photos/img2.JPG",
        "photos/img10.jpg",
        "photos/100/z.gif",
        "photos/2020/a.webp",
        "photos/2020/b.png",
    ]


def test_a_hidden_folder_that_is_named_is_searched(photos):
    assert found("photos/.trash") == ["photos/.trash/old.jpg"]


def test_files_come_as_they_are_named(photos):
    named = ["photos/notes.txt", "photos/.hidden.jpg", "photos/2020/b.png", "photos/2020/b.png"]
    assert found(*named) == named


def test_a_lone_path_is_one_path(photos):
    assert list(images.find_images("photos/2020")) == list(images.find_images(Path("photos/2020")))
    assert len(list(images.find_images("photos/2020"))) == 2


@pytest.mark.parametrize(
    ("glob", "wanted"),
    [
        ("photos/*.jpg", ["img10.jpg"]),
        ("photos/*", ["IMG1.jpeg", "img2.JPG", "img10.jpg"]),
        ("photos/img?.*", ["img2.JPG"]),
        ("photos/img[0-9]*", ["img2.JPG", "img10.jpg"]),
        ("photos/*.txt", ["notes.txt"]),
        ("photos/.*.jpg", ["._img1.jpg", ".hidden.jpg"]),
        ("photos/*/b.png", ["2020/b.png"]),
        ("photos/**/*.png", ["2020/b.png"]),
        ("photos/**/*.jp*g", ["IMG1.jpeg", "img10.jpg"]),
        ("photos/**", ["IMG1.jpeg", "img2.JPG", "img10.jpg", "100/z.gif", "2020/a.webp", "2020/b.png"]),
        ("**/photos/**/[ab].*", ["2020/a.webp", "2020/b.png"]),
    ],
)
def test_globs(photos, glob, wanted):
    assert found(glob) == [f"photos/{name}" for name in wanted]


def test_a_file_with_brackets_in_its_name_is_a_file(photos):
    plant("photos", "holiday [1].jpg")
    assert found("photos/holiday [1].jpg") == ["photos/holiday [1].jpg"]


def test_an_absolute_glob(photos):
    assert found(f"{photos.resolve()}/2020/*") == [
        str(photos.resolve() / "2020" / name) for name in ("a.webp", "b.png")
    ]


def test_what_is_missing_fails_in_its_place(photos):
    results = list(images.find_images(["photos/2020/b.png", "photos/img3.jpg", "photos/100"]))
    assert [type(each) for each in results[::2]] == [type(Path())] * 2
    assert results[1].source == "photos/img3.jpg"
    assert isinstance(results[1].error, SourceMissing)
    assert results[1].error.remedy.startswith("Did you mean 'img")


def test_a_folder_without_pictures(photos):
    plant("empty/below", "notes.txt")
    assert "'empty' has no pictures in it" in str(lone_failure("empty").error)


def test_a_glob_without_pictures(photos):
    assert "'photos/*.tiff' matches no picture" in str(lone_failure("photos/*.tiff").error)
    assert "cannot be looked into" in str(lone_failure("nowhere/*.jpg").error)


@pytest.mark.parametrize("path", ["", "https://example.org/*.jpg", "null\0byte", "x" * 5000])
def test_what_is_no_path(path):
    assert isinstance(lone_failure(path).error, SourceError)


def test_links_to_folders_are_followed_but_never_in_circles(photos):
    Path("photos/2020/up").symlink_to("..")
    Path("photos/self").symlink_to(".")
    Path("photos/loop").symlink_to("loop")
    plant("elsewhere", "linked.jpg")
    Path("photos/other").symlink_to("../elsewhere")
    names = found("photos")
    assert len(names) == len(set(names)) == 7
    assert "photos/other/linked.jpg" in names
    assert len(found("photos/**/*.png")) == 1


def test_many_folders_that_link_to_each_other_take_no_time(photos):
    for i in range(12):
        plant(f"web/{i}", f"{i}.jpg")
        for j in range(12):
            Path(f"web/{i}/to{j}").symlink_to(f"../{j}")
    start = time.perf_counter()
    assert len(found("web")) == 12
    assert time.perf_counter() - start < 2


def test_links_to_pictures(photos):
    Path("photos/link.jpg").symlink_to("img10.jpg")
    Path("photos/broken.jpg").symlink_to("nothing.jpg")
    Path("photos/circle.jpg").symlink_to("circle.jpg")
    names = found("photos")
    assert "photos/link.jpg" in names
    # Not swallowed: opening them says what is wrong.
    assert "photos/broken.jpg" in names
    assert "photos/circle.jpg" in names


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_a_folder_is_no_picture(photos):
    os.mkfifo("photos/pipe.jpg")
    assert "photos/pipe.jpg" not in found("photos")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are another matter here")
def test_a_folder_that_may_not_be_entered_fails_in_its_place(photos):
    plant("photos/private", "a.jpg")
    Path("photos/private").chmod(0)
    Path().resolve().chmod(0o755)
    for parent in Path().resolve().parents[:2]:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        results = list(images.find_images(["photos"]))
    finally:
        if root:
            os.seteuid(0)
        Path("photos/private").chmod(0o755)
    failures = [each for each in results if isinstance(each, Failure)]
    assert [Path(each.source).name for each in failures] == ["private"]
    assert "cannot be looked into" in str(failures[0].error)
    assert len(results) == 7


def test_a_thousand_folders_deep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 50
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.jpg").touch()
    monkeypatch.chdir(tmp_path)
    try:
        assert found("d") == ["d/" * depth + "deep.jpg"]
    finally:
        # Deeper than shutil.rmtree can follow: what cleans up behind the tests would fail.
        for _ in range(depth):
            os.chdir("d")
        Path("deep.jpg").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()


def test_a_large_folder_starts_at_once(tmp_path):
    for i in range(4_000):
        os.close(os.open(tmp_path / f"{i}.jpg", os.O_CREAT))
    start = time.perf_counter()
    first = list(islice(images.find_images([tmp_path]), 3))
    assert time.perf_counter() - start < 0.5
    assert [each.name for each in first] == ["0.jpg", "1.jpg", "2.jpg"]


def test_nothing_is_touched_before_it_is_asked_for():
    paths = iter(["examples", "nowhere"])
    images.find_images(paths)
    assert next(paths) == "examples"
