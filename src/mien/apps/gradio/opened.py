"""An explanation as pictures, drawn in the style of every window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape

from mien.explain import Explanation, Layer, pictures
from mien.explain.page import render_walkthrough
from mien.types import Pixels

#: What the methods are called, and what each does.
METHODS = {
    "cam": "Class map: exact, from the last layer; at once",
    "occlusion": "Covering: what is lost when a part is covered; about a second",
    "rise": "Random masks: many random covers, averaged; a second or two",
}


def layers(told: Explanation) -> Iterator[tuple[Pixels, str]]:
    """A sheet of maps for each layer, with its name, in order."""
    before: Layer | None = None
    for layer in told.layers:
        placed = len(layer.shape) == 3
        if placed or layer.kind == "pool":
            yield pictures.maps(layer, told.crop.shape[0], before), layer.name
        before = layer if placed else before


def network(told: Explanation) -> Iterator[tuple[Pixels, str]]:
    """The network as a whole: what each layer answers and sees, its first filters, where its numbers are."""
    if told.layers:
        yield pictures.activations(told.layers, told.crop), "Every layer at a glance"
        yield pictures.reach(replace(told, layers=told.layers)), "What one place of each layer sees"
    if told.kernels is not None:
        yield pictures.kernels(told.kernels), f"The filters of {told.kernels.layer}"
    if told.costs:
        yield pictures.costs(told), "Where the numbers are"


def steps(told: Explanation, pixels: Pixels) -> str:
    """The walkthrough page in a sandboxed frame, without access to the rest of the page."""
    inner = escape(render_walkthrough(told, pixels), quote=True)
    return f'<iframe class="walkthrough" title="Step by step" sandbox="allow-scripts" srcdoc="{inner}"></iframe>'
