"""What augmentation does to one face: a row of chances for each transformation, and one for all of them together.

Needs the extra ``train``: the transformations shown are the very ones that training runs, not pictures of them.
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

#: Chances in a row; a multiple of the four sizes to which faces are made small.
COLUMNS = 8
#: So many blends are tried; the eight strongest are shown.
TRIES = 64

Rows = dict[str, NDArray[np.uint8]]


def rows(face: NDArray[np.uint8], settings: AugmentationSettings, seed: int = 0) -> Rows:
    """The face (48, 48) under each transformation that the settings have, uint8 (8, 48, 48) by what it is called.

    What training does to some faces is done to all here; its name says to how many it is done.
    """
    batch = np.repeat(face[None, :, :, None], COLUMNS, 0).astype(np.float32)
    shown = {
        name: _seen(augmentation.varied(keras.ops.convert_to_tensor(batch), each, keras.random.SeedGenerator(seed)))
        for name, each in _settings(settings)
    }
    if settings.mixup:
        shown[f"mixed with another\n{COLUMNS} of {TRIES} chances"] = _with_others(
            face, replace(settings, cutmix=0), seed
        )
    if settings.cutmix:
        shown[f"a square of another\n{COLUMNS} of {TRIES} chances"] = _with_others(
            face, replace(settings, mixup=0), seed
        )
    together = augmentation.varied(keras.ops.convert_to_tensor(batch), settings, keras.random.SeedGenerator(seed))
    return shown | {"all together": _seen(together)}


def _settings(settings: AugmentationSettings) -> Iterator[tuple[str, AugmentationSettings]]:
    """One transformation each, by name; those that the settings leave out are left out."""
    strengths = {
        "turned": ("rotation", f"to {settings.rotation:g}°"),
        "larger, smaller": ("scale", f"to {100 * settings.scale:g} %"),
        "shifted": ("shift", f"to {settings.shift:g} pixels"),
        "mirrored": ("flip", "half of them"),
        "contrast": ("contrast", f"to {100 * settings.contrast:g} %"),
        "brightness": ("brightness", f"to {100 * settings.brightness:g} %"),
    }
    for name, (key, told) in strengths.items():
        if getattr(settings, key):
            yield f"{name}\n{told}", replace(NO_AUGMENTATION, **{key: getattr(settings, key)})
    parts = {
        "in the dark": "dark_part",
        "compressed": "jpeg_part",
        "out of focus": "blur_part",
        "from far away": "small_part",
        "half hidden": "erase_part",
    }
    for name, key in parts.items():
        if part := getattr(settings, key):
            yield f"{name}\n{100 * part:g} % of them", replace(NO_AUGMENTATION, **{key: 1.0})


def _with_others(face: NDArray[np.uint8], settings: AugmentationSettings, seed: int) -> NDArray[np.uint8]:
    """The face blended with drawn ones. Most chances blend hardly at all: of many, those that do the most are shown."""
    others = synthetic.draw_faces(TRIES, seed + 1).pixels
    batch = np.stack([np.repeat(face[None], TRIES, 0), others], 1).reshape(-1, *face.shape, 1).astype(np.float32)
    blended, _ = augmentation.blended(
        keras.ops.convert_to_tensor(batch), [], settings, keras.random.SeedGenerator(seed)
    )
    seen = _seen(blended)[::2]
    change = np.abs(seen.astype(int) - face).mean((1, 2))
    return seen[np.argsort(change, kind="stable")[-COLUMNS:]]


def _seen(faces: object) -> NDArray[np.uint8]:
    values = np.asarray(keras.ops.convert_to_numpy(faces))[..., 0]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@with_style
def figure(face: NDArray[np.uint8], shown: Rows) -> Figure:
    """The sheet: the face itself at the left of every row."""
    drawn_on = new_figure(8.8, 0.8 * len(shown) + 0.3)
    places = drawn_on.subplots(len(shown), COLUMNS + 1, squeeze=False)
    for line, (name, faces) in zip(places, shown.items(), strict=True):
        for ax, pixels in zip(line, (face, *faces), strict=True):
            ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=10)
    places[0, 0].set_title("the face", loc="center", fontsize=9, color=MUTED, pad=4)
    return drawn_on
