"""Where the network looked."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mien.explain.journey.parts import strip, whole_percent
from mien.explain.journey.step import Step
from mien.explain.pictures.tones import stops

if TYPE_CHECKING:
    from mien.explain.explanation import Flip, Regions, Saliency
    from mien.explain.journey.scene import Scene

#: What the methods do, for people.
METHODS = {
    "cam": ("Class map", "the last maps, each times its weight: exactly what the score was added up from"),
    "occlusion": (
        "Covering",
        "a soft patch covers one spot after another; where the share drops, something was needed",
    ),
    "rise": (
        "Random covering",
        "hundreds of random patterns cover the face; warm spots are those that kept the share high",
    ),
}


def where(scene: Scene) -> Step:
    told = scene.told
    goal = f"“{escape(told.target)}”" + (f" rather than “{escape(told.versus)}”" if told.versus else "")
    top = told.regions[0].top if told.regions else None
    seen = f"; {whole_percent(top.share)} of it lies on the {_region(top.label)}" if top and top.label != "rest" else ""
    bright = "orange" if told.versus else "bright"
    return Step(
        key="where",
        short="Where",
        eyebrow="evidence",
        title="Where did it look?",
        words=f"The {bright} places are those of the face that spoke most for {goal}{seen}. Such a map is a good hint "
        "and no proof: it says where the network found something, not whether it was right.",
        html="".join(_method(scene, place) for place in range(len(told.maps))),
        thumb=_over(scene, told.maps[0], "thumb"),
        aside=_flip(told.flip) if told.flip else "",
        css="where",
    )


def _region(label: str) -> str:
    return "elsewhere" if label == "rest" else label


def _method(scene: Scene, place: int) -> str:
    saliency, regions = scene.told.maps[place], scene.told.regions[place]
    name, does = METHODS.get(saliency.method, (saliency.method, ""))
    flip = scene.told.flip if saliency.method == "occlusion" or len(scene.told.maps) == 1 else None
    slider = scene.id(f"strength-{saliency.method}")
    return (
        f"<article class='method'><h3>{escape(name)}</h3><p class='muted'>{escape(does)}</p>"
        f"<div class='looked'>{_over(scene, saliency, 'heat', flip)}{_on_photo(scene, saliency)}</div>"
        f"<p class='strength'><label for='{slider}'>face</label>"
        f"<input type='range' id='{slider}' min='0' max='100' value='80' data-strength "
        "aria-label='How strongly the map lies over the face'><span aria-hidden='true'>map</span></p>"
        f"{_legend(saliency)}{_regions(regions)}</article>"
    )


def _over(scene: Scene, saliency: Saliency, css: str, flip: Flip | None = None) -> str:
    side = scene.side
    told = f"The face with the {saliency.method} map over it"
    outline = "" if css == "thumb" else f"<path class='outline' d='{_outlines(scene)}'/>"
    rest = ""
    if flip is not None and css != "thumb":
        rest = f"<rect class='flip' x='{flip.x}' y='{flip.y}' width='{flip.width}' height='{flip.height}'/>"
    spoken = "aria-hidden='true'" if css == "thumb" else f"role='img' aria-label='{told}'"
    return (
        f"<svg class='{css}' viewBox='0 0 {side} {side}' {spoken} focusable='false'>"
        f"<use href='#{scene.id('face-image')}'/>{_laid(scene, saliency)}{outline}{rest}</svg>"
    )


def _laid(scene: Scene, saliency: Saliency, transform: str = "") -> str:
    moved = f" transform='{transform}'" if transform else ""
    return f"<use data-heat opacity='.8'{moved} href='#{scene.id(f'heat-{saliency.method}')}'/>"


def _on_photo(scene: Scene, saliency: Saliency) -> str:
    placing = scene.told.placing
    if scene.pixels is None or placing is None:
        return ""
    left, top, side, lean = placing
    around, middle = 0.45 * side, (left + side / 2, top + side / 2)
    height, width = scene.pixels.shape[:2]
    box = f"{left - around:.1f} {top - around:.1f} {side + 2 * around:.1f} {side + 2 * around:.1f}"
    turn = f"rotate({lean:.2f} {middle[0]:.2f} {middle[1]:.2f}) "
    turn += f"translate({left:.2f} {top:.2f}) scale({side / scene.side:.5f})"
    return (
        f"<svg class='heat' viewBox='{box}' role='img' aria-label='The same map in the picture' focusable='false'>"
        f"<rect class='beyond' x='-{width}' y='-{height}' width='{3 * width}' height='{3 * height}'/>"
        f"<use href='#{scene.id('photo-image')}'/>{_laid(scene, saliency, turn)}</svg>"
    )


def _outlines(scene: Scene) -> str:
    """Brows, eyes, nose and mouth as thin lines."""
    paths = []
    regions = scene.told.region_map
    for number in range(1, int(regions.max(initial=0)) + 1):
        found, _ = cv2.findContours((regions == number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        paths += [
            "M" + "L".join(f"{x + 0.5:g} {y + 0.5:g}" for [[x, y]] in line) + "Z" for line in found if len(line) > 2
        ]
    return "".join(paths)


def _legend(saliency: Saliency) -> str:
    colours = stops("tide" if saliency.signed else "ember")
    wide = 100 / len(colours)
    marks = "".join(
        f"<rect x='{wide * place:.2f}' width='{wide + 0.4:.2f}' height='8' fill='{colour}'/>"
        for place, colour in enumerate(colours)
    )
    ends = (
        (f"for {saliency.versus}", f"for {saliency.target}") if saliency.versus else ("nothing", "strongest evidence")
    )
    line = f"<svg viewBox='0 0 100 8' preserveAspectRatio='none' aria-hidden='true'>{marks}</svg>"
    strongest = f"{saliency.scale:.3g}"
    ends_told = f"<span>{escape(ends[0])}</span><span>{escape(ends[1])}: {strongest}</span>"
    return f"<div class='scale'>{line}<p>{ends_told}</p></div>"


def _regions(regions: Regions) -> str:
    if not regions.shares:
        return "<p class='muted'>This map shows no evidence at all.</p>"
    rows = "".join(_share(each.label, each.share) for each in sorted(regions.shares, key=lambda share: -share.share))
    basis = "this face’s own points" if regions.basis == "landmarks" else "where these lie in most faces"
    return f"<ul class='regions'>{rows}</ul><p class='more'>The outlines are drawn from {basis}.</p>"


def _share(label: str, share: float) -> str:
    return f"<li><span>{escape(_region(label))}</span>{strip(share)}<b>{whole_percent(share)}</b></li>"


def _flip(flip: Flip) -> str:
    return (
        f"<p class='note'>Cover the marked rectangle, {whole_percent(flip.area)} of the face, and the answer becomes "
        f"“{escape(flip.becomes)}” ({whole_percent(flip.share)}).</p>"
    )
