"""Explanations of images: faces by number, landmarks and regions on the crop, counterfactuals, JSON and arrays."""

import gc
import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector
from mien import Engine
from mien.errors import ArrayError, MienError, SourceMissing
from mien.explain.perturbation import blur_face
from mien.explain.regions import REGIONS, build_region_map, measure_regions
from mien.faces.crop import Framing, crop_face, locate_crop, map_landmarks_to_crop
from mien.faces.detectors import load_detector
from mien.images import load_image
from mien.models import load_classifier, resolve_model
from mien.results import Box, Face, Point
from patch_network import LEFT, LENGTH, SIDE, TOP, build_patch_network, make_patch_faces

EXAMPLES = Path(__file__).parents[2] / "examples"
HOPPER, PORTRAITS = EXAMPLES / "hopper.jpg", EXAMPLES / "portraits.jpg"
MOUTH = REGIONS.index("mouth")


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def explanations(base):
    """Of an image with two faces, with all methods and layers."""
    return base.explain_image(PORTRAITS, methods="cam,occlusion,rise", layers="all")


def test_faces_are_explained_in_the_order_of_the_readings(base, explanations):
    result = base.read(PORTRAITS)
    assert [each.number for each in explanations] == [1, 2]
    assert tuple(each.face for each in explanations) == result.faces
    assert [each.emotions for each in explanations] == [reading.emotions for reading in result]
    assert [each.quality for each in explanations] == [reading.quality for reading in result]
    assert {(each.source, each.size, each.detector, each.model) for each in explanations} == {
        (str(PORTRAITS), result.size, "haar", "base")
    }


def test_one_face_is_selected_by_its_number(base, explanations):
    (second,) = base.explain_image(PORTRAITS, 2, methods=(), layers=())
    assert second.number == 2
    np.testing.assert_array_equal(second.crop, explanations[1].crop)
    for number in (0, 3, -1):
        with pytest.raises(MienError, match=f"no face number {number} in .*There are 2 faces"):
            base.explain_image(PORTRAITS, number)


def test_image_without_a_face_has_no_explanation(base):
    assert base.explain_image(np.zeros((90, 90, 3), np.uint8)) == ()
    with pytest.raises(MienError, match="There are 0 faces"):
        base.explain_image(np.zeros((90, 90, 3), np.uint8), 1)


@pytest.mark.parametrize(
    "options",
    [
        {"methods": "cma"},
        {"layers": "steam"},
        {"target": "hapy"},
        {"versus": "hapy"},
        {"target": "sad", "versus": "sad"},
    ],
)
def test_unknown_names_are_errors_also_without_a_face(base, options):
    with pytest.raises(MienError):
        base.explain_image(np.zeros((90, 90, 3), np.uint8), **options)


def test_crop_of_a_face_is_the_explained_crop(base, explanations):
    pixels = load_image(PORTRAITS).pixels
    for each in explanations:
        assert base.activations(base.crop(pixels, each.face)).emotions == each.emotions


def test_top_activating_faces_have_the_highest_mean_activation(base):
    crops = np.random.default_rng(0).integers(0, 256, (70, 48, 48)).astype(np.uint8)
    best = base.top_activating(crops, "stem", [0, 5, 31], count=4)
    strength = np.stack([base.explain(crop, (), "stem").layers[0].activations.mean(axis=(1, 2)) for crop in crops])
    for channel, indices in best.items():
        # Compared by strength: rounding decides between two faces of equal strength.
        expected = [each for each in np.sort(strength[:, channel])[::-1][:4] if each > 0]
        assert strength[list(indices), channel].tolist() == pytest.approx(expected)
    assert base.top_activating(crops[:0], "stem", [3]) == {3: ()}
    with pytest.raises(MienError, match="no layer 'stems'"):
        base.top_activating(crops, "stems", [0])


