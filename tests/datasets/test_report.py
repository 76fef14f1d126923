"""The data report: what it measures, and what stands on its page."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import loading, report, synthetic
from mien.datasets.dataset import VOTE_CATEGORIES, FaceDataset, empty_votes
from mien.datasets.report import figures, statistics
from mien.labels import EMOTIONS


@pytest.fixture(scope="module")
def faces():
    some = synthetic.draw_faces(350, seed=9)
    some.pixels[71] = some.pixels[0]
    return some


@pytest.fixture(scope="module")
def folder(faces, tmp_path_factory):
    """A report of drawn faces: votes, one pair of twins with two labels, one row that cannot be read."""
    place = tmp_path_factory.mktemp("report")
    table = synthetic.write_fer2013(place / "data", 350, seed=9)
    lines = table.read_text().splitlines(keepends=True)
    lines[72] = lines[72][:2] + lines[1][2:]
    table.write_text("".join(lines) + "0,1 2,Training\n")
    with (place / "data" / "fer2013new.csv").open("a") as votes:
        votes.write("Training,," + ",".join("0" * 10) + "\n")
    source = loading.load_dataset(table.rename(table.with_name("<b>&.csv")), cached=False)
    report.write_report(report.analyze_dataset(source), place / "out")
    return place / "out"


def test_everything_is_written_and_every_picture_opens(folder):
    written = {path.name for path in folder.iterdir()}
    drawn_ = {"classes", "means", "light", "axes", "map", "people", "samples", "map_of_faces", "twins", "disagreement"}
    drawn_ |= {"map_of_answers"}
    assert {"report.html", "report.json", *(f"{name}.png" for name in drawn_)} <= written
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) >= 48


def test_the_numbers_say_what_was_put_in(folder):
    told = json.loads((folder / "report.json").read_text())
    assert told["faces"] == 350
    assert told["splits"]["Training"]["happy"] == 40
    assert told["counts"]["pixel count"] == told["counts"]["conflicting labels"] == told["twins"] == 1
    assert told["pairs_shown"][0] == {"one": 0, "other": 71, "likeness": 1.0}
    assert told["people"]["asked"] == 350
    assert told["people"]["agree"] > 0.95
    assert told["map"]["commonest_label_accuracy"] == pytest.approx(1 / 7, abs=0.01)


def test_the_page_stands_alone_in_light_and_dark(folder):
    page = (folder / "report.html").read_text()
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page
    addresses = re.findall(r"""(?:src|href)=["']([^"']{0,30})""", page)
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not re.search(r"url\((?!#)", page)


def test_the_page_has_every_part(folder):
    page = (folder / "report.html").read_text()
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Class distribution",
        "Random samples",
        "Mean face of each class",
        "Brightness and contrast",
        "Duplicate images",
        "Annotator votes (FER+)",
        "Projections of the faces",
        "Data checks",
    ]
    assert "row 351" in page
    assert all(label in page for label in EMOTIONS)
    assert page.count("<svg") == 7


def test_every_kind_of_finding_is_explained():
    from mien.datasets.checks import _KINDS
    from mien.datasets.report.page import FINDING_MEANINGS

    assert set(_KINDS.values()) <= set(FINDING_MEANINGS)


def test_names_from_outside_are_only_words_on_the_page(folder):
    page = (folder / "report.html").read_text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;.csv" in page


def test_a_single_class_without_votes_and_tests_makes_a_report_too(faces, tmp_path):
    few = faces.take(np.flatnonzero((faces.labels == 3) & (faces.usage == "Training"))[:6])
    table = tmp_path / "few.npz"
    np.savez(table, pixels=few.pixels, emotion=few.labels, usage=few.usage)
    written = report.write_report(report.analyze_dataset(loading.load_dataset(table, cached=False)), tmp_path / "out")
    page = written[0].read_text()
    assert "Annotator votes" not in page
    assert "a class is empty" in page


# Numbers


def test_weights_make_classes_count_the_same():
    row = [10, 0, 30, 20, 0, 0, 0]
    found = statistics.class_weights(row)
    counted = [count * weight for count, weight in zip(row, found, strict=True)]
    assert counted == pytest.approx([20, 0, 20, 20, 0, 0, 0], abs=0.01)


def test_telling_pairs_come_first_and_no_face_twice(faces):
    some = replace(faces, pixels=faces.pixels.copy())
    some.pixels[[7, 14]] = some.pixels[21]
    found = [pair for pair in statistics.measure_dataset(some).pairs if pair.likeness == 1]
    assert (found[0].one, found[0].other) == (0, 71)
    places = [place for pair in found for place in (pair.one, pair.other)]
    assert len(places) == len(set(places))


