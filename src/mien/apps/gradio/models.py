"""The tab of the models: what each says of itself, side by side and as curves."""

from __future__ import annotations

from html import escape
from itertools import cycle
from typing import Any

import gradio as gr
import pandas as pd

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.engines import Engines
from mien.apps.session.model_cards import comparison, coverage, facts
from mien.html import style_colours
from mien.models import ModelCard

#: The colours of the models' lines, of those that all pages share.
_LINES = ("accent", "wrong", "right", "warn")


def create_model_chooser(engines: Engines) -> Any:
    """The model that reads in this page; nothing to choose where there is one."""
    return gr.Dropdown(
        list(engines.names),
        value=engines.default,
        label="Read with",
        visible=len(engines.names) > 1,
        elem_id="model",
        render=False,
    )


def create_models_tab(engines: Engines, model: Any) -> None:
    """Made inside a ``gr.Tab``; ``model`` is the chooser, and is placed here."""
    cards = engines.cards()
    gr.Markdown("What reads the faces here, and how well. Every number is measured on faces it did not learn from.")
    model.render()
    with gr.Row():
        with gr.Column(min_width=320):
            rows = [[name, *cells] for name, cells in comparison(cards)]
            gr.Dataframe(
                rows, headers=["", *cards], interactive=False, label="In numbers", wrap=True, buttons=["fullscreen"]
            )
        with gr.Column(min_width=320):
            _curves(cards)
    for name, card in cards.items():
        _one(name, card, name == engines.default)
    gr.Markdown(_limits(cards[engines.default]))


def _curves(cards: dict[str, ModelCard]) -> None:
    points = [(100 * kept, 100 * right, name) for name, card in cards.items() for kept, right in coverage(card)]
    if not points:
        return
    hues = dict(zip(cards, cycle(style_colours()[name] for name in _LINES), strict=False))
    gr.LinePlot(
        pd.DataFrame(points, columns=["kept (%)", "right (%)", "model"]),
        x="kept (%)",
        y="right (%)",
        color="model",
        color_map=hues,
        colors_in_legend=[],
        height=300,
        label="How often it is right (%), by how many faces it may keep (%), the surest first",
        elem_id="models-curve",
    )
    if len(cards) > 1:
        gr.HTML(results.render_legend(hues), padding=False)


def _one(name: str, card: ModelCard, usual: bool) -> None:
    with gr.Accordion(f"{name}{' (the usual one)' if usual else ''}", open=usual), gr.Row():
        with gr.Column(min_width=280):
            gr.Markdown("\n".join(f"- **{escape(word)}:** {escape(value)}" for word, value in facts(card)))
        if scores := card.scores.get("per_class"):
            with gr.Column(min_width=280):
                _bars(name, {label: score["f1"] for label, score in scores.items()})


def _bars(name: str, scores: dict[str, float]) -> None:
    labels = tuple(scores)
    gr.BarPlot(
        pd.DataFrame([(label, score, label) for label, score in scores.items()], columns=["expression", "F1", "of"]),
        x="expression",
        y="F1",
        color="of",
        color_map=results.label_colours(labels),
        colors_in_legend=[],
        x_title="",
        x_label_angle=-30,
        sort=list(labels),
        y_lim=[0, 1],
        height=300,
        label="By expression (F1)",
        elem_id=f"models-f1-{name}",
    )


def _limits(card: ModelCard) -> str:
    often = []
    if accuracy := card.scores.get("accuracy"):
        many = f"{len(card.labels)} expressions in {100 * accuracy:.0f} of 100"
        often = [f"It is wrong often: on test faces it names the right one of {many}."]
    cannot = [text.LIMITATIONS[0], *often, *text.LIMITATIONS[1:]]
    listed = "\n".join(f"- {sentence}" for sentence in cannot)
    return f"### What it cannot do\n\n{listed}"
