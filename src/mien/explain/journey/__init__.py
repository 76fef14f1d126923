"""The journey: one page that leads a face through a network, step by step, and needs nothing but itself.

::

    scene.py      what all steps draw from: the face, the picture, the maps of each layer as one small picture
    steps.py      the steps, in order; step.py is one of them
    arrival.py    picture, detected face, crop
    layers.py     filters and maps
    lens.py       one map large, the face beside it, all maps to choose from
    weights.py    a filter as a small picture
    totals.py     global pooling, and the network as a whole
    answer.py     the dense layer, softmax, the result
    evidence.py   where the network looked; heat.py its maps as pictures
    several.py    the page before them, of a picture with several faces or none
    parts.py      small pieces of these: bars, tiles, facts
    journey.css   its style, behind the sheet of all pages; journey.js moves it

Without the script every step stands on the page, one below the other, and that is also what is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import PurePath

from mien.explain.explanation import Explanation
from mien.explain.journey.parts import thousands
from mien.explain.journey.scene import Scene, set_scene
from mien.explain.journey.steps import Step, steps_of
from mien.html import footer, render_page
from mien.types import Pixels


def page(explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None) -> str:
    """The whole page, under 3 MB.

    ``pixels`` is the picture the face is from, RGB; without it the way begins at the crop. ``layers`` names those that
    get a step, of the explanation's own; None takes all of them.
    """
    return render_page(title(explanation), body(explanation, pixels, layers), style=style(), script=script())


def body(
    explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None, prefix: str = ""
) -> Iterator[str]:
    """What stands in the page, for windows with a frame of their own.

    ``prefix`` goes before every id, for pages that hold several journeys. Nothing in it needs a ``style`` attribute.
    """
    scene = set_scene(explanation, pixels, layers, prefix)
    steps = steps_of(scene)
    yield f"<div class='journey' id='{scene.id('journey')}'>"
    yield scene.store()
    yield _top(scene)
    yield _rail(scene, steps)
    yield f"<p class='hidden' aria-live='polite' data-live></p><div class='steps'>{_steps(scene, steps)}</div>"
    yield _controls(scene, len(steps))
    yield footer(
        "A network tells expressions apart; what a person feels it cannot see. The faces on this page are somebody's: "
        "ask before you share it."
    )
    yield "</div>"


def title(explanation: Explanation) -> str:
    name = PurePath(explanation.source).name
    return f"How a network reads {name}" if name else "How a network reads a face"


@cache
def style() -> str:
    """The style, to stand behind :func:`mien.html.style_sheet`."""
    return files("mien.explain.journey").joinpath("journey.css").read_text("utf-8")


@cache
def script() -> str:
    """The script, to stand behind the body. It moves every journey on the page."""
    return files("mien.explain.journey").joinpath("journey.js").read_text("utf-8")


def _top(scene: Scene) -> str:
    told = scene.told
    learned = sum(cost.parameters for cost in told.costs)
    facts = [escape(PurePath(told.source).name)] if told.source else []
    facts += [f"face {told.number}"] if told.number else []
    facts += [f"model {escape(told.model)}"] if told.model else []
    facts += [f"{thousands(learned)} learned numbers"] if learned else []
    return (
        "<header class='top'><p class='brand' aria-hidden='true'>mien</p><h1>How a network reads this face</h1>"
        f"<p class='muted'>{' · '.join(facts)}</p></header>"
    )


def _rail(scene: Scene, steps: Sequence[Step]) -> str:
    places = "".join(
        f"<li><a href='#{scene.id(step.key)}' data-go='{place}'>{step.thumb}<span>{escape(step.short)}</span></a></li>"
        for place, step in enumerate(steps)
    )
    return f"<nav class='rail' aria-label='Steps'><ol>{places}</ol></nav>"


def _steps(scene: Scene, steps: Sequence[Step]) -> str:
    return "".join(_step(scene, step, place, len(steps)) for place, step in enumerate(steps, 1))


def _step(scene: Scene, step: Step, place: int, many: int) -> str:
    name = scene.id(step.key)
    facts = "".join(f"<div><dt>{escape(word)}</dt><dd>{value}</dd></div>" for word, value in step.facts)
    return (
        f"<section class='step {step.css}' id='{name}' aria-labelledby='{name}-title' data-step>"
        f"<div class='words'><p class='eyebrow'>Step {place} of {many}<span>{escape(step.eyebrow)}</span></p>"
        f"<h2 id='{name}-title' tabindex='-1'>{escape(step.title)}</h2>"
        f"<p class='lead'>{step.words}</p>{f'<dl class=facts>{facts}</dl>' if facts else ''}{step.aside}</div>"
        f"<div class='show'>{step.html}</div></section>"
    )


def _controls(scene: Scene, many: int) -> str:
    return (
        "<div class='controls' role='group' aria-label='Move through the steps'>"
        "<button type='button' data-back><span aria-hidden='true'>←</span><b>Back</b></button>"
        f"<label class='hidden' for='{scene.id('slider')}'>Step</label>"
        f"<input type='range' id='{scene.id('slider')}' min='1' max='{many}' value='1' step='1' data-slider>"
        "<button type='button' class='main' data-next><b>Next</b><span aria-hidden='true'>→</span></button>"
        "</div>"
    )