def test_explanation_is_plain_json(explanations):
    for each in explanations:
        values = json.loads(json.dumps(each.to_dict(), allow_nan=False))
        assert [saliency["method"] for saliency in values["maps"]] == ["cam", "occlusion", "rise"]
        assert values["number"] == each.number
        assert values["scores"] == dict(each.emotions.scores)
        assert values["counterfactual"] == each.counterfactual._asdict()
        assert set(values["placement"]) == {"left", "top", "side", "angle"}
        assert set(values["layers"][0]["receptive_field"]) == {"size", "stride", "offset_y", "offset_x"}


def test_arrays_can_be_saved_as_npz(explanations):
    file = io.BytesIO()
    np.savez_compressed(file, **explanations[0].arrays())
    file.seek(0)
    arrays = np.load(file)
    np.testing.assert_array_equal(arrays["map.cam"], explanations[0].maps[0].map)
    np.testing.assert_array_equal(arrays["layer.stem"], explanations[0].layer("stem").activations)
    assert {"crop", "region_map", "kernels", "map.occlusion", "map.rise"} <= set(arrays.files)


def test_layer_that_is_not_part_of_the_explanation_is_a_key_error(explanations):
    with pytest.raises(KeyError):
        explanations[0].layer("stage9")


def test_evidence_of_the_regions_adds_up_to_one(explanations):
    for each in explanations:
        assert [regions.method for regions in each.regions] == ["cam", "occlusion", "rise"]
        for regions in each.regions:
            assert {name for name, _ in regions.evidence} == set(REGIONS)
            assert sum(part for _, part in regions.evidence) == pytest.approx(1, abs=1e-3)
            assert regions.basis == "mean geometry"
            assert regions.top.score == max(part for _, part in regions.evidence)


@pytest.mark.parametrize("side", [24, 48, 96])
def test_regions_are_in_the_order_of_a_face(side):
    regions = build_region_map(side)
    rows = {name: np.mean(np.nonzero(regions == REGIONS.index(name))[0]) / side for name in REGIONS}
    assert rows["brows"] < rows["eyes"] < rows["nose"] < rows["mouth"]
    assert all((regions == index).any() for index in range(len(REGIONS)))
    np.testing.assert_array_equal(regions == MOUTH, (regions == MOUTH)[:, ::-1])


@pytest.mark.parametrize("x", [0.0, 24.0, 47.0])
def test_equal_landmarks_still_give_a_region_map(x):
    regions = build_region_map(48, [Point(x, x)] * 5)
    assert regions.shape == (48, 48)
    assert regions.max() < len(REGIONS)


def test_map_without_evidence_has_no_regions(explanations):
    empty = replace(explanations[0].maps[0], map=np.zeros((48, 48), np.float32))
    regions = measure_regions(empty, build_region_map(48), "mean geometry")
    assert (regions.evidence, regions.top) == ((), None)


def test_regions_follow_the_landmarks_of_a_rotated_face(yunet_file):
    engine = Engine(load_classifier(resolve_model("base")), load_detector("yunet", yunet=yunet_file))
    upright = engine.explain_image(HOPPER)[0]
    assert upright.regions[0].basis == "landmarks"
    assert upright.placement.angle == 0
    pixels = load_image(HOPPER).pixels
    height, width = pixels.shape[:2]
    for angle in (-28, 28):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        [rotated] = engine.explain_image(
            cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), 1
        )
        assert abs(rotated.placement.angle) > 15
        # The crop is rotated upright, so the regions are about where they are in the upright face.
        mouths = [np.mean(np.nonzero(each.region_map == MOUTH), axis=1) for each in (upright, rotated)]
        assert np.abs(mouths[0] - mouths[1]).max() < 7


