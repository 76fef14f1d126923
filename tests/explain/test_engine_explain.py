"""Explanations of whole pictures: faces by number, landmarks and regions in the crop, what would change the answer."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector
from known import LEFT, LENGTH, SIDE, TOP, faces, known_model
from mien import Engine
from mien.errors import ArrayError, MienError, SourceMissing
from mien.explain.perturbation import blur_face
from mien.explain.regions import REGIONS, build_region_map, measure_regions
from mien.faces.crop import Framing, crop_face, locate_crop, map_landmarks_to_crop
from mien.models import load_classifier
from mien.results import Box, Face, Point

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS = EXAMPLES / "portraits.jpg"


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def told(base):
    return base.explain_image(PORTRAITS, methods="cam,occlusion,rise", layers="all")


def test_every_face_is_explained_in_the_order_of_the_reading(base, told):
    result = base.read(PORTRAITS)
    assert [each.number for each in told] == [1, 2]
    assert tuple(each.face for each in told) == result.faces
    assert [each.emotions for each in told] == [reading.emotions for reading in result]
    assert [each.quality for each in told] == [reading.quality for reading in result]
    assert {(each.source, each.size, each.detector, each.model) for each in told} == {
        (str(PORTRAITS), result.size, "haar", "base")
    }


def test_one_face_by_its_number(base, told):
    (second,) = base.explain_image(PORTRAITS, 2)
    assert second.number == 2
    np.testing.assert_array_equal(second.crop, told[1].crop)
    for number in (0, 3, -1):
        with pytest.raises(MienError, match=f"no face number {number} in .*There are 2 faces"):
            base.explain_image(PORTRAITS, number)


def test_no_face_is_an_empty_result(base):
    assert base.explain_image(np.zeros((90, 90, 3), np.uint8)) == ()
    with pytest.raises(MienError, match="There are 0 faces"):
        base.explain_image(np.zeros((90, 90, 3), np.uint8), 1)


@pytest.mark.parametrize(
    "asked",
    [
        {"methods": "cma"},
        {"layers": "steam"},
        {"target": "hapy"},
        {"versus": "hapy"},
        {"target": "sad", "versus": "sad"},
    ],
)
def test_wrong_words_are_refused_even_where_there_is_no_face(base, asked):
    with pytest.raises(MienError):
        base.explain_image(np.zeros((90, 90, 3), np.uint8), **asked)


def test_the_crop_of_a_face_is_what_was_explained(base, told):
    from mien.images import load_image

    pixels = load_image(PORTRAITS).pixels
    for each in told:
        assert base.activations(base.crop(pixels, each.face)).emotions == each.emotions


def test_what_excites_a_channel_are_the_faces_on_which_it_is_strongest(base):
    crops = np.random.default_rng(0).integers(0, 256, (70, 48, 48)).astype(np.uint8)
    found = base.top_activating(crops, "stem", [0, 5, 31], count=4)
    strength = np.stack([base.explain(crop, (), "stem").layers[0].activations.mean(axis=(1, 2)) for crop in crops])
    for channel, places in found.items():
        # By their strength and not by their numbers: rounding decides between two that are equally strong.
        wanted = [each for each in np.sort(strength[:, channel])[::-1][:4] if each > 0]
        assert strength[list(places), channel].tolist() == pytest.approx(wanted)
    assert base.top_activating(crops[:0], "stem", [3]) == {3: ()}
    with pytest.raises(MienError, match="no layer 'stems'"):
        base.top_activating(crops, "stems", [0])


def test_everything_is_plain_json(told):
    for each in told:
        again = json.loads(json.dumps(each.to_dict(), allow_nan=False))
        assert [found["method"] for found in again["maps"]] == ["cam", "occlusion", "rise"]
        assert again["number"] == each.number
        assert again["scores"] == dict(each.emotions.scores)
        assert len(again["layers"]) == len(each.layers)


def test_every_array_goes_into_an_npz_file(told):
    file = io.BytesIO()
    np.savez_compressed(file, **told[0].arrays())
    file.seek(0)
    again = np.load(file)
    np.testing.assert_array_equal(again["map.cam"], told[0].maps[0].map)
    np.testing.assert_array_equal(again["layer.stem"], told[0].layer("stem").activations)
    assert {"crop", "region_map", "kernels", "map.occlusion", "map.rise"} <= set(again.files)


def test_a_layer_that_was_not_asked_for_is_a_key_error(told):
    with pytest.raises(KeyError):
        told[0].layer("stage9")


def test_shares_of_the_regions_make_one(told):
    for each in told:
        assert [where.method for where in each.regions] == ["cam", "occlusion", "rise"]
        for where in each.regions:
            assert {name for name, _ in where.evidence} == set(REGIONS)
            assert sum(share for _, share in where.evidence) == pytest.approx(1, abs=1e-3)
            assert where.basis == "mean geometry"
            assert where.top.score == max(share for _, share in where.evidence)


def test_every_region_is_where_it_belongs():
    for side in (24, 48, 96):
        where = build_region_map(side)
        rows = {name: np.mean(np.nonzero(where == REGIONS.index(name))[0]) / side for name in REGIONS}
        assert rows["brows"] < rows["eyes"] < rows["nose"] < rows["mouth"]
        assert all((where == i).any() for i in range(len(REGIONS)))
        np.testing.assert_array_equal(where == 4, (where == 4)[:, ::-1])


@pytest.mark.parametrize("x", [0.0, 24.0, 47.0])
def test_landmarks_in_one_place_still_make_a_map(x):
    where = build_region_map(48, [Point(x, x)] * 5)
    assert where.shape == (48, 48)
    assert where.max() < len(REGIONS)


def test_a_map_without_evidence_has_no_regions(told):
    from dataclasses import replace

    empty = replace(told[0].maps[0], map=np.zeros((48, 48), np.float32))
    where = measure_regions(empty, build_region_map(48), "mean geometry")
    assert (where.evidence, where.top) == ((), None)


def test_the_regions_follow_the_landmarks(yunet_file):
    from mien.faces.detectors import load_detector
    from mien.models import resolve_model

    engine = Engine(load_classifier(resolve_model("base")), load_detector("yunet", yunet=yunet_file))
    straight = engine.explain_image(EXAMPLES / "hopper.jpg")[0]
    assert straight.regions[0].basis == "landmarks"
    assert straight.placement.angle == 0
    picture = cv2.cvtColor(cv2.imread(str(EXAMPLES / "hopper.jpg")), cv2.COLOR_BGR2RGB)
    height, width = picture.shape[:2]
    for lean in (-28, 28):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), lean, 1)
        leaning = engine.explain_image(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT))
        assert abs(leaning[0].placement.angle) > 15
        # Levelled, the regions lie about where they lie in the straight face.
        mouth = [np.mean(np.nonzero(each.region_map == 4), axis=1) for each in (straight, leaning[0])]
        assert np.abs(mouth[0] - mouth[1]).max() < 7


@pytest.mark.parametrize("lean", [0, 10, 35, -35])
def test_landmarks_are_found_again_in_the_crop(lean):
    """Paint dots on a picture, cut the face, and look where the dots are."""
    turn = np.deg2rad(lean)
    across, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array([152.0, 131.0])
    places = [middle + a * across + d * down for a, d in ((-30, -20), (30, -20), (0, 5), (-20, 34), (20, 34))]
    face = Face(Box(92, 71, 120, 120), 1.0, tuple(Point(*place) for place in places))
    framing = Framing(1.1, 0.0, -0.02)
    assert locate_crop(face, framing)[3] == (pytest.approx(lean) if abs(lean) > 15 else 0)
    for place, point in zip(places, map_landmarks_to_crop(face, framing, 96), strict=True):
        picture = np.zeros((260, 300, 3), np.uint8)
        cv2.circle(picture, tuple(round(float(v) * 16) for v in place), 5 * 16, (255, 255, 255), -1, shift=4)
        crop = crop_face(picture, face, framing, 96)[..., 0].astype(float)
        y, x = np.indices(crop.shape)
        assert (crop * x).sum() / crop.sum() == pytest.approx(point.x, abs=1)
        assert (crop * y).sum() / crop.sum() == pytest.approx(point.y, abs=1)


def test_the_smallest_flip_flips(base, told):
    for each in told:
        assert each.counterfactual_searched
        counterfactual, covered = each.counterfactual, each.crop.copy()
        soft = blur_face(each.crop[..., None])[..., 0]
        where = np.s_[
            counterfactual.y : counterfactual.y + counterfactual.height,
            counterfactual.x : counterfactual.x + counterfactual.width,
        ]
        covered[where] = soft[where]
        shares = dict(zip(base.labels, base.score(covered[None])[0], strict=True))
        assert max(shares, key=shares.get) == counterfactual.emotion != each.emotions.top
        assert shares[counterfactual.emotion] == pytest.approx(counterfactual.score, abs=1e-3)
        assert counterfactual.area == pytest.approx(counterfactual.width * counterfactual.height / 48**2, abs=1e-4)


def test_the_flip_of_the_known_network_lies_on_its_patch():
    engine = Engine(load_classifier(known_model()), FakeDetector())
    counterfactual = engine.explain(faces(1)[0], "occlusion").counterfactual
    assert counterfactual.area <= 2 * LENGTH**2 / SIDE**2
    assert counterfactual.x < LEFT + LENGTH
    assert counterfactual.y < TOP + LENGTH
    assert counterfactual.x + counterfactual.width > LEFT
    assert counterfactual.y + counterfactual.height > TOP


def test_what_nothing_changes_has_no_flip():
    engine = Engine(FakeClassifier(), FakeDetector())
    told = engine.explain(np.zeros((8, 8), np.uint8), "occlusion")
    assert told.counterfactual_searched
    assert told.counterfactual is None
    assert not engine.explain(np.zeros((8, 8), np.uint8), "rise").counterfactual_searched


def test_a_tiny_face_is_said_to_be_tiny(base):
    small = cv2.resize(cv2.imread(str(EXAMPLES / "hopper.jpg"))[..., ::-1], (20, 20), interpolation=cv2.INTER_AREA)
    engine = Engine(base._classifier, FakeDetector((Box(2, 2, 14, 14),)))
    (told,) = engine.explain_image(np.ascontiguousarray(small))
    assert any("only 14 pixels wide" in note for note in told.notes)


@pytest.mark.parametrize(
    ("crop", "error", "said"),
    [
        (np.zeros((2, 48, 48), np.uint8), ArrayError, "no picture"),
        (np.zeros((48, 48), np.float32), ArrayError, "float32"),
        (np.zeros((0, 48), np.uint8), ArrayError, "no pixels"),
        ("nowhere.jpg", SourceMissing, "nowhere"),
    ],
)
def test_what_is_no_crop_is_refused(base, crop, error, said):
    with pytest.raises(error, match=said):
        base.explain(crop)
    with pytest.raises(error, match=said):
        base.activations(crop)


def test_one_crop_may_come_as_a_file(base, tmp_path, told):
    cv2.imwrite(str(tmp_path / "crop.png"), told[0].crop)
    assert base.explain(tmp_path / "crop.png").emotions == told[0].emotions


def test_the_engine_keeps_no_face(base):
    """What stays behind after many faces is the sessions, and no array of a face."""
    import gc

    crop = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    told = base.explain(crop, "cam,occlusion")
    kept = told.crop.copy()
    del told
    gc.collect()
    assert not any(
        isinstance(each, np.ndarray) and each.dtype == np.uint8 and each.shape == (48, 48) and (each == kept).all()
        for each in gc.get_objects()
        if each is not kept and each is not crop
    )
