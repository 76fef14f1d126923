"""Images in files, folders and globs: lazily, in natural order, each folder once."""

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
    create_files("photos", "img10.jpg", "img2.JPG", "IMG1.jpeg", "notes.txt", ".hidden.jpg", "._img1.jpg")
    create_files("photos/2020", "b.png", "a.webp")
    create_files("photos/.trash", "old.jpg")
    create_files("photos/100", "z.gif")
    return Path("photos")


def create_files(folder: str, *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (Path(folder) / name).touch()


def find_names(*paths) -> list[str]:
    return [each.source if isinstance(each, Failure) else each.as_posix() for each in images.find_images(paths)]


def find_failure(path) -> Failure:
    [failure] = images.find_images([path])
    assert isinstance(failure, Failure)
    assert failure.error.expected
    return failure


def test_folder_is_searched_in_natural_order(photos):
    assert find_names("photos") == [
        "photos/IMG1.jpeg",
        "photos/img2.JPG",
        "photos/img10.jpg",
        "photos/100/z.gif",
        "photos/2020/a.webp",
        "photos/2020/b.png",
    ]


def test_hidden_folder_is_searched_if_it_is_named(photos):
    assert find_names("photos/.trash") == ["photos/.trash/old.jpg"]


def test_named_files_are_returned_whatever_their_suffix(photos):
    paths = ["photos/notes.txt", "photos/.hidden.jpg", "photos/2020/b.png", "photos/2020/b.png"]
    assert find_names(*paths) == paths


def test_single_path_needs_no_list(photos):
    assert list(images.find_images("photos/2020")) == list(images.find_images(Path("photos/2020")))
    assert len(list(images.find_images("photos/2020"))) == 2


@pytest.mark.parametrize(
    ("glob", "names"),
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
def test_globs_match_images(photos, glob, names):
    assert find_names(glob) == [f"photos/{name}" for name in names]


def test_existing_file_with_brackets_is_no_glob(photos):
    create_files("photos", "holiday [1].jpg")
    assert find_names("photos/holiday [1].jpg") == ["photos/holiday [1].jpg"]


def test_glob_may_be_absolute(photos):
    assert find_names(f"{photos.resolve()}/2020/*") == [
        str(photos.resolve() / "2020" / name) for name in ("a.webp", "b.png")
    ]


def test_missing_file_is_a_failure_in_its_place(photos):
    results = list(images.find_images(["photos/2020/b.png", "photos/img3.jpg", "photos/100"]))
    assert [type(each) for each in results[::2]] == [type(Path())] * 2
    assert results[1].source == "photos/img3.jpg"
    assert isinstance(results[1].error, SourceMissing)
    assert results[1].error.remedy.startswith("Did you mean 'img")


def test_folder_without_images_is_a_failure(photos):
    create_files("empty/below", "notes.txt")
    assert "'empty' has no images" in str(find_failure("empty").error)


def test_glob_without_matches_is_a_failure(photos):
    assert "'photos/*.tiff' matches no images" in str(find_failure("photos/*.tiff").error)
    assert "cannot be listed" in str(find_failure("nowhere/*.jpg").error)


@pytest.mark.parametrize("path", ["", "https://example.org/*.jpg", "null\0byte", "x" * 5000])
def test_impossible_paths_are_failures(path):
    assert isinstance(find_failure(path).error, SourceError)


def test_links_to_folders_are_followed_once(photos):
    Path("photos/2020/up").symlink_to("..")
    Path("photos/self").symlink_to(".")
    Path("photos/loop").symlink_to("loop")
    create_files("elsewhere", "linked.jpg")
    Path("photos/other").symlink_to("../elsewhere")
    names = find_names("photos")
    assert len(names) == len(set(names)) == 7
    assert "photos/other/linked.jpg" in names
    assert len(find_names("photos/**/*.png")) == 1


def test_folders_that_link_to_each_other_are_searched_once(photos):
    for i in range(12):
        create_files(f"web/{i}", f"{i}.jpg")
        for j in range(12):
            Path(f"web/{i}/to{j}").symlink_to(f"../{j}")
    start = time.perf_counter()
    assert len(find_names("web")) == 12
    assert time.perf_counter() - start < 20  # exponential time without the check


def test_links_to_images_are_returned_even_if_broken(photos):
    Path("photos/link.jpg").symlink_to("img10.jpg")
    Path("photos/broken.jpg").symlink_to("nothing.jpg")
    Path("photos/circle.jpg").symlink_to("circle.jpg")
    names = find_names("photos")
    assert "photos/link.jpg" in names
    # They are not left out: loading them raises the error.
    assert "photos/broken.jpg" in names
    assert "photos/circle.jpg" in names


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_in_a_folder_is_left_out(photos):
    os.mkfifo("photos/pipe.jpg")
    assert "photos/pipe.jpg" not in find_names("photos")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_folder_without_permission_is_a_failure_in_its_place(photos):
    create_files("photos/private", "a.jpg")
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
    assert "cannot be listed" in str(failures[0].error)
    assert len(results) == 7


@pytest.mark.full
def test_folders_may_be_nested_deeper_than_the_recursion_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 50
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.jpg").touch()
    monkeypatch.chdir(tmp_path)
    try:
        assert find_names("d") == ["d/" * depth + "deep.jpg"]
    finally:
        # shutil.rmtree, which removes the temporary folder, cannot follow so deep.
        for _ in range(depth):
            os.chdir("d")
        Path("deep.jpg").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()


def test_images_of_a_large_folder_are_returned_lazily(tmp_path):
    for i in range(500):
        os.close(os.open(tmp_path / f"{i}.jpg", os.O_CREAT))
    first = list(islice(images.find_images([tmp_path]), 3))
    assert [path.name for path in first] == ["0.jpg", "1.jpg", "2.jpg"]


def test_search_starts_with_the_first_item():
    paths = iter(["examples", "nowhere"])
    images.find_images(paths)
    assert next(paths) == "examples"
