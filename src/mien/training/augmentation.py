"""Data augmentation of batches of faces, in Keras operations inside the graph.

Faces are float32 (B, 48, 48, 1), 0-255, before and after. Batches are shuffled, so a slice of the batch is a random
sample: an operation on a fraction of the faces is computed for that slice only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from mien.datasets.dataset import SIDE
from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings

Tensor = Any
Seed = Any
#: Sizes to which faces are downscaled before they are upscaled again, in pixels.
SMALL_SIZES = (16, 20, 24, 32)
#: Height and width of the noise that is upscaled to a texture, from coarse to fine; the last gives stripes.
NOISE_SIZES = ((2, 2), (5, 5), (12, 12), (48, 48), (2, 30))

#: Textures are rotated by any angle.
_ANY_ROTATION = replace(NO_AUGMENTATION, rotation=180.0, flip=False)


def augment(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """Geometric transforms, light, degradations (JPEG, blur, low resolution) and erased rectangles."""
    if augment.rotation or augment.scale or augment.shift or augment.flip:
        faces = transform(faces, augment, seed)
    if augment.contrast or augment.brightness or augment.dark_fraction:
        faces = change_light(faces, augment, seed)
    faces = degrade(faces, augment, seed)
    return erase_rectangle(faces, augment.erase_fraction, seed) if augment.erase_fraction else faces


def mix(faces: Tensor, targets: list[Tensor], augment: AugmentationSettings, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """Mixup or cutmix; where both are set, each in one half of the batch."""
    if not augment.cutmix:
        return mixup(faces, targets, augment.mixup, seed)
    if not augment.mixup:
        return cutmix(faces, targets, augment.cutmix, seed)
    half = faces.shape[0] // 2
    first, first_targets = mixup(faces[:half], [each[:half] for each in targets], augment.mixup, seed)
    second, second_targets = cutmix(faces[half:], [each[half:] for each in targets], augment.cutmix, seed)
    pairs = zip(first_targets, second_targets, strict=True)
    return ops.concatenate([first, second]), [ops.concatenate(pair) for pair in pairs]


def cutmix(faces: Tensor, targets: list[Tensor], strength: float, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """A square of the next face in each face, its area from beta(strength, strength); targets by number of pixels."""
    count = ops.shape(faces)[0]
    side = SIDE * ops.sqrt(keras.random.beta((count, 1), strength, strength, seed=seed))
    down, across = (_within(keras.random.uniform((count, 1), 0, SIDE, seed=seed), side / 2) for _ in range(2))
    inside = down[:, :, None, None] & across[:, None, :, None]
    weight = 1 - ops.mean(ops.cast(inside, "float32"), axis=(1, 2))
    return ops.where(inside, ops.roll(faces, 1, axis=0), faces), [_blend(target, weight) for target in targets]


def mixup(faces: Tensor, targets: list[Tensor], strength: Tensor, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """Each face and its targets blended with the next ones in the batch; weight from beta(strength, strength)."""
    count = ops.shape(faces)[0]
    weight = keras.random.beta((count, 1), strength, strength, seed=seed)
    weight = ops.maximum(weight, 1 - weight)
    blended = _blend(faces, weight[:, :, None, None])
    return blended, [_blend(target, weight) for target in targets]


def _blend(values: Tensor, weight: Tensor) -> Tensor:
    return values * weight + ops.roll(values, 1, axis=0) * (1 - weight)


def replace_by_non_faces(
    faces: Tensor, targets: list[Tensor], fraction: float, seed: Seed
) -> tuple[Tensor, list[Tensor]]:
    """The last faces of the batch replaced by images without a face, with uniform targets."""
    count = round(fraction * faces.shape[0])
    if not count:
        return faces, targets
    textures, shuffled = make_textures(count - count // 2, seed), shuffle_patches(faces[: count // 2], seed)
    uniform = [ops.ones_like(target[:count]) / target.shape[1] for target in targets]
    replaced = [ops.concatenate([target[:-count], even]) for target, even in zip(targets, uniform, strict=True)]
    return ops.concatenate([faces[:-count], textures, shuffled]), replaced


def make_textures(count: int, seed: Seed) -> Tensor:
    """A random sum of noise of several sizes, rotated, with random contrast and brightness."""
    layers = [
        ops.image.resize(keras.random.uniform((count, *size, 1), -1, 1, seed=seed), (SIDE, SIDE), "bilinear")
        * keras.random.uniform((count, 1, 1, 1), 0, 1, seed=seed) ** 3
        for size in NOISE_SIZES
    ]
    middle, contrast = (keras.random.uniform((count, 1, 1, 1), 0, most, seed=seed) for most in (255, 255))
    return ops.clip(middle + contrast * transform(sum(layers), _ANY_ROTATION, seed), 0, 255)


def shuffle_patches(faces: Tensor, seed: Seed) -> Tensor:
    """Faces cut into 36 squares in another order: all properties of a photo without a face."""
    count, blocks = faces.shape[0], SIDE // 8
    cells = ops.transpose(ops.reshape(faces, (count, blocks, 8, blocks, 8)), (0, 1, 3, 2, 4))
    order = keras.random.shuffle(ops.arange(blocks * blocks), seed=seed)
    shuffled = ops.take(ops.reshape(cells, (count, blocks * blocks, 8, 8)), order, axis=1)
    merged = ops.transpose(ops.reshape(shuffled, (count, blocks, blocks, 8, 8)), (0, 1, 3, 2, 4))
    return ops.reshape(merged, (count, SIDE, SIDE, 1))


def transform(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """Rotation, scale, shift and mirroring in one resampling; the border is repeated outside."""
    count = ops.shape(faces)[0]
    angle = _uniform((count,), augment.rotation * math.pi / 180, seed)
    zoom = ops.exp(_uniform((count,), math.log1p(augment.scale), seed))
    across, down = _uniform((count,), augment.shift, seed), _uniform((count,), augment.shift, seed)
    mirror = ops.where(_chance((count,), 0.5 if augment.flip else 0.0, seed), -1.0, 1.0)
    return ops.image.affine_transform(faces, _matrix(angle, zoom, across, down, mirror), "bilinear", "nearest")


def _matrix(angle: Tensor, zoom: Tensor, across: Tensor, down: Tensor, mirror: Tensor) -> Tensor:
    """Rows of (a, b, c, d, e, f, 0, 0): pixel (x, y) of the result is that at (ax + by + c, dx + ey + f)."""
    middle = (SIDE - 1) / 2
    cos, sin = ops.cos(angle) / zoom, ops.sin(angle) / zoom
    a, b, d, e = cos * mirror, -sin, sin * mirror, cos
    c = middle - (a + b) * middle + across
    f = middle - (d + e) * middle + down
    zeros = ops.zeros_like(a)
    return ops.stack([a, b, c, d, e, f, zeros, zeros], axis=1)


def change_light(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """Contrast about the mean of each face, brightness, and a fraction of the faces darkened."""
    shape = (ops.shape(faces)[0], 1, 1, 1)
    mean = ops.mean(faces, axis=(1, 2, 3), keepdims=True)
    faces = (faces - mean) * (1 + _uniform(shape, augment.contrast, seed)) + mean
    faces = ops.clip(faces + 255 * _uniform(shape, augment.brightness, seed), 0, 255)
    light = keras.random.uniform(shape, 0.15, 0.6, seed=seed)
    return ops.where(_chance(shape, augment.dark_fraction, seed), ops.round(faces * light), faces)


def degrade(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """One slice of the batch with JPEG artefacts, the next blurred, the next downscaled; the rest unchanged."""
    operations: list[tuple[float, Callable[[Tensor], Tensor]]] = [
        (augment.jpeg_fraction, lambda faces: compress_jpeg(faces, seed)),
        (augment.blur_fraction, lambda faces: blur(faces, seed)),
        *(
            (augment.small_fraction / len(SMALL_SIZES), lambda faces, side=side: downscale(faces, side))
            for side in SMALL_SIZES
        ),
    ]
    slices, start, total = [], 0, faces.shape[0]
    for fraction, operation in operations:
        stop = start + round(fraction * total)
        slices += [operation(faces[start:stop])] if stop > start else []
        start = stop
    return ops.concatenate([*slices, faces[start:]], axis=0)


def downscale(faces: Tensor, side: int) -> Tensor:
    """Downscaled to ``side`` pixels and upscaled again, like a small face in a photo."""
    small = ops.image.resize(faces, (side, side), "bilinear", antialias=True)
    return ops.clip(ops.image.resize(ops.round(small), (SIDE, SIDE), "bicubic"), 0, 255)


def blur(faces: Tensor, seed: Seed) -> Tensor:
    """A random blend with two passes of a binomial 5 x 5 filter, like a face out of focus."""
    line = np.array([1, 4, 6, 4, 1], np.float32) / 16
    kernel = np.outer(line, line)[:, :, None, None]
    soft = ops.conv(ops.conv(faces, kernel, padding="same"), kernel, padding="same")
    # "same" pads with zeros: divide by the sum of the kernel inside the image.
    inside = ops.conv(ops.conv(ops.ones_like(faces[:1]), kernel, padding="same"), kernel, padding="same")
    weight = keras.random.uniform((ops.shape(faces)[0], 1, 1, 1), 0.4, 1.0, seed=seed)
    return faces * (1 - weight) + soft / inside * weight


#: The luminance quantisation table of the JPEG standard at quality 50.
_JPEG_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)


def _dct_matrix() -> np.ndarray:
    position, frequency = np.meshgrid(np.arange(8), np.arange(8))
    scale = np.where(frequency == 0, math.sqrt(1 / 8), 0.5)
    return (scale * np.cos((2 * position + 1) * frequency * math.pi / 16)).astype(np.float32)


def compress_jpeg(faces: Tensor, seed: Seed, low: float = 10, high: float = 60) -> Tensor:
    """JPEG compression at a random quality from ``low`` to ``high``: quantised cosine transforms of 8 x 8 blocks."""
    count, blocks = faces.shape[0], SIDE // 8
    quality = keras.random.uniform((count, 1, 1, 1, 1), low, high, seed=seed)
    factor = ops.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = ops.clip(ops.floor((ops.multiply(_JPEG_TABLE, factor) + 50) / 100), 1, 255)
    cells = ops.transpose(ops.reshape(faces - 128, (count, blocks, 8, blocks, 8)), (0, 1, 3, 2, 4))
    dct = _dct_matrix()
    coefficients = ops.matmul(ops.matmul(dct, cells), dct.T)
    decoded = ops.matmul(ops.matmul(dct.T, ops.round(coefficients / table) * table), dct)
    return ops.clip(ops.reshape(ops.transpose(decoded, (0, 1, 3, 2, 4)), (count, SIDE, SIDE, 1)) + 128, 0, 255)


def erase_rectangle(faces: Tensor, fraction: float, seed: Seed) -> Tensor:
    """A gray rectangle over a fraction of the faces, like a hand or a mask."""
    count = ops.shape(faces)[0]
    inside = _random_interval(count, seed)[:, None, :, None] & _random_interval(count, seed)[:, :, None, None]
    gray = keras.random.uniform((count, 1, 1, 1), 0, 255, seed=seed)
    return ops.where(inside & _chance((count, 1, 1, 1), fraction, seed), gray, faces)


def _random_interval(count: Any, seed: Seed) -> Tensor:
    """Mask of the columns, or rows, of a rectangle 8 to 22 pixels wide: bool (B, 48)."""
    middle = keras.random.uniform((count, 1), 0, SIDE, seed=seed)
    return _within(middle, keras.random.uniform((count, 1), 4, 11, seed=seed))


def _within(middle: Tensor, half: Tensor) -> Tensor:
    """Mask of the positions 0 to 47 that are less than ``half`` from the middle: bool (B, 48)."""
    return ops.abs(ops.arange(SIDE, dtype="float32")[None] - middle) < half


def _uniform(shape: tuple[Any, ...], half: float, seed: Seed) -> Tensor:
    return keras.random.uniform(shape, -half, half, seed=seed)


def _chance(shape: tuple[Any, ...], probability: float, seed: Seed) -> Tensor:
    return keras.random.uniform(shape, seed=seed) < probability
