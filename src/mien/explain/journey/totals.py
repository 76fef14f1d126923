"""Where many numbers become few, and how many there are in all: global pooling, and the network as a whole."""

from __future__ import annotations

from html import escape
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from mien.explain.explanation import Layer
from mien.explain.journey.layers import stage_of
from mien.explain.journey.parts import strip, thousands
from mien.explain.journey.step import Step
from mien.html import table

if TYPE_CHECKING:
    from mien.explain.journey.scene import Scene

#: Bars of the pooled numbers that are drawn; with more than these a bar is no longer seen.
_BARS = 256

_NET = (
    "<svg class='thumb net' viewBox='0 0 32 32' aria-hidden='true'>"
    "<path d='M8 8L16 16L8 24M8 16L16 8M8 16L16 24M16 8L24 16L16 24M8 8L16 8M8 24L16 24M16 16L24 16'/><g>"
    + "".join(
        f"<circle cx='{x}' cy='{y}' r='2.6'/>"
        for x, y in ((8, 8), (8, 16), (8, 24), (16, 8), (16, 16), (16, 24), (24, 16))
    )
    + "</g></svg>"
)


def pooled(scene: Scene, layer: Layer, place: int) -> Step:
    many = layer.shape[0]
    return Step(
        key=f"layer-{place + 1}",
        short="Pooling",
        eyebrow=f"layer {layer.name}",
        title="Each map becomes one number",
        words="Of every map only the average is kept, and so it no longer matters where in the face something was "
        f"found, only how much of it there is. The face is now a list of {many} numbers, drawn as {many} bars.",
        facts=(("numbers", f"{many}"), *((("silent on this face", f"{layer.dead}"),) if layer.dead else ())),
        html=_averages(scene, layer) + _skyline(layer),
        thumb=_skyline(layer, "thumb", 12),
    )


def hidden(scene: Scene, layer: Layer, place: int) -> Step:
    """A dense layer before the last."""
    many, taken = layer.shape[0], _taken(scene, layer)
    weights = (("learned numbers", f"{(taken + 1) * many:,}"),) if taken else ()
    silent = (("silent on this face", f"{layer.dead}"),) if layer.dead else ()
    return Step(
        key=f"layer-{place + 1}",
        short=stage_of(layer),
        eyebrow=f"layer {layer.name}",
        title="Everything flows together",
        words=f"{_row(scene, layer, taken)} Each of the {many:,} numbers of this layer adds up all of them, every one "
        f"times a weight that was learned.{_cut(layer)} So each can speak of the whole face at once: "
        f"{'' if many <= _BARS else f'the first {_BARS} are '}drawn as bars.",
        facts=(("numbers", f"{many:,}"), *weights, *silent),
        html=_skyline(layer),
        thumb=_skyline(layer, "thumb", 12),
    )


def _taken(scene: Scene, layer: Layer) -> int:
    """How many numbers it takes; 0 where that is not known."""
    costs = {each.layer.split(".")[0]: each for each in scene.told.costs if each.kind == "dense"}
    if (cost := costs.get(stage_of(layer))) is None:
        return 0
    taken, weights = cost.multiply_adds // layer.shape[0], cost.parameters // layer.shape[0]
    return taken // max(round(taken / max(weights, 1)), 1)  # every weight is used once in each view


def _row(scene: Scene, layer: Layer, taken: int) -> str:
    row = f"one row of {taken:,} numbers" if taken else "one row of numbers"
    stage = stage_of(layer)
    before = [each for each in takewhile(lambda each: each is not layer, scene.layers) if stage_of(each) != stage]
    if before and len(before[-1].shape) == 3:
        return f"The maps are laid out into {row}: that is called flattening."
    return f"What came before is {row}."


def _cut(layer: Layer) -> str:
    cut = layer.kind == "activation" and float(layer.activations.min(initial=0.0)) >= 0
    return " What comes out below zero counts as zero." if cut else ""


def _averages(scene: Scene, layer: Layer) -> str:
    atlas = scene.last_maps
    if atlas is None or atlas.layer.shape[0] != layer.shape[0]:
        return ""
    top = [channel for channel in layer.order if channel in atlas.channels][:6]
    rows = "".join(
        f"<li>{atlas.tile(channel, f'map {channel}')}<span class='arrow' aria-hidden='true'>→</span>"
        f"<b>{layer.activations[channel]:.2f}</b></li>"
        for channel in top
    )
    return f"<ul class='averages'>{rows}</ul>"


def _skyline(layer: Layer, css: str = "skyline", most: int = _BARS) -> str:
    """A bar for each number, in the order of the maps (of a thumb: the strongest)."""
    values = layer.activations if css == "skyline" else layer.activations[list(layer.order)]
    values = values[:most]
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    heights = 96 * np.abs(values) / top
    bars = "".join(
        f"<rect x='{place * 8 + 1}' y='{98 - height:.1f}' width='6' height='{max(height, 0.8):.1f}' rx='1'/>"
        for place, height in enumerate(heights)
    )
    told = f"{len(values)} bars, the highest {top:.2f}"
    spoken = f"role='img' aria-label='{told}'" if css == "skyline" else "aria-hidden='true'"
    whole = f"viewBox='0 0 {8 * len(values)} 100' preserveAspectRatio='none'"
    return f"<svg class='{css} columns' {whole} {spoken}>{bars}</svg>"


def network(scene: Scene) -> Step:
    costs = scene.told.costs
    parameters, work = sum(each.parameters for each in costs), sum(each.multiply_adds for each in costs)
    most = max(each.multiply_adds for each in costs) or 1
    dearest = max(each.parameters for each in costs) or 1
    rows = [
        [
            escape(each.layer),
            f"{strip(each.parameters / dearest)}<span class='number'>{each.parameters:,}</span>",
            f"{strip(each.multiply_adds / most)}<span class='number'>{each.multiply_adds:,}</span>",
        ]
        for each in costs
    ]
    return Step(
        key="network",
        short="Network",
        eyebrow="the whole network",
        title=f"All of it: {thousands(parameters)} learned numbers",
        words="Training has set every one of these numbers, face after face, so that the answers come out right a "
        f"little more often. Reading one face takes {thousands(work)} multiplications: somebody who does one a second "
        f"would sit there for {_span(work)}.",
        facts=(("learned numbers", f"{parameters:,}"), ("multiplications", f"{work:,}")),
        html=f"<div class='costs'>{table(('layer', 'learned numbers', 'multiplications'), rows)}</div>",
        thumb=_NET,
    )


def _span(seconds: int) -> str:
    """About so long, in the largest unit of which there are two."""
    for unit, size in (("years", 31_557_600), ("months", 2_629_800), ("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{max(seconds // 60, 1)} minutes"
