"""The steps through the layers, from the first filters to the last maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mien.explain.explanation import Layer
from mien.explain.journey.lens import lens, sliding
from mien.explain.journey.parts import use
from mien.explain.journey.step import Step
from mien.explain.journey.weights import kernel

if TYPE_CHECKING:
    from mien.explain.journey.scene import Scene

_POOLING, _VIEWS = "pool", "views"


def is_pooled(layer: Layer) -> bool:
    """Is it one number for each map?"""
    return layer.kind == _POOLING and len(layer.shape) == 1


def stage_of(layer: Layer) -> str:
    return layer.name.split(".")[0]


def is_hidden(scene: Scene, place: int) -> bool:
    """Is the layer at that place the end of a dense layer between the maps and the answer?"""
    layer, *after = scene.layers[place:]
    answers = (len(scene.labels), len(scene.told.votes_logits))
    flat = len(layer.shape) == 1 and layer.kind in ("dense", "activation", "norm")
    last = all(len(each.shape) == 1 and stage_of(each) != stage_of(layer) for each in after)
    return flat and last and layer.shape[0] not in answers


def filters(scene: Scene) -> Step:
    kernels = scene.told.kernels
    assert kernels is not None
    atlas = scene.atlases[kernels.layer]
    many, _, height, width = kernels.weights.shape
    return Step(
        key="filters",
        short="Filters",
        eyebrow=kernels.layer,
        title=f"{many} small filters slide over the face",
        words=f"A filter is a pattern of {height} × {width} numbers that the network has learned; laid over a spot of "
        "the face, it answers with one number: how well does this spot fit? From spot to spot the answers make a map: "
        "orange where the face is like the pattern, blue where it is its opposite.",
        facts=(("learned numbers", f"{kernels.weights.size:,}"), ("answers", f"{int(np.prod(atlas.layer.shape)):,}")),
        html=sliding(scene, atlas),
        thumb=kernel(kernels.weights[atlas.channels[0]], "thumb"),
    )


def maps(scene: Scene, layer: Layer, place: int) -> Step:
    atlas = scene.atlases[layer.name]
    title, words = _deep(scene, layer)
    return Step(
        key=f"layer-{place + 1}",
        short=_short(scene, layer),
        eyebrow=f"layer {layer.name}",
        title=title,
        words=words,
        facts=tuple(_facts(scene, layer)),
        html=lens(scene, atlas),
        thumb=use(atlas.name, atlas.box(atlas.channels[0]), css="thumb"),
        css="deep",
    )


def _short(scene: Scene, layer: Layer) -> str:
    """The stage where that says enough, else the whole name."""
    stage = stage_of(layer)
    pooling = layer.kind == _POOLING
    same = [each for each in scene.layers if each.name in scene.atlases and stage_of(each) == stage]
    if len([each for each in same if (each.kind == _POOLING) == pooling]) > 1:
        return layer.name
    return f"{stage} pool" if pooling and len(same) > 1 else stage


def _deep(scene: Scene, layer: Layer) -> tuple[str, str]:
    """What a layer does, by what its places can see of the face. Nobody told it to: these are what such layers find."""
    if layer.kind == _POOLING:
        return (
            "Neighbours are put together",
            f"Neighbouring answers become one, the strongest or their mean: the maps shrink to {_by(layer)} places. "
            "What was found stays; where exactly it was matters a little less, and a shifted face looks the same.",
        )
    if layer.kind == _VIEWS:
        return (
            "It never looks only once",
            "The network looks at every face as it is and as it looks in a mirror, and some networks do so from two "
            "corners as well. What it found each time is turned back and laid over the rest; here you see the mean. "
            "What one look misses another may see, and a mirrored face gets the very same answer.",
        )
    part = 1.0 if layer.reach is None else layer.reach.size / scene.side
    first = next(iter(each for each in scene.layers if each.name in scene.atlases), layer)
    if part < 0.2 and layer is first:
        return (
            "First it sees edges and light",
            "Each picture below is the face seen through one filter: bright where its pattern was found, dark where "
            "it was not. A place of these maps knows only a few dots: all it can tell is edges and changes of light.",
        )
    if part < 0.75:
        return (
            "Edges become shapes",
            "The maps are filtered again, all of them together, and so edges become bends, folds and corners. "
            f"{_sees(layer)}",
        )
    if part < 1.6:
        return (
            "Shapes become parts of a face",
            "With every layer the maps get coarser and what they stand for gets richer: lips, a brow, a cheek that is "
            "raised. Few places are bright now, because each filter waits for something particular.",
        )
    return (
        "At last, the whole face",
        "Every place has now heard from the whole face, and each map is one feature of its expression, somewhere. "
        "These are no longer pictures: a bright square means “here is what I look for”.",
    )


def _sees(layer: Layer) -> str:
    if layer.reach is None:
        return "The deeper a layer, the more of the face a place of its maps has seen."
    size = layer.reach.size
    return f"A place now sees {size} × {size} dots, and so a part of the face, such as the corner of an eye or a mouth."


def _by(layer: Layer) -> str:
    return f"{layer.shape[1]} × {layer.shape[2]}"


def _facts(scene: Scene, layer: Layer) -> Iterator[tuple[str, str]]:
    yield "maps", f"{layer.shape[0]}"
    yield "places in each", _by(layer)
    if layer.reach is not None:
        whole = layer.reach.size >= scene.side
        yield "a place sees", "the whole face" if whole else f"{layer.reach.size} × {layer.reach.size} dots"
    if layer.dead:
        yield "silent on this face", f"{layer.dead}"
