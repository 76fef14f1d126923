"""The data report: its statistics, figures and page."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from browser import open_browser
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
    """A report of drawn faces with votes, a pair of duplicates with two labels, and an unreadable row."""
    root = tmp_path_factory.mktemp("report")
    table = synthetic.write_fer2013(root / "data", 350, seed=9)
    lines = table.read_text().splitlines(keepends=True)
    lines[72] = lines[72][:2] + lines[1][2:]
    table.write_text("".join(lines) + "0,1 2,Training\n")
    with (root / "data" / "fer2013new.csv").open("a") as votes:
        votes.write("Training,," + ",".join("0" * 10) + "\n")
    source = loading.load_dataset(table.rename(table.with_name("<b>&.csv")), cached=False)
    report.write_report(report.analyze_dataset(source), root / "out")
    return root / "out"


def test_all_files_are_written_and_images_open(folder):
    written = {path.name for path in folder.iterdir()}
    figure_names = {"classes", "means", "brightness", "pca_axes", "pca", "predictions", "votes"}
    figure_names |= {"samples", "pca_faces", "duplicates", "ambiguous"}
    assert {"report.html", "report.json", *(f"{name}.png" for name in figure_names)} <= written
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) >= 48


def test_json_has_the_counts_of_the_data(folder):
    values = json.loads((folder / "report.json").read_text())
    assert values["faces"] == 350
    assert values["splits"]["Training"]["happy"] == 40
    assert values["counts"]["pixel count"] == values["counts"]["conflicting labels"] == values["duplicates"] == 1
    assert values["duplicate_examples"][0] == {"first": 0, "second": 71, "similarity": 1.0}
    assert values["votes"]["faces"] == 350
    assert values["votes"]["agreement"] > 0.95
    assert values["pca"]["majority_class_accuracy"] == pytest.approx(1 / 7, abs=0.01)


def test_page_needs_no_other_file_and_supports_dark_mode(folder):
    page = (folder / "report.html").read_text()
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page
    addresses = re.findall(r"""(?:src|href)=["']([^"']{0,30})""", page)
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not re.search(r"url\((?!#)", page)


def test_page_has_all_sections(folder):
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
    from mien.datasets.checks import PROBLEM_KINDS
    from mien.datasets.report import FINDING_MEANINGS

    assert set(PROBLEM_KINDS.values()) <= set(FINDING_MEANINGS)


def test_file_name_is_escaped_on_the_page(folder):
    page = (folder / "report.html").read_text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;.csv" in page


@pytest.mark.full
def test_report_of_one_class_without_votes_and_test_faces(faces, tmp_path):
    few = faces.take(np.flatnonzero((faces.labels == 3) & (faces.usage == "Training"))[:6])
    table = tmp_path / "few.npz"
    np.savez(table, pixels=few.pixels, emotion=few.labels, usage=few.usage)
    page, *_ = report.write_report(report.analyze_dataset(loading.load_dataset(table, cached=False)), tmp_path / "out")
    page = page.read_text()
    assert "Annotator votes" not in page
    assert "a class is empty" in page


# Numbers


def test_class_weights_make_classes_equal():
    counts = [10, 0, 30, 20, 0, 0, 0]
    weights = statistics.class_weights(counts)
    assert [count * weight for count, weight in zip(counts, weights, strict=True)] == pytest.approx(
        [20, 0, 20, 20, 0, 0, 0], abs=0.01
    )


def test_pairs_with_different_labels_come_first_and_each_face_once(faces):
    some = replace(faces, pixels=faces.pixels.copy())
    some.pixels[[7, 14]] = some.pixels[21]
    pairs = [pair for pair in statistics.measure_dataset(some).pairs if pair.similarity == 1]
    assert (pairs[0].first, pairs[0].second) == (0, 71)
    indices = [index for pair in pairs for index in (pair.first, pair.second)]
    assert len(indices) == len(set(indices))


# Votes


def faces_with_votes(*votes, labels):
    counts = np.array([[vote.get(category, 0) for category in VOTE_CATEGORIES] for vote in votes], np.int16)
    return FaceDataset(
        np.random.default_rng(0).integers(0, 256, (len(votes), 48, 48)).astype(np.uint8),
        np.array([EMOTIONS.index(label) for label in labels]),
        np.full(len(votes), "Training"),
        counts,
    )


def test_vote_statistics_of_each_label():
    faces = faces_with_votes(
        {"happy": 10},
        {"happy": 5, "neutral": 5},
        {"sad": 9, "nf": 1},
        {"sad": 2, "fear": 2, "angry": 2, "neutral": 2, "disgust": 2},
        {},
        labels=["happy", "happy", "fear", "fear", "sad"],
    )
    votes, happy = statistics.measure_votes(faces), EMOTIONS.index("happy")
    assert votes.fractions[happy, happy] == 0.75
    assert votes.class_agreement[happy] == 0.5  # a tie is no agreement
    assert (votes.faces, votes.agreement) == (4, 0.25)
    assert votes.ambiguous[0] == 3
    assert votes.contradicting == (2,)
    assert faces.votes_of(2) == {"sad": 9, "no face": 1}


# Projections


def test_standardize_removes_brightness_and_contrast(faces):
    darker = (faces.pixels[:5] // 2).astype(np.uint8)
    assert np.allclose(statistics.standardize(faces.pixels[:5]), statistics.standardize(darker), atol=0.05)


def test_first_component_is_the_largest_variation():
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(-60, 60, 48), (48, 1))
    slopes = rng.uniform(-1, 1, 200)
    pixels = np.clip(128 + slopes[:, None, None] * ramp + rng.normal(0, 5, (200, 48, 48)), 0, 255).astype(np.uint8)
    faces = FaceDataset(pixels, np.arange(200) % 7, np.full(200, "Training"), empty_votes(200))
    pixel_map = statistics.map_pixels(faces)
    assert abs(np.corrcoef(pixel_map.points[:, 0], np.sign(slopes))[0, 1]) > 0.9
    assert pixel_map.explained[0] > 0.5
    assert (pixel_map.nearest_mean, pixel_map.majority_class) == (None, None)
    assert np.array_equal(pixel_map.points, statistics.map_pixels(faces).points)


def test_nearest_mean_baseline_is_correct_for_separated_classes():
    rng = np.random.default_rng(1)
    means = rng.integers(0, 256, (7, 48, 48))
    labels = np.arange(140) % 7
    pixels = np.clip(means[labels] + rng.normal(0, 10, (140, 48, 48)), 0, 255).astype(np.uint8)
    usage = np.where(np.arange(140) < 70, "Training", "PublicTest")
    pixel_map = statistics.map_pixels(FaceDataset(pixels, labels, usage, empty_votes(140)))
    assert pixel_map.nearest_mean == 1.0


def test_classes_with_different_predictions_are_separated(faces):
    def predict(pixels):
        """Certain of the label that is written into the first pixel."""
        return np.where(np.eye(7, dtype=bool)[pixels[:, 0, 0]], 0.94, 0.01).astype(np.float32)

    some = replace(faces, pixels=faces.pixels.copy())
    some.pixels[:, 0, 0] = some.labels
    predictions = statistics.map_predictions(some, predict)
    assert (predictions.usage, predictions.accuracy) == ("PublicTest", 1.0)
    assert set(some.usage[predictions.indices]) == {"PublicTest"}
    classes = [predictions.points[predictions.labels == label] for label in range(7)]
    spread = max(points.std(0).max() for points in classes)
    assert np.ptp([points.mean(0) for points in classes], axis=0).min() > 1 > spread


# Sheets


def test_sheet_is_transparent_without_a_face():
    faces = np.full((3, 48, 48), 9, np.uint8)
    sheet = figures.draw_rows([faces[:1], faces[1:2], faces[2:]], columns=2)
    assert (sheet == 9).sum() == 3 * 48 * 48
    assert np.asarray(Image.open(io.BytesIO(figures.encode_png(sheet, 1))))[..., 1].min() == 0


def test_face_map_is_full_and_ordered():
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 48 * 48).reshape(200, 48, 48)
    points = np.stack([np.arange(200.0), np.zeros(200)], 1)
    sheet = figures.draw_face_map(pixels, points)
    assert sheet.min() >= 0
    first_row = sheet[0, ::32]
    assert np.array_equal(first_row, np.sort(first_row))


@pytest.mark.full
@pytest.mark.parametrize("width", [390, 1000, 1280])
def test_every_column_of_the_page_is_visible(folder, width):
    hidden = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth).length"
    with open_browser() as page:
        page.set_size(width, 844, phone=width < 500)
        page.open((folder / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(hidden) == 0
