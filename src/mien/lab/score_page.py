"""The HTML page of an evaluation: values for the template ``evaluation_report.html``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.plots.faces import Mistake, ranked, shade


def render_evaluation_report(
    metrics: Mapping[str, Any], figures: Mapping[str, str], mistakes: Sequence[Mistake]
) -> str:
    """The page. ``figures`` are ``<svg>`` elements by name; ``mistakes`` are the errors with the highest confidence."""
    return render(
        "evaluation_report.html",
        metrics=metrics,
        figures=figures,
        mistakes=[_mistake_values(mistake) for mistake in mistakes],
    )


def _mistake_values(mistake: Mistake) -> dict[str, Any]:
    height, width = mistake.pixels.shape[:2]
    return {
        "image": data_uri(encode_image(mistake.pixels)),
        "width": width,
        "height": height,
        "prediction": mistake.answer,
        "confidence": mistake.certainty,
        "label": mistake.label,
        "label_probability": mistake.doubt,
        "votes": [
            {"answer": answer, "count": count, "colour": shade(answer)} for answer, count in ranked(mistake.votes)
        ],
    }
