"""The tab of the models: the card of each, side by side and as plots."""

from __future__ import annotations

from html import escape
from itertools import cycle
from typing import Any

import gradio as gr
import pandas as pd

from mien.apps.gradio import results
from mien.apps.session import model_cards
from mien.apps.session.engines import EngineCache
from mien.html import style_colours
from mien.models import ModelCard

#: The colours of the models' lines: names in the common style sheet.
_LINE_COLOURS = ("accent", "wrong", "right", "warn")

_COVERAGE, _ACCURACY = "coverage (%)", "accuracy (%)"


def create_model_chooser(engines: EngineCache) -> Any:
    """The model that reads on this page; hidden where there is only one. The caller places it."""
    return gr.Dropdown(
        list(engines.names),
        value=engines.default,
        label="Model",
        visible=len(engines.names) > 1,
        elem_id="model",
        render=False,
    )


def create_models_tab(engines: EngineCache, model: Any) -> None:
    """The content of the tab, created inside a ``gr.Tab``; ``model`` is the chooser, and is placed here."""
    cards = engines.cards()
    gr.Markdown("The models that read faces here. Every number is measured on faces that were not used for training.")
    model.render()
    with gr.Row():
        with gr.Column(min_width=320):
            rows = [[name, *cells] for name, cells in model_cards.compare_cards(cards)]
            gr.Dataframe(
                rows, headers=["", *cards], interactive=False, label="Measurements", wrap=True, buttons=["fullscreen"]
            )
        with gr.Column(min_width=320):
            _create_coverage_plot(cards)
    for name, card in cards.items():
        is_default = name == engines.default
        with gr.Accordion(f"{name} (default)" if is_default else name, open=is_default), gr.Row():
            _create_card(name, card)
    sentences = model_cards.list_limitations(cards[engines.default])
    gr.Markdown("\n".join(["### Limitations\n", *(f"- {sentence}" for sentence in sentences)]))


def _create_coverage_plot(cards: dict[str, ModelCard]) -> None:
    points = [
        (100 * coverage, 100 * accuracy, name)
        for name, card in cards.items()
        for coverage, accuracy in model_cards.coverage_curve(card)
    ]
    if not points:
        return
    colours = dict(zip(cards, cycle(style_colours()[name] for name in _LINE_COLOURS), strict=False))
    gr.LinePlot(
        pd.DataFrame(points, columns=[_COVERAGE, _ACCURACY, "model"]),
        x=_COVERAGE,
        y=_ACCURACY,
        color="model",
        color_map=colours,
        colors_in_legend=[],
        height=300,
        label="Accuracy of the label against coverage: the accuracy on the faces with the highest probabilities",
        elem_id="models-curve",
    )
    if len(cards) > 1:
        gr.HTML(results.render_legend(colours), padding=False)


def _create_card(name: str, card: ModelCard) -> None:
    with gr.Column(min_width=280):
        facts = model_cards.list_facts(card)
        gr.Markdown("\n".join(f"- **{escape(term)}:** {escape(value)}" for term, value in facts))
    scores = card.metrics.get("per_class")
    if not scores:
        return
    labels = tuple(scores)
    with gr.Column(min_width=280):
        gr.BarPlot(
            pd.DataFrame([(label, scores[label]["f1"], label) for label in labels], columns=["expression", "F1", "of"]),
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
            label="F1 score of each expression",
            elem_id=f"models-f1-{name}",
        )
