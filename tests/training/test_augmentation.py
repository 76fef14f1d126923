"""Data augmentation: each operation on its own, targets of mixed faces, non-faces, and random seeds."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import synthetic
from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import augmentation  # noqa: E402


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(70, seed=2).pixels[..., None].astype(np.float32)


def make_seed():
    return keras.random.SeedGenerator(7)


def test_settings_without_augmentation_change_nothing(faces):
    assert np.allclose(augmentation.augment(faces, NO_AUGMENTATION, make_seed()), faces, atol=1e-2)


def test_same_seed_gives_the_same_faces(faces):
    first, again = (np.asarray(augmentation.augment(faces, AugmentationSettings(), make_seed())) for _ in range(2))
    assert np.array_equal(first, again)
    generator = make_seed()
    assert not np.array_equal(
        *(np.asarray(augmentation.augment(faces, AugmentationSettings(), generator)) for _ in range(2))
    )


def test_augmented_faces_have_the_same_shape_and_range(faces):
    augmented = np.asarray(augmentation.augment(faces, AugmentationSettings(), make_seed()))
    assert augmented.shape == faces.shape
    assert augmented.min() >= 0
    assert augmented.max() <= 255
    assert np.mean(np.abs(augmented - faces) > 1) > 0.25


def test_flip_mirrors_some_faces_and_leaves_the_others(faces):
    augmented = np.asarray(augmentation.transform(faces, replace(NO_AUGMENTATION, flip=True), make_seed()))
    unchanged = np.abs(augmented - faces).max((1, 2, 3)) < 0.01
    mirrored = np.abs(augmented - faces[:, :, ::-1]).max((1, 2, 3)) < 0.01
    assert (unchanged ^ mirrored).all()
    assert 0 < mirrored.mean() < 1


def test_rotation_is_about_the_centre():
    """Faces that are symmetric about the centre, but for one bright pixel: its distance from the centre remains."""
    faces = np.zeros((20, 48, 48, 1), np.float32)
    faces[:, 10:13, 19:22] = 255
    rotated = np.asarray(augmentation.transform(faces, replace(NO_AUGMENTATION, rotation=180), make_seed()))[..., 0]
    rows, columns = np.mgrid[:48, :48]
    for face in rotated:
        row, column = (np.average(index, weights=face) for index in (rows, columns))
        assert np.hypot(row - 23.5, column - 23.5) == pytest.approx(np.hypot(11 - 23.5, 20 - 23.5), abs=0.3)
    assert len({int(np.average(rows, weights=face)) for face in rotated}) > 3


def test_shift_moves_the_pixels():
    faces = np.zeros((20, 48, 48, 1), np.float32)
    faces[:, 20:28, 20:28] = 255
    shifted = np.asarray(augmentation.transform(faces, replace(NO_AUGMENTATION, shift=4.0), make_seed()))[..., 0]
    rows, columns = np.mgrid[:48, :48]
    centres = np.array([[np.average(index, weights=face) for index in (rows, columns)] for face in shifted])
    assert np.abs(centres - 23.5).max() <= 4.1
    assert (np.ptp(centres, axis=0) > 1).all()


@pytest.mark.parametrize("quality", [10, 30, 60])
def test_compression_resembles_that_of_a_jpeg_encoder(faces, quality):
    rounded = np.round(faces[:8])
    compressed = np.asarray(augmentation.compress_jpeg(rounded, make_seed(), quality, quality + 1e-3))
    encoded = np.stack([encode_jpeg(face[..., 0].astype(np.uint8), quality) for face in rounded])
    assert np.abs(compressed[..., 0] - encoded).mean() < 1.0
    assert np.abs(rounded[..., 0] - encoded).mean() > 1.2 * np.abs(compressed[..., 0] - encoded).mean()


def encode_jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32)


def test_blur_and_downscaling_remove_detail_and_leave_flat_areas(faces):
    flat = np.full((2, 48, 48, 1), 90, np.float32)
    for operation in (
        lambda batch: augmentation.blur(batch, make_seed()),
        lambda batch: augmentation.downscale(batch, 20),
    ):
        assert np.allclose(operation(flat), 90, atol=0.01)
        assert measure_detail(np.asarray(operation(faces))) < 0.8 * measure_detail(faces)


def measure_detail(faces):
    return np.abs(np.diff(faces, axis=2)).mean()


def test_erased_area_is_a_rectangle_of_one_gray_value():
    flat = np.full((40, 48, 48, 1), -1, np.float32)
    augmented = np.asarray(augmentation.erase_rectangle(flat, 1.0, make_seed()))[..., 0]
    for face in augmented:
        covered = face >= 0
        rows, columns = covered.any(1), covered.any(0)
        assert np.array_equal(covered, np.outer(rows, columns))
        assert len(np.unique(face[covered])) <= 1
    assert 0.01 < (augmented >= 0).mean() < 0.2


def test_a_fraction_of_the_faces_is_darkened():
    flat = np.full((200, 48, 48, 1), 200, np.float32)
    augmented = np.asarray(augmentation.change_light(flat, replace(NO_AUGMENTATION, dark_fraction=0.25), make_seed()))[
        :, 0, 0, 0
    ]
    assert 0.12 < (augmented < 130).mean() < 0.38  # four standard deviations of 200 faces
    assert set(augmented[augmented >= 130]) == {200}


def test_mixup_blends_faces_and_targets_with_the_same_weight(faces):
    shares = np.eye(70, dtype=np.float32)
    blended, [targets] = augmentation.mixup(faces, [shares], 0.4, make_seed())
    targets = np.asarray(targets)
    assert np.allclose(targets.sum(1), 1, atol=1e-5)
    assert (np.diag(targets) >= 0.5).all()
    assert np.allclose(np.asarray(blended)[..., 0], np.einsum("ij,jhw->ihw", targets, faces[..., 0]), atol=0.05)


def test_cutmix_pastes_a_square_and_mixes_targets_by_its_area(faces):
    shares = np.eye(70, dtype=np.float32)
    pasted, [targets] = augmentation.cutmix(faces, [shares], 1.0, make_seed())
    pasted, targets = np.asarray(pasted)[..., 0], np.asarray(targets)
    assert np.allclose(targets.sum(1), 1, atol=1e-5)
    for place, face in enumerate(pasted):
        face_pixels, next_pixels = faces[place, ..., 0], faces[place - 1, ..., 0]
        changed = face != face_pixels
        assert np.array_equal(face[changed], next_pixels[changed])
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if len(rows):
            square = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / 48**2
            assert targets[place, place - 1] == pytest.approx(square, abs=0.06)
    assert 0.1 < np.mean(np.diag(targets)) < 0.95


def test_mixup_and_cutmix_have_one_half_of_the_batch_each(faces):
    both = replace(NO_AUGMENTATION, mixup=5.0, cutmix=5.0)
    augmented, [targets] = augmentation.mix(faces, [np.eye(70, dtype=np.float32)], both, make_seed())
    whole = np.isin(np.asarray(augmented), faces).mean((1, 2, 3))
    assert np.asarray(targets)[:35, 35:].max() == 0
    assert (whole[35:] == 1).all()
    assert whole[:35].mean() < 0.9
    for settings in (replace(NO_AUGMENTATION, mixup=5.0), replace(NO_AUGMENTATION, cutmix=5.0)):
        alone, _ = augmentation.mix(faces, [], settings, make_seed())
        assert (np.isin(np.asarray(alone), faces).mean() == 1) == bool(settings.cutmix)


def test_last_faces_become_non_faces_with_uniform_targets(faces):
    shares, votes = np.eye(7, dtype=np.float32)[np.arange(70) % 7], np.zeros((70, 8), np.float32)
    replaced, targets = augmentation.replace_by_non_faces(faces, [shares, votes], 0.1, make_seed())
    assert np.array_equal(np.asarray(replaced)[:63], faces[:63])
    assert np.abs(np.asarray(replaced)[63:] - faces[63:]).mean() > 5
    for target, before in zip(targets, (shares, votes), strict=True):
        assert np.array_equal(np.asarray(target)[:63], before[:63])
        assert np.allclose(np.asarray(target)[63:], 1 / before.shape[1])


def test_fraction_below_one_face_changes_nothing(faces):
    replaced, [targets] = augmentation.replace_by_non_faces(faces, [faces[:, 0, :7, 0]], 0.001, make_seed())
    assert replaced is faces
    assert np.array_equal(targets, faces[:, 0, :7, 0])


def test_shuffled_patches_are_the_same_in_another_order(faces):
    augmented = np.asarray(augmentation.shuffle_patches(faces[:3], make_seed()))

    def squares(face):
        return [face[y : y + 8, x : x + 8].tobytes() for y in range(0, 48, 8) for x in range(0, 48, 8)]

    for before, after in zip(faces[:3, ..., 0], augmented[..., 0], strict=True):
        assert sorted(squares(before)) == sorted(squares(after))
        assert squares(before) != squares(after)


def test_textures_have_different_brightness_and_contrast():
    augmented = np.asarray(augmentation.make_textures(60, make_seed()))
    assert augmented.shape == (60, 48, 48, 1)
    assert (augmented.min(), augmented.max()) >= (0, 200)
    assert augmented.max() <= 255
    assert np.ptp(augmented.mean((1, 2, 3))) > 150
    assert np.ptp(augmented.std((1, 2, 3))) > 30


def test_some_textures_are_stripes_in_different_directions():
    augmented = np.asarray(augmentation.make_textures(200, make_seed()))[..., 0]
    across, down = (np.abs(np.diff(augmented, axis=axis)).mean((1, 2)) + 0.1 for axis in (2, 1))
    assert (across / down).max() > 2
    assert (down / across).max() > 2
