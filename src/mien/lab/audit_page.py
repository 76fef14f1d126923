"""One HTML page that holds a whole audit of maps, its verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.pictures.tones import coloured
from mien.html import expression_name, footer, image_tag, note, render_page, table, tile, tiles
from mien.lab.audit import Example
from mien.lab.audit_verdict import beaten

Figures = Mapping[str, Any]

#: The side of a face with its map, in pixels.
_SIDE = 96

_MEANING = {
    "taken away (deletion)": "squares of the face are blurred away, those first that the map holds for the most "
    "important. If the map is right the answer falls at once: the smaller the area under the curve, the better.",
    "brought back (insertion)": "the same the other way: from a blurred face, the most important squares first. The "
    "larger the area, the better.",
    "random, centre, edges": "maps that know nothing of the network: chance, a hill in the middle of the crop, and the "
    "strength of the picture's own edges. A method that does not beat them explains nothing.",
    "shuffled weights": "the numbers in each layer are put in another order, from the last layer to the first. The "
    "network then knows nothing, and a map that stays what it was never spoke of the network.",
    "noise": "normal noise of 4 gray values, hardly seen, is laid over each face.",
    "alike": "rank correlation (Spearman) of two maps over 144 squares: 1 is the same order, 0 has nothing in common.",
    "intervals": "95 %, by drawing the faces anew with replacement; against a baseline, from the differences face by "
    "face.",
}


def page(figures: Figures, drawings: Mapping[str, str], examples: Sequence[Example]) -> str:
    """The page; ``drawings`` are ``<svg>`` elements by name."""
    return render_page(f"Can {figures['model']}'s maps be believed?", _body(figures, drawings, examples), style=_STYLE)


def _body(figures: Figures, drawings: Mapping[str, str], examples: Sequence[Example]) -> Iterator[str]:
    yield f"<h1>Can {escape(figures['model'])}'s maps be believed?</h1>"
    yield f"<p class='muted'>{figures['faces']:,} faces{_split(figures)} · {escape(figures['explained'])} explained</p>"
    yield note(escape(figures["verdict"]), warn=figures["default"] is None)
    yield tiles(_tiles(figures))
    yield "<h2>Method by method</h2>"
    yield from (_method(name, told) for name, told in figures["methods"].items())
    yield "<h2>Take it away, bring it back</h2>"
    yield _pair(drawings, "taken_away", "brought_back")
    yield _areas(figures)
    yield "<h2>Is it about the network at all?</h2>"
    yield _pair(drawings, "shuffles", "agreement")
    yield "<h2>What the maps look like</h2>"
    yield table(["", *_columns(examples)], (_row(example) for example in examples))
    yield "<h2>What the words mean</h2>"
    yield f"<dl>{''.join(f'<dt>{escape(word)}</dt><dd>{escape(told)}</dd>' for word, told in _MEANING.items())}</dl>"
    yield footer("Faces from the data are shown here: mind their rights before you publish.")


def _pair(drawings: Mapping[str, str], *names: str) -> str:
    return f"<div class='pair'>{''.join(f'<figure>{drawings[name]}</figure>' for name in names)}</div>"


def _split(figures: Figures) -> str:
    return f" of {escape(figures['split'])}" if figures.get("split") else ""


def _tiles(figures: Figures) -> Iterator[str]:
    for name, told in figures["methods"].items():
        against = f"beats {len(beaten(told))} of {len(told['against'])} baselines, {told['milliseconds']:.1f} ms a map"
        yield tile(name, told["standing"], against)


def _method(name: str, told: Figures) -> str:
    return f"<p><b>{escape(name)}.</b> {escape(told['verdict'])}</p>"


def _areas(figures: Figures) -> str:
    head = ("map", "deletion, low is good", "insertion, high is good", "beats", "noise", "shuffled", "ms")
    return table(head, [*_method_rows(figures), *_baseline_rows(figures)])


def _method_rows(figures: Figures) -> Iterator[list[str]]:
    for name, told in figures["methods"].items():
        yield [
            f"<b>{escape(name)}</b>",
            *(_interval(told[curve]) for curve in ("deletion", "insertion")),
            escape(", ".join(beaten(told)) or "none"),
            f"{told['stability'][0]:.2f}",
            f"{told['shuffled'][-1]['likeness']:.2f}",
            f"{told['milliseconds']:.1f}",
        ]


def _baseline_rows(figures: Figures) -> Iterator[list[str]]:
    for name, told in figures["baselines"].items():
        yield [escape(name), _interval(told["deletion"]), _interval(told["insertion"]), "", "", "", ""]


def _interval(told: Sequence[float]) -> str:
    mean, low, high = told
    return f"<span class='number'>{mean:.3f}</span> <small>{low:.3f} to {high:.3f}</small>"


def _columns(examples: Sequence[Example]) -> list[str]:
    return ["face", *examples[0].maps] if examples else []


def _row(example: Example) -> list[str]:
    gray = _enlarged(np.repeat(example.face, 3, axis=2) if example.face.shape[2] == 1 else example.face)
    drawn = (_over(gray, each) for each in example.maps.values())
    told = (f"where {name} says the evidence for {example.target} lies" for name in example.maps)
    pictures = [image_tag(each, words, file_format="jpeg", css="map") for each, words in zip(drawn, told, strict=True)]
    face = image_tag(gray, f"a face that looks {example.target} to the model", file_format="jpeg", css="map")
    return [expression_name(example.target), face, *pictures]


def _over(face: NDArray[np.uint8], drawn: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The map's colours on the gray face, the stronger the less of the face."""
    large = cv2.resize(np.maximum(drawn, 0), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    part = 0.35 + 0.45 * (large / max(float(large.max()), 1e-9))[..., None]
    return np.rint(face * (1 - part) + coloured(large, "ember") * part).astype(np.uint8)


def _enlarged(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


_STYLE = """
img.map { width: 84px; min-width: 84px; height: 84px; border-radius: 6px; display: block; }
"""