# People


def voted(*votes, labels):
    counts = np.array([[vote.get(answer, 0) for answer in VOTE_CATEGORIES] for vote in votes], np.int16)
    return FaceDataset(
        np.random.default_rng(0).integers(0, 256, (len(votes), 48, 48)).astype(np.uint8),
        np.array([EMOTIONS.index(label) for label in labels]),
        np.full(len(votes), "Training"),
        counts,
    )


def test_what_people_say_of_each_label():
    faces = voted(
        {"happy": 10},
        {"happy": 5, "neutral": 5},
        {"sad": 9, "nf": 1},
        {"sad": 2, "fear": 2, "angry": 2, "neutral": 2, "disgust": 2},
        {},
        labels=["happy", "happy", "fear", "fear", "sad"],
    )
    found = statistics.measure_votes(faces)
    assert found.answers[EMOTIONS.index("happy"), EMOTIONS.index("happy")] == 0.75
    assert found.agree[EMOTIONS.index("happy")] == 0.5  # a tie is no agreement
    assert (found.asked, found.overall) == (4, 0.25)
    assert found.torn[0] == 3
    assert found.contrary == (2,)
    assert statistics.votes_of_face(faces, 2) == {"sad": 9, "nf": 1}


# Space


def test_light_and_contrast_are_taken_out(faces):
    darker = (faces.pixels[:5] // 2).astype(np.uint8)
    assert np.allclose(statistics.standardize(faces.pixels[:5]), statistics.standardize(darker), atol=0.05)


def test_the_first_axis_is_what_was_varied_most():
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(-60, 60, 48), (48, 1))
    slopes = rng.uniform(-1, 1, 200)
    pixels = np.clip(128 + slopes[:, None, None] * ramp + rng.normal(0, 5, (200, 48, 48)), 0, 255).astype(np.uint8)
    faces = FaceDataset(pixels, np.arange(200) % 7, np.full(200, "Training"), empty_votes(200))
    found = statistics.map_pixels(faces)
    assert abs(np.corrcoef(found.points[:, 0], np.sign(slopes))[0, 1]) > 0.9
    assert found.explained[0] > 0.5
    assert (found.nearest, found.always) == (None, None)
    assert np.array_equal(found.points, statistics.map_pixels(faces).points)


def test_the_nearest_mean_is_right_where_classes_are_means():
    rng = np.random.default_rng(1)
    means = rng.integers(0, 256, (7, 48, 48))
    labels = np.arange(140) % 7
    pixels = np.clip(means[labels] + rng.normal(0, 10, (140, 48, 48)), 0, 255).astype(np.uint8)
    usage = np.where(np.arange(140) < 70, "Training", "PublicTest")
    found = statistics.map_pixels(FaceDataset(pixels, labels, usage, empty_votes(140)))
    assert found.nearest == 1.0


class Oracle:
    """Says the label that is written into the first pixel, and is sure of it."""

    def __call__(self, pixels):
        return np.where(np.eye(7, dtype=bool)[pixels[:, 0, 0]], 0.94, 0.01).astype(np.float32)


def test_what_a_network_tells_apart_stands_apart(faces, monkeypatch):
    monkeypatch.setattr(statistics.order, "shares", Oracle())
    some = replace(faces, pixels=faces.pixels.copy())
    some.pixels[:, 0, 0] = some.labels
    found = statistics.map_predictions(some)
    assert (found.usage, found.right) == ("PublicTest", 1.0)
    assert set(some.usage[found.places]) == {"PublicTest"}
    middles = np.array([found.points[found.labels == label].mean(0) for label in range(7)])
    spread = max(found.points[found.labels == label].std(0).max() for label in range(7))
    assert np.ptp(middles, axis=0).min() > 1 > spread


# Sheets


def test_a_sheet_has_paper_where_no_face_is():
    faces = np.full((3, 48, 48), 9, np.uint8)
    sheet = figures.draw_rows([faces[:1], faces[1:2], faces[2:]], columns=2)
    assert (sheet == 9).sum() == 3 * 48 * 48
    assert np.asarray(Image.open(io.BytesIO(figures.encode_png(sheet, 1))))[..., 1].min() == 0


def test_the_map_of_faces_has_no_hole_and_keeps_left_left():
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 48 * 48).reshape(200, 48, 48)
    points = np.stack([np.arange(200.0), np.zeros(200)], 1)
    sheet = figures.draw_face_map(pixels, points)
    assert sheet.min() >= 0
    first_row = sheet[0, ::32]
    assert np.array_equal(first_row, np.sort(first_row))
