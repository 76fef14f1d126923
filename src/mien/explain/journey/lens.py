"""The lens: one map large, the face beside it, and all maps below to choose from."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from mien.explain.journey.parts import plain, strip, together
from mien.explain.journey.weights import kernel

if TYPE_CHECKING:
    from mien.explain.explanation import Reach
    from mien.explain.journey.scene import Atlas, Scene


def lens(scene: Scene, atlas: Atlas) -> str:
    face = _seen(scene)
    large = _large(atlas, "The chosen map, enlarged")
    lens = together(face, "what the marked place has seen") + together(large, "<span data-told></span>")
    return f"<div class='lens'>{lens}</div>{_grid(scene, atlas, _buttons(atlas))}{_rest(atlas)}"


def _large(atlas: Atlas, told: str, over: str = "") -> str:
    return (
        f"<svg class='large' viewBox='{atlas.box(atlas.channels[0])}' role='img' aria-label='{told}' focusable='false' "
        f"data-large><use href='#{atlas.name}'/>{over}<rect class='spot' width='1' height='1' data-spot/></svg>"
    )


def _seen(scene: Scene) -> str:
    side = scene.side
    return (
        f"<svg class='seen' viewBox='0 0 {side} {side}' role='img' aria-label='The face' focusable='false'>"
        f"<use href='#{scene.id('face-image')}'/><rect class='field' data-field rx='.6'/></svg>"
    )


def _grid(scene: Scene, atlas: Atlas, buttons: str) -> str:
    told = f"Maps of {escape(atlas.layer.name)}, strongest first. Arrow keys move among them, Escape leaves them."
    reach = atlas.layer.reach
    return (
        f"<div class='maps' role='group' aria-label='{told}' data-maps data-side='{scene.side}' "
        f"data-places='{atlas.layer.shape[2]} {atlas.layer.shape[1]}' data-reach='{_reach(reach)}'>{buttons}</div>"
    )


def _reach(reach: Reach | None) -> str:
    return "" if reach is None else f"{reach.size} {reach.stride:g} {reach.offset:g} {reach.across:g}"


def _buttons(atlas: Atlas) -> str:
    return "".join(_button(atlas, channel, rank) for rank, channel in enumerate(_shown(atlas), 1))


def _shown(atlas: Atlas) -> tuple[int, ...]:
    """Those of an atlas that belong in the grid: what the dense step needs besides is not shown here."""
    order = atlas.layer.order
    rank = {channel: place for place, channel in enumerate(order)}
    return tuple(sorted(atlas.channels, key=rank.__getitem__))


def _button(atlas: Atlas, channel: int, rank: int, over: str = "") -> str:
    values = atlas.layer.activations[channel]
    row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    strength = _strength(atlas, channel)
    told = f"map {channel}, strongest answer {plain(values[row, column])}"
    state = "aria-pressed='true' tabindex='0'" if rank == 1 else "aria-pressed='false' tabindex='-1'"
    return (
        f"<button type='button' class='map' {state} aria-label='{told}, rank {rank}' data-words='{told}' "
        f"data-box='{atlas.box(channel)}' data-peak='{column} {row}'>{over}{atlas.tile(channel)}{strip(strength)}"
        "</button>"
    )


def _strength(atlas: Atlas, channel: int) -> float:
    """The mean activity of a map against that of the layer's strongest."""
    strongest = float(np.abs(atlas.layer.activations[atlas.layer.order[0]]).mean())
    return float(np.abs(atlas.layer.activations[channel]).mean()) / strongest if strongest > 0 else 0.0


def _rest(atlas: Atlas) -> str:
    told = "Each map is drawn against its own strongest value; the bar below it says how active it is."
    weaker = atlas.layer.shape[0] - len(atlas.channels) - atlas.layer.dead
    parts = [f"{weaker:,} weaker maps"] * (weaker > 0) + [f"{atlas.layer.dead:,} that say nothing here"] * (
        atlas.layer.dead > 0
    )
    more = f" Not shown: {' and '.join(parts)}." if parts else ""
    return f"<p class='more'>{told}{more}</p>"


def sliding(scene: Scene, atlas: Atlas) -> str:
    kernels = scene.told.kernels
    assert kernels is not None
    face = _seen(scene)
    large = _large(atlas, "The map of the chosen filter", "<path class='cover' data-cover/>")
    chosen = "<div class='kernel-now' data-kernel></div>"
    figures = (
        together(face, "the face")
        + together(chosen, "the filter", "small")
        + together(large, "<span data-told></span>")
    )
    play = "<p class='play'><button type='button' data-play>Let it slide</button></p>"
    buttons = "".join(
        _button(atlas, channel, rank, kernel(kernels.weights[channel])) for rank, channel in enumerate(_shown(atlas), 1)
    )
    grid = _grid(scene, atlas, buttons).replace("class='maps'", "class='maps kernels'")
    return f"<div class='lens sliding'>{figures}</div>{play}{grid}{_rest(atlas)}"
