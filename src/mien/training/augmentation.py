"""Whole batches of faces, varied inside the graph.

Faces are float32 (B, 48, 48, 1), 0-255, and stay so. Batches are shuffled before they come here, so "some of the
faces" is a slice of the batch: that is as random as drawing lots, and nothing is computed only to be thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings

Tensor = Any
Seed = Any
SIDE = 48
#: How small a face gets before it is enlarged again, in pixels.
SMALL = (16, 20, 24, 32)
#: Grains of noise down and across a texture: clouds, gravel, sand, and streaks as of wood or cloth.
GRAINS = ((2, 2), (5, 5), (12, 12), (48, 48), (2, 30))

#: Textures lie in any direction.
_ANY_WAY = replace(NO_AUGMENTATION, rotation=180.0, flip=False)


def varied(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """The same faces as they might have been photographed: turned, shifted, lit, compressed, half hidden."""
    if augment.rotation or augment.scale or augment.shift or augment.flip:
        faces = turned(faces, augment, seed)
    if augment.contrast or augment.brightness or augment.dark_part:
        faces = lit(faces, augment, seed)
    faces = degraded(faces, augment, seed)
    return erased(faces, augment.erase_part, seed) if augment.erase_part else faces


def blended(faces: Tensor, targets: list[Tensor], augment: AugmentationSettings, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """Neighbours mixed, or pasted into each other; where the settings have both, each in one half of the batch."""
    if not augment.cutmix:
        return mixed(faces, targets, augment.mixup, seed)
    if not augment.mixup:
        return pasted(faces, targets, augment.cutmix, seed)
    half = faces.shape[0] // 2
    one, mixed_targets = mixed(faces[:half], [each[:half] for each in targets], augment.mixup, seed)
    other, pasted_targets = pasted(faces[half:], [each[half:] for each in targets], augment.cutmix, seed)
    pairs = zip(mixed_targets, pasted_targets, strict=True)
    return ops.concatenate([one, other]), [ops.concatenate(pair) for pair in pairs]


def pasted(faces: Tensor, targets: list[Tensor], strength: float, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """A square of the neighbour's face in each; targets in proportion to the pixels. Area from beta(strength, same)."""
    count = ops.shape(faces)[0]
    side = SIDE * ops.sqrt(keras.random.beta((count, 1), strength, strength, seed=seed))
    down, across = (_within(keras.random.uniform((count, 1), 0, SIDE, seed=seed), side / 2) for _ in range(2))
    inside = down[:, :, None, None] & across[:, None, :, None]
    share = 1 - ops.mean(ops.cast(inside, "float32"), axis=(1, 2))
    return ops.where(inside, ops.roll(faces, 1, axis=0), faces), [_blend(target, share) for target in targets]


