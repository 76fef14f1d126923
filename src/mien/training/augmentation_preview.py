"""A preview of the data augmentation: one face under each operation, and under all of them together.

Needs the extra ``train``: the operations are those of the training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.datasets import synthetic
from mien.plots.style import MUTED, new_figure, with_style
from mien.training import augmentation
from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings

#: Examples in a row; a multiple of the number of sizes to which faces are downscaled.
COLUMNS = 8
#: So many mixed faces are computed; those that differ most from the face are shown.
MIXED_SAMPLES = 64

Rows = dict[str, NDArray[np.uint8]]


def preview_rows(face: NDArray[np.uint8], settings: AugmentationSettings, seed: int = 0) -> Rows:
    """Examples uint8 (8, 48, 48) of the face (48, 48) under each operation of the settings, by its title.

    Operations on a fraction of the faces are shown for every example; the title has the fraction.
    """
    rows = {title: _augment(face, each, seed) for title, each in _list_operations(settings)}
    title = f"{COLUMNS} of {MIXED_SAMPLES} samples"
    if settings.mixup:
        rows[f"mixup\n{title}"] = _mix_with_others(face, replace(settings, cutmix=0), seed)
    if settings.cutmix:
        rows[f"cutmix\n{title}"] = _mix_with_others(face, replace(settings, mixup=0), seed)
    return rows | {"all together": _augment(face, settings, seed)}


def _list_operations(settings: AugmentationSettings) -> Iterator[tuple[str, AugmentationSettings]]:
    """Settings with a single operation each, by title; operations that are off are left out."""
    strengths = {
        "rotation": f"up to {settings.rotation:g}°",
        "scale": f"up to {100 * settings.scale:g} %",
        "shift": f"up to {settings.shift:g} pixels",
        "flip": "half of the faces",
        "contrast": f"up to {100 * settings.contrast:g} %",
        "brightness": f"up to {100 * settings.brightness:g} %",
    }
    for key, strength in strengths.items():
        if value := getattr(settings, key):
            yield f"{key}\n{strength}", replace(NO_AUGMENTATION, **{key: value})
    fractions = {
        "darkness": "dark_fraction",
        "JPEG": "jpeg_fraction",
        "blur": "blur_fraction",
        "low resolution": "small_fraction",
        "erased rectangle": "erase_fraction",
    }
    for name, key in fractions.items():
        if fraction := getattr(settings, key):
            yield f"{name}\n{100 * fraction:g} % of the faces", replace(NO_AUGMENTATION, **{key: 1.0})


def _augment(face: NDArray[np.uint8], settings: AugmentationSettings, seed: int) -> NDArray[np.uint8]:
    batch = keras.ops.convert_to_tensor(np.repeat(face[None, :, :, None], COLUMNS, 0).astype(np.float32))
    return _to_uint8(augmentation.augment(batch, settings, keras.random.SeedGenerator(seed)))


def _mix_with_others(face: NDArray[np.uint8], settings: AugmentationSettings, seed: int) -> NDArray[np.uint8]:
    """The face mixed with synthetic faces. Most samples hardly change the face; those that change it most are shown."""
    others = synthetic.draw_faces(MIXED_SAMPLES, seed + 1).pixels
    batch = np.stack([np.repeat(face[None], MIXED_SAMPLES, 0), others], 1).reshape(-1, *face.shape, 1)
    tensor = keras.ops.convert_to_tensor(batch.astype(np.float32))
    mixed, _ = augmentation.mix(tensor, [], settings, keras.random.SeedGenerator(seed))
    pixels = _to_uint8(mixed)[::2]
    change = np.abs(pixels.astype(int) - face).mean((1, 2))
    return pixels[np.argsort(change, kind="stable")[-COLUMNS:]]


def _to_uint8(faces: object) -> NDArray[np.uint8]:
    values = np.asarray(keras.ops.convert_to_numpy(faces))[..., 0]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@with_style
def plot_preview(face: NDArray[np.uint8], rows: Rows) -> Figure:
    """A figure with one row for each operation, the original face at its left."""
    figure = new_figure(8.8, 0.8 * len(rows) + 0.3)
    grid = figure.subplots(len(rows), COLUMNS + 1, squeeze=False)
    for axes, (title, faces) in zip(grid, rows.items(), strict=True):
        for ax, pixels in zip(axes, (face, *faces), strict=True):
            ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=10)
    grid[0, 0].set_title("the face", loc="center", fontsize=9, color=MUTED, pad=4)
    return figure