@pytest.mark.parametrize("angle", [0, 10, 35, -35])
def test_landmarks_on_the_crop_are_where_the_pixels_are(angle):
    """A dot is painted at each landmark; in the crop its centre of mass is at the mapped landmark."""
    radians = np.deg2rad(angle)
    right, down = np.array([np.cos(radians), np.sin(radians)]), np.array([-np.sin(radians), np.cos(radians)])
    centre = np.array([152.0, 131.0])
    points = [centre + x * right + y * down for x, y in ((-30, -20), (30, -20), (0, 5), (-20, 34), (20, 34))]
    face = Face(Box(92, 71, 120, 120), 1.0, tuple(Point(*point) for point in points))
    framing = Framing(1.1, 0.0, -0.02)
    assert locate_crop(face, framing)[3] == (pytest.approx(angle) if abs(angle) > 15 else 0)
    for point, mapped in zip(points, map_landmarks_to_crop(face, framing, 96), strict=True):
        pixels = np.zeros((260, 300, 3), np.uint8)
        cv2.circle(pixels, tuple(round(float(v) * 16) for v in point), 5 * 16, (255, 255, 255), -1, shift=4)
        crop = crop_face(pixels, face, framing, 96)[..., 0].astype(float)
        y, x = np.indices(crop.shape)
        assert (crop * x).sum() / crop.sum() == pytest.approx(mapped.x, abs=1)
        assert (crop * y).sum() / crop.sum() == pytest.approx(mapped.y, abs=1)


def test_counterfactual_changes_the_prediction(base, explanations):
    for each in explanations:
        assert each.counterfactual_searched
        change, covered = each.counterfactual, each.crop.copy()
        blurred = blur_face(each.crop[..., None])[..., 0]
        box = np.s_[change.y : change.y + change.height, change.x : change.x + change.width]
        covered[box] = blurred[box]
        scores = dict(zip(base.labels, base.score(covered[None])[0], strict=True))
        assert max(scores, key=scores.get) == change.emotion != each.emotions.top
        assert scores[change.emotion] == pytest.approx(change.score, abs=1e-3)
        assert change.area == pytest.approx(change.width * change.height / 48**2, abs=1e-4)


def test_counterfactual_of_the_patch_network_covers_its_patch():
    engine = Engine(load_classifier(build_patch_network()), FakeDetector())
    change = engine.explain(make_patch_faces(1)[0], "occlusion").counterfactual
    assert change.area <= 2 * LENGTH**2 / SIDE**2
    assert change.x < LEFT + LENGTH
    assert change.y < TOP + LENGTH
    assert change.x + change.width > LEFT
    assert change.y + change.height > TOP


def test_prediction_that_nothing_changes_has_no_counterfactual():
    engine = Engine(FakeClassifier(), FakeDetector())
    explanation = engine.explain(np.zeros((8, 8), np.uint8), "occlusion")
    assert explanation.counterfactual_searched
    assert explanation.counterfactual is None
    assert not engine.explain(np.zeros((8, 8), np.uint8), "rise").counterfactual_searched


def test_small_face_gets_a_note():
    small = cv2.resize(cv2.imread(str(HOPPER))[..., ::-1], (20, 20), interpolation=cv2.INTER_AREA)
    engine = Engine(load_classifier(resolve_model("base")), FakeDetector((Box(2, 2, 14, 14),)))
    (explanation,) = engine.explain_image(np.ascontiguousarray(small))
    assert any("only 14 pixels wide" in note for note in explanation.notes)


@pytest.mark.parametrize(
    ("crop", "error", "message"),
    [
        (np.zeros((2, 48, 48), np.uint8), ArrayError, "shape"),
        (np.zeros((48, 48), np.float32), ArrayError, "float32"),
        (np.zeros((0, 48), np.uint8), ArrayError, "no pixels"),
        ("nowhere.jpg", SourceMissing, "nowhere"),
    ],
)
def test_wrong_crop_is_an_error(base, crop, error, message):
    with pytest.raises(error, match=message):
        base.explain(crop)
    with pytest.raises(error, match=message):
        base.activations(crop)


def test_crop_may_be_a_file(base, tmp_path, explanations):
    cv2.imwrite(str(tmp_path / "crop.png"), explanations[0].crop)
    assert base.explain(tmp_path / "crop.png", ()).emotions == explanations[0].emotions


def test_engine_stores_no_face(base):
    crop = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    explanation = base.explain(crop, "cam,occlusion")
    copy = explanation.crop.copy()
    del explanation
    gc.collect()
    assert not any(
        isinstance(each, np.ndarray) and each.dtype == np.uint8 and each.shape == (48, 48) and (each == copy).all()
        for each in gc.get_objects()
        if each is not copy and each is not crop
    )