def mixed(faces: Tensor, targets: list[Tensor], strength: Tensor, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """Each face blended with its neighbour in the batch, its targets likewise; share from beta(strength, strength)."""
    count = ops.shape(faces)[0]
    share = keras.random.beta((count, 1), strength, strength, seed=seed)
    share = ops.maximum(share, 1 - share)
    blended = _blend(faces, share[:, :, None, None])
    return blended, [_blend(target, share) for target in targets]


def _blend(values: Tensor, share: Tensor) -> Tensor:
    return values * share + ops.roll(values, 1, axis=0) * (1 - share)


def emptied(faces: Tensor, targets: list[Tensor], part: float, seed: Seed) -> tuple[Tensor, list[Tensor]]:
    """The end of the batch made into things that are no faces; their targets say all expressions alike."""
    count = round(part * faces.shape[0])
    if not count:
        return faces, targets
    texture, jumble = textures(count - count // 2, seed), jumbled(faces[: count // 2], seed)
    alike = [ops.ones_like(target[:count]) / target.shape[1] for target in targets]
    filled = [ops.concatenate([target[:-count], even]) for target, even in zip(targets, alike, strict=True)]
    return ops.concatenate([faces[:-count], texture, jumble]), filled


def textures(count: int, seed: Seed) -> Tensor:
    """Noise of several grains laid over each other, one more than the others, turned, at any contrast and light."""
    layers = [
        ops.image.resize(keras.random.uniform((count, *grains, 1), -1, 1, seed=seed), (SIDE, SIDE), "bilinear")
        * keras.random.uniform((count, 1, 1, 1), 0, 1, seed=seed) ** 3
        for grains in GRAINS
    ]
    middle, contrast = (keras.random.uniform((count, 1, 1, 1), 0, most, seed=seed) for most in (255, 255))
    return ops.clip(middle + contrast * turned(sum(layers), _ANY_WAY, seed), 0, 255)


def jumbled(faces: Tensor, seed: Seed) -> Tensor:
    """Faces cut into 36 squares and laid together anew: all of a photo but the face."""
    count, blocks = faces.shape[0], SIDE // 8
    cells = ops.transpose(ops.reshape(faces, (count, blocks, 8, blocks, 8)), (0, 1, 3, 2, 4))
    order = keras.random.shuffle(ops.arange(blocks * blocks), seed=seed)
    mixed_up = ops.take(ops.reshape(cells, (count, blocks * blocks, 8, 8)), order, axis=1)
    laid = ops.transpose(ops.reshape(mixed_up, (count, blocks, blocks, 8, 8)), (0, 1, 3, 2, 4))
    return ops.reshape(laid, (count, SIDE, SIDE, 1))


def turned(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """Rotated, scaled, shifted and mirrored in one resampling; what lies outside repeats the border."""
    count = ops.shape(faces)[0]
    angle = _uniform((count,), augment.rotation * math.pi / 180, seed)
    zoom = ops.exp(_uniform((count,), math.log1p(augment.scale), seed))
    across, down = _uniform((count,), augment.shift, seed), _uniform((count,), augment.shift, seed)
    mirror = ops.where(_chance((count,), 0.5 if augment.flip else 0.0, seed), -1.0, 1.0)
    return ops.image.affine_transform(faces, _matrix(angle, zoom, across, down, mirror), "bilinear", "nearest")


def _matrix(angle: Tensor, zoom: Tensor, across: Tensor, down: Tensor, mirror: Tensor) -> Tensor:
    """Rows of (a, b, c, d, e, f, 0, 0): pixel (x, y) of the result comes from (ax + by + c, dx + ey + f)."""
    middle = (SIDE - 1) / 2
    cos, sin = ops.cos(angle) / zoom, ops.sin(angle) / zoom
    a, b, d, e = cos * mirror, -sin, sin * mirror, cos
    c = middle - (a + b) * middle + across
    f = middle - (d + e) * middle + down
    none = ops.zeros_like(a)
    return ops.stack([a, b, c, d, e, f, none, none], axis=1)


def lit(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """Contrast about each face's own mean, brightness, and a part of the faces in the dark."""
    one = (ops.shape(faces)[0], 1, 1, 1)
    mean = ops.mean(faces, axis=(1, 2, 3), keepdims=True)
    faces = (faces - mean) * (1 + _uniform(one, augment.contrast, seed)) + mean
    faces = ops.clip(faces + 255 * _uniform(one, augment.brightness, seed), 0, 255)
    light = keras.random.uniform(one, 0.15, 0.6, seed=seed)
    return ops.where(_chance(one, augment.dark_part, seed), ops.round(faces * light), faces)


def degraded(faces: Tensor, augment: AugmentationSettings, seed: Seed) -> Tensor:
    """A slice of the batch compressed, the next blurred, the next made small and enlarged again; the rest as it was."""
    parts: list[tuple[float, Callable[[Tensor], Tensor]]] = [
        (augment.jpeg_part, lambda some: compressed(some, seed)),
        (augment.blur_part, lambda some: blurred(some, seed)),
        *((augment.small_part / len(SMALL), lambda some, side=side: shrunk(some, side)) for side in SMALL),
    ]
    done, start, total = [], 0, faces.shape[0]
    for part, change in parts:
        stop = start + round(part * total)
        done += [change(faces[start:stop])] if stop > start else []
        start = stop
    return ops.concatenate([*done, faces[start:]], axis=0)


def shrunk(faces: Tensor, side: int) -> Tensor:
    """As if the face had been ``side`` pixels wide in the photo."""
    small = ops.image.resize(faces, (side, side), "bilinear", antialias=True)
    return ops.clip(ops.image.resize(ops.round(small), (SIDE, SIDE), "bicubic"), 0, 255)


def blurred(faces: Tensor, seed: Seed) -> Tensor:
    """Out of focus: between a little and a binomial blur of five by five done twice."""
    line = np.array([1, 4, 6, 4, 1], np.float32) / 16
    kernel = np.outer(line, line)[:, :, None, None]
    soft = ops.conv(ops.conv(faces, kernel, padding="same"), kernel, padding="same")
    # "same" pads with black: divide by what the kernel found inside.
    inside = ops.conv(ops.conv(ops.ones_like(faces[:1]), kernel, padding="same"), kernel, padding="same")
    share = keras.random.uniform((ops.shape(faces)[0], 1, 1, 1), 0.4, 1.0, seed=seed)
    return faces * (1 - share) + soft / inside * share


#: The luminance table of the JPEG standard at quality 50.
_TABLE = np.array(
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


def _cosines() -> np.ndarray:
    place, wave = np.meshgrid(np.arange(8), np.arange(8))
    scale = np.where(wave == 0, math.sqrt(1 / 8), 0.5)
    return (scale * np.cos((2 * place + 1) * wave * math.pi / 16)).astype(np.float32)


def compressed(faces: Tensor, seed: Seed, low: float = 10, high: float = 60) -> Tensor:
    """What JPEG at a quality of ``low`` to ``high`` leaves of a gray picture: rounded cosine waves in 8 x 8 blocks."""
    count, blocks = faces.shape[0], SIDE // 8
    quality = keras.random.uniform((count, 1, 1, 1, 1), low, high, seed=seed)
    factor = ops.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = ops.clip(ops.floor((ops.multiply(_TABLE, factor) + 50) / 100), 1, 255)
    cells = ops.transpose(ops.reshape(faces - 128, (count, blocks, 8, blocks, 8)), (0, 1, 3, 2, 4))
    waves = _cosines()
    found = ops.matmul(ops.matmul(waves, cells), waves.T)
    kept = ops.matmul(ops.matmul(waves.T, ops.round(found / table) * table), waves)
    return ops.clip(ops.reshape(ops.transpose(kept, (0, 1, 3, 2, 4)), (count, SIDE, SIDE, 1)) + 128, 0, 255)


def erased(faces: Tensor, part: float, seed: Seed) -> Tensor:
    """A rectangle of one gray over a part of the faces: a hand, a mask, hair."""
    count = ops.shape(faces)[0]
    inside = _band(count, seed)[:, None, :, None] & _band(count, seed)[:, :, None, None]
    gray = keras.random.uniform((count, 1, 1, 1), 0, 255, seed=seed)
    return ops.where(inside & _chance((count, 1, 1, 1), part, seed), gray, faces)


def _band(count: Any, seed: Seed) -> Tensor:
    """Which columns, or rows, a rectangle 8 to 22 pixels wide covers, bool (B, 48)."""
    middle = keras.random.uniform((count, 1), 0, SIDE, seed=seed)
    return _within(middle, keras.random.uniform((count, 1), 4, 11, seed=seed))


def _within(middle: Tensor, half: Tensor) -> Tensor:
    """Which of the places 0 to 47 are nearer than ``half`` to the middle, bool (B, 48)."""
    return ops.abs(ops.arange(SIDE, dtype="float32")[None] - middle) < half


def _uniform(shape: tuple[Any, ...], half: float, seed: Seed) -> Tensor:
    return keras.random.uniform(shape, -half, half, seed=seed)


def _chance(shape: tuple[Any, ...], part: float, seed: Seed) -> Tensor:
    return keras.random.uniform(shape, seed=seed) < part
