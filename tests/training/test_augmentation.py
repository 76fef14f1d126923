"""Augmentation: nothing where nothing is asked for, the named change where it is, always a face of 0 to 255."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import synthetic
from mien.training.recipe import NO_AUGMENTATION as OFF
from mien.training.recipe import AugmentationSettings

keras = pytest.importorskip("keras")
augment = pytest.importorskip("mien.training.augmentation")
pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(70, seed=2).pixels[..., None].astype(np.float32)


def seed():
    return keras.random.SeedGenerator(7)


def test_nothing_asked_for_changes_nothing(faces):
    assert np.allclose(augment.varied(faces, OFF, seed()), faces, atol=1e-2)


def test_the_seed_decides(faces):
    first, again = (np.asarray(augment.varied(faces, AugmentationSettings(), seed())) for _ in range(2))
    assert np.array_equal(first, again)
    generator = seed()
    assert not np.array_equal(*(np.asarray(augment.varied(faces, AugmentationSettings(), generator)) for _ in range(2)))


def test_everything_at_once_stays_a_face(faces):
    seen = np.asarray(augment.varied(faces, AugmentationSettings(), seed()))
    assert seen.shape == faces.shape
    assert seen.min() >= 0
    assert seen.max() <= 255
    assert np.mean(np.abs(seen - faces) > 1) > 0.5


def test_half_of_the_faces_are_mirrored_and_no_more(faces):
    seen = np.asarray(augment.turned(faces, replace(OFF, flip=True), seed()))
    kept = np.abs(seen - faces).max((1, 2, 3)) < 0.01
    mirrored = np.abs(seen - faces[:, :, ::-1]).max((1, 2, 3)) < 0.01
    assert (kept ^ mirrored).all()
    assert 0.25 < mirrored.mean() < 0.75


def test_a_quarter_turn_and_a_shift_go_where_they_should():
    face = np.zeros((1, 48, 48, 1), np.float32)
    face[0, 10, 20] = 255
    one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
    moved = augment._matrix(none, one, 3 * one, -2 * one, one)
    seen = keras.ops.image.affine_transform(face, moved, "bilinear", "nearest")
    assert np.argwhere(np.asarray(seen)[0, :, :, 0] > 200).tolist() == [[12, 17]]
    turned = augment._matrix(one * np.pi / 2, one, none, none, one)
    seen = keras.ops.image.affine_transform(face, turned, "bilinear", "nearest")
    assert np.argwhere(np.asarray(seen)[0, :, :, 0] > 200).tolist() == [[47 - 20, 10]]


@pytest.mark.parametrize("quality", [10, 30, 60])
def test_compression_is_what_a_jpeg_leaves(faces, quality):
    some = np.round(faces[:8])
    ours = np.asarray(augment.compressed(some, seed(), quality, quality + 1e-3))
    theirs = np.stack([_jpeg(face[..., 0].astype(np.uint8), quality) for face in some])
    assert np.abs(ours[..., 0] - theirs).mean() < 1.0
    assert np.abs(some[..., 0] - theirs).mean() > 1.2 * np.abs(ours[..., 0] - theirs).mean()


def _jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32)


def test_blur_and_smallness_take_detail_and_leave_flat_areas(faces):
    flat = np.full((2, 48, 48, 1), 90, np.float32)
    for change in (lambda some: augment.blurred(some, seed()), lambda some: augment.shrunk(some, 20)):
        assert np.allclose(change(flat), 90, atol=0.01)
        assert _detail(np.asarray(change(faces))) < 0.8 * _detail(faces)


def _detail(faces):
    return np.abs(np.diff(faces, axis=2)).mean()


def test_erasing_covers_a_rectangle_with_one_gray():
    flat = np.full((40, 48, 48, 1), -1, np.float32)
    seen = np.asarray(augment.erased(flat, 1.0, seed()))[..., 0]
    for face in seen:
        covered = face >= 0
        rows, columns = covered.any(1), covered.any(0)
        assert np.array_equal(covered, np.outer(rows, columns))
        assert len(np.unique(face[covered])) <= 1
    assert 0.01 < (seen >= 0).mean() < 0.2


def test_dark_faces_are_darker_and_some():
    flat = np.full((200, 48, 48, 1), 200, np.float32)
    seen = np.asarray(augment.lit(flat, replace(OFF, dark_part=0.25), seed()))[:, 0, 0, 0]
    assert 0.1 < (seen < 130).mean() < 0.4
    assert set(seen[seen >= 130]) == {200}


def test_mixing_blends_faces_and_targets_alike(faces):
    shares = np.eye(70, dtype=np.float32)
    blended, [targets] = augment.mixed(faces, [shares], 0.4, seed())
    targets = np.asarray(targets)
    assert np.allclose(targets.sum(1), 1, atol=1e-5)
    assert (np.diag(targets) >= 0.5).all()
    assert np.allclose(np.asarray(blended)[..., 0], np.einsum("ij,jhw->ihw", targets, faces[..., 0]), atol=0.05)


def test_pasting_takes_a_square_of_the_neighbour_and_its_part_of_the_target(faces):
    shares = np.eye(70, dtype=np.float32)
    pasted, [targets] = augment.pasted(faces, [shares], 1.0, seed())
    pasted, targets = np.asarray(pasted)[..., 0], np.asarray(targets)
    assert np.allclose(targets.sum(1), 1, atol=1e-5)
    for place, face in enumerate(pasted):
        mine, theirs = faces[place, ..., 0], faces[place - 1, ..., 0]
        changed = face != mine
        assert np.array_equal(face[changed], theirs[changed])
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if len(rows):
            square = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / 48**2
            assert targets[place, place - 1] == pytest.approx(square, abs=0.06)
    assert 0.1 < np.mean(np.diag(targets)) < 0.95


def test_mixing_and_pasting_have_half_of_the_batch_each(faces):
    both = replace(OFF, mixup=5.0, cutmix=5.0)
    seen, [targets] = augment.blended(faces, [np.eye(70, dtype=np.float32)], both, seed())
    whole = np.isin(np.asarray(seen), faces).mean((1, 2, 3))
    assert np.asarray(targets)[:35, 35:].max() == 0
    assert (whole[35:] == 1).all()
    assert whole[:35].mean() < 0.9
    for settings in (replace(OFF, mixup=5.0), replace(OFF, cutmix=5.0)):
        alone, _ = augment.blended(faces, [], settings, seed())
        assert (np.isin(np.asarray(alone), faces).mean() == 1) == bool(settings.cutmix)


def test_the_end_of_a_batch_becomes_nothing_in_particular(faces):
    shares, votes = np.eye(7, dtype=np.float32)[np.arange(70) % 7], np.zeros((70, 8), np.float32)
    emptied, targets = augment.emptied(faces, [shares, votes], 0.1, seed())
    assert np.array_equal(np.asarray(emptied)[:63], faces[:63])
    assert np.abs(np.asarray(emptied)[63:] - faces[63:]).mean() > 5
    for target, before in zip(targets, (shares, votes), strict=True):
        assert np.array_equal(np.asarray(target)[:63], before[:63])
        assert np.allclose(np.asarray(target)[63:], 1 / before.shape[1])


def test_a_part_too_small_for_one_face_changes_nothing(faces):
    emptied, [targets] = augment.emptied(faces, [faces[:, 0, :7, 0]], 0.001, seed())
    assert emptied is faces
    assert np.array_equal(targets, faces[:, 0, :7, 0])


def test_a_jumble_has_the_same_squares_in_another_order(faces):
    seen = np.asarray(augment.jumbled(faces[:3], seed()))

    def squares(face):
        return [face[y : y + 8, x : x + 8].tobytes() for y in range(0, 48, 8) for x in range(0, 48, 8)]

    for before, after in zip(faces[:3, ..., 0], seen[..., 0], strict=True):
        assert sorted(squares(before)) == sorted(squares(after))
        assert squares(before) != squares(after)


def test_textures_are_of_many_kinds():
    seen = np.asarray(augment.textures(60, seed()))
    assert seen.shape == (60, 48, 48, 1)
    assert (seen.min(), seen.max()) >= (0, 200)
    assert seen.max() <= 255
    assert np.ptp(seen.mean((1, 2, 3))) > 150
    assert np.ptp(seen.std((1, 2, 3))) > 30


def test_some_textures_run_in_one_direction_and_not_all_in_the_same():
    seen = np.asarray(augment.textures(200, seed()))[..., 0]
    across, down = (np.abs(np.diff(seen, axis=axis)).mean((1, 2)) + 0.1 for axis in (2, 1))
    assert (across / down).max() > 2
    assert (down / across).max() > 2
