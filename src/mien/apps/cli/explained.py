"""What ``mien explain`` writes: one folder for each picture, put in its place when it is whole."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien import media
from mien.apps.cli.exciting import Examples
from mien.apps.cli.explain import unwritable
from mien.draw import paint
from mien.explain import Explanation, Layer, pictures
from mien.explain.page import render_overview, render_walkthrough
from mien.explain.pictures.numbers import numbered
from mien.types import FrameResult, Pixels, Reading

WALKTHROUGH = "walkthrough.html"


@dataclass(frozen=True, eq=False)
class Explained:
    """A picture and what was found in it; ``steps`` names the layers that get a picture and a step, None all."""

    source: str
    pixels: Pixels
    faces: tuple[Explanation, ...]
    steps: tuple[str, ...] | None
    detector: str
    model: str

    @property
    def result(self) -> FrameResult:
        """As ``mien predict`` tells it."""
        height, width = self.pixels.shape[:2]
        known = ((each.face, each.emotions, each.quality) for each in self.faces)
        readings = tuple(Reading(face, told, quality) for face, told, quality in known if face and quality)
        return FrameResult(self.source, (width, height), readings, self.detector, self.model)

    def shown(self, told: Explanation) -> tuple[Layer, ...]:
        return tuple(layer for layer in told.layers if self.steps is None or layer.name in self.steps)


def write(
    found: Explained,
    folder: Path,
    formats: Sequence[str],
    examples: Examples | None,
    progress: Callable[[int, int], None],
) -> Path | None:
    """Every file that was asked for; the page to open first, if there is one. ``progress`` counts the faces."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the place where it will be, or inside it where that is there: putting it there is no copying.
        beside = folder if folder.is_dir() else folder.parent
        with tempfile.TemporaryDirectory(dir=beside, prefix=".mien-") as name:
            made = Path(name) / "made"
            made.mkdir()
            for done, _ in enumerate(_all(found, made, formats, examples), 1):
                progress(done, len(found.faces))
            _put(made, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder / WALKTHROUGH if "html" in formats else None


def _put(made: Path, folder: Path) -> None:
    """The files where they belong, the folders first."""
    for path in sorted(made.rglob("*")):
        place = folder / path.relative_to(made)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.rglob("*")):
        if path.is_file():
            path.replace(folder / path.relative_to(made))


def _all(found: Explained, folder: Path, formats: Sequence[str], examples: Examples | None) -> Iterator[Explanation]:
    """Each face as it has been written, when what belongs to all of them is there."""
    many = len(found.faces) > 1
    if "json" in formats:
        whole = {**found.result.to_dict(), "faces": [each.to_dict() for each in found.faces]}
        (folder / "explanation.json").write_text(_json(whole), encoding="utf-8")
    if many and "png" in formats:
        media.save(_annotated(found), folder / "faces.png")
    if "html" in formats and len(found.faces) != 1:
        page = render_overview(found.source, found.pixels, found.faces, _annotated(found))
        (folder / WALKTHROUGH).write_text(page, encoding="utf-8")
    for told in found.faces:
        place = folder / f"face-{told.number}" if many else folder
        place.mkdir(exist_ok=True)
        _face(found, told, place, formats)
        if examples is not None and "png" in formats:
            _examples(found.shown(told), place, examples)
        yield told


def _face(found: Explained, told: Explanation, folder: Path, formats: Sequence[str]) -> None:
    names = [layer.name for layer in found.shown(told)]
    if "html" in formats:
        (folder / WALKTHROUGH).write_text(render_walkthrough(told, found.pixels, names), encoding="utf-8")
    if "png" in formats:
        for name, pixels in _pictures(found, told):
            media.save(pixels, folder / f"{name}.png")
    if "npz" in formats:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **told.arrays())
        (folder / "arrays.npz").write_bytes(buffer.getvalue())


def _examples(shown: Sequence[Layer], folder: Path, examples: Examples) -> None:
    for layer in shown:
        if layer.kind not in ("dense", "softmax"):
            media.save(examples.picture(layer), folder / f"exciting-{_file(layer.name)}.png")


def _pictures(found: Explained, told: Explanation) -> Iterator[tuple[str, Pixels]]:
    shown = found.shown(told)
    yield from _of_layers(shown, told)
    if told.layers:
        yield "activations", pictures.activations(told.layers, told.crop)
        yield "reach", pictures.reach(replace(told, layers=shown))
    yield "softmax", pictures.softmax(told)
    if told.contributions:
        yield "sum", pictures.contributions(told)
    if told.maps:
        yield "where", pictures.where(told, found.pixels)
    if told.kernels is not None:
        yield "kernels", pictures.kernels(told.kernels)
    if told.costs:
        yield "costs", pictures.costs(told)


def _of_layers(shown: Sequence[Layer], told: Explanation) -> Iterator[tuple[str, Pixels]]:
    before: Layer | None = None
    for layer in shown:
        placed = len(layer.shape) == 3
        if placed or layer.kind == "pool":
            kind = "pooling" if layer.kind == "pool" else "feature-maps"
            yield f"{kind}-{_file(layer.name)}", pictures.maps(layer, told.crop.shape[0], before)
        before = layer if placed else before


def _file(name: str) -> str:
    """A layer's name as part of a file's, on any system."""
    return re.sub(r"[^\w.-]+", "_", name)[:80]


def _annotated(found: Explained) -> Pixels:
    return numbered(paint(found.pixels, found.result), found.faces)


def _json(told: Any) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
