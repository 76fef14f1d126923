"""The steps from the last layer to the prediction: dense layer, softmax, evidence, result, and the whole network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import cv2
import numpy as np

from mien.explain.explanation import MAP_METHODS, Counterfactual, MapMethod, Saliency
from mien.explain.figures.colormaps import legend_colours
from mien.explain.page.images import PageImages
from mien.explain.page.values import WalkthroughStep, format_count, format_number, format_probability, format_signed
from mien.labels import label_adjective, label_colour
from mien.results import Emotions
from mien.text import allocate_ten_votes

#: Channels with a row of their own in the sum.
_ROWS = 8


def dense_step(images: PageImages) -> WalkthroughStep:
    explanation = images.explanation
    many, target = len(explanation.contributions), explanation.target
    # The graph contains the weights divided by the temperature; the softmax step shows the temperature, so it is
    # multiplied back here.
    temperature, sheet = explanation.temperature, images.last_maps
    every = [
        each._replace(weight=each.weight * temperature, amount=each.amount * temperature)
        for each in explanation.contributions
    ]
    bias = explanation.bias * temperature
    rows: list[dict[str, Any]] = [
        {
            "name": f"map {each.channel}",
            "factors": f"{format_number(each.activation)} × {format_number(each.weight)}",
            "box": sheet.box(each.channel) if sheet and each.channel in sheet.channels else "",
            "amount": each.amount,
        }
        for each in every[:_ROWS]
    ]
    if rest := every[_ROWS:]:
        amount = sum(each.amount for each in rest)
        rows.append({"name": f"the other {len(rest)} maps", "factors": "", "box": "", "amount": amount})
    rows.append({"name": "bias", "factors": "", "box": "", "amount": bias})
    sums = list(accumulate((row["amount"] for row in rows), initial=0.0))
    for row, (begin, end) in zip(rows, pairwise(sums), strict=True):
        row |= {"text": format_signed(row["amount"]), "begin": begin, "end": end}
    total = (sum(each.amount for each in explanation.contributions) + explanation.bias) * temperature
    most = abs(explanation.contributions[0].amount) or 1.0
    return WalkthroughStep(
        kind="dense",
        key="dense",
        short="Dense",
        term="dense layer",
        title=f"Dense layer: the logit of “{target}”",
        lead=f"For each expression the dense layer has one learned weight for each of the {many} values. The logit "
        f"of “{target}” is the sum of all values times their weights: orange bars increase it, blue bars decrease it.",
        facts=(("values", f"{many}"), ("logit", format_number(total))),
        values={
            "sheet": sheet,
            "rows": rows,
            "low": min(sums),
            "high": max(sums),
            "target": target,
            "total": format_number(total),
            "thumb": [14 * each.amount / most for each in explanation.contributions[:6]],
        },
    )


def softmax_step(images: PageImages) -> WalkthroughStep:
    explanation = images.explanation
    temperature, emotions = explanation.temperature, explanation.emotions
    if temperature == 1:
        calibration = "The probabilities of this model have not been calibrated."
    else:
        calibration = (
            f"All logits are first divided by a temperature of {temperature:.2f}, fitted on validation faces: of the "
            "predictions with 70\u00a0% probability, about 70\u00a0% are then correct."
        )
    logits = dict(explanation.logits)
    uncalibrated = dict(explanation.scores_without_temperature) if temperature != 1 else {}
    most = emotions.ranked()[0].score or 1.0
    return WalkthroughStep(
        kind="softmax",
        key="softmax",
        short="Softmax",
        term="softmax",
        title="Softmax: logits become probabilities",
        lead="Softmax turns the logits into probabilities that add up to 100\u00a0%: the exponential of each logit, "
        "divided by the sum of all exponentials. A lead of one point makes a probability almost three times as large. "
        f"{calibration}",
        facts=(
            ("temperature", f"{temperature:.2f}"),
            ("highest probability", format_probability(emotions[emotions.top])),
        ),
        values={
            "rows": [
                {
                    "label": label,
                    "logit": format_number(logits[label]),
                    "probability": score,
                    "uncalibrated": uncalibrated.get(label),
                    "percent": format_probability(score),
                }
                for label, score in emotions.ranked()
            ],
            "calibrated": bool(uncalibrated),
            "thumb": [(label, max(28 * score / most, 1)) for label, score in emotions.ranked()[:5]],
        },
    )


def evidence_step(images: PageImages) -> WalkthroughStep:
    explanation = images.explanation
    goal = f"“{explanation.target}”"
    if explanation.versus:
        goal += f" compared with “{explanation.versus}”"
    top = explanation.regions[0].top if explanation.regions else None
    region = (
        f"; {format_probability(top.score)} of the evidence is at the {top.label}"
        if top and top.label != "rest"
        else ""
    )
    counterfactual = None
    if (change := explanation.counterfactual) is not None:
        counterfactual = {
            "area": format_probability(change.area),
            "label": change.emotion,
            "probability": format_probability(change.score),
        }
    return WalkthroughStep(
        kind="evidence",
        key="evidence",
        short="Evidence",
        term="evidence map (saliency)",
        title="Evidence map: which parts of the face count?",
        lead=f"The {'orange' if explanation.versus else 'bright'} regions contributed most to {goal}{region}. Such a "
        "map is a hint and no proof: it says where the network found evidence, not whether the prediction is correct.",
        values={
            "methods": [_method_values(images, index) for index in range(len(explanation.maps))],
            "outlines": _region_outlines(images),
            "thumb": images.id(f"evidence-{explanation.maps[0].method}"),
            "counterfactual": counterfactual,
        },
        css="evidence",
    )


def _method_values(images: PageImages, index: int) -> dict[str, Any]:
    explanation = images.explanation
    saliency, regions = explanation.maps[index], explanation.regions[index]
    method = MAP_METHODS.get(saliency.method) or MapMethod(saliency.method, saliency.method, "")
    counterfactual: Counterfactual | None = None
    if saliency.method == "occlusion" or len(explanation.maps) == 1:
        counterfactual = explanation.counterfactual
    landmarks = regions.basis == "landmarks"
    return {
        "name": method.title,
        "description": method.description,
        "method": saliency.method,
        "overlay": images.id(f"evidence-{saliency.method}"),
        "slider": images.id(f"strength-{saliency.method}"),
        "counterfactual": counterfactual,
        "photo": _photo_overlay(images),
        "legend": _legend_values(saliency),
        "regions": [
            ("elsewhere" if each.label == "rest" else each.label, each.score, format_probability(each.score))
            for each in sorted(regions.evidence, key=lambda region: -region.score)
        ],
        "basis": "the landmarks of this face" if landmarks else "the average positions in aligned faces",
    }


def _photo_overlay(images: PageImages) -> dict[str, str] | None:
    """Where an evidence map lies in the photo: a ``viewBox`` around the face and a transform; None without a photo."""
    placement = images.explanation.placement
    if images.pixels is None or placement is None:
        return None
    left, top, side, angle = placement
    margin, centre = 0.45 * side, (left + side / 2, top + side / 2)
    return {
        "box": f"{left - margin:.1f} {top - margin:.1f} {side + 2 * margin:.1f} {side + 2 * margin:.1f}",
        "transform": f"rotate({angle:.2f} {centre[0]:.2f} {centre[1]:.2f}) translate({left:.2f} {top:.2f}) "
        f"scale({side / images.side:.5f})",
    }


def _legend_values(saliency: Saliency) -> dict[str, Any]:
    low, high = "no evidence", "strongest evidence"
    if saliency.versus:
        low, high = f"for {saliency.versus}", f"for {saliency.target}"
    colours = legend_colours("tide" if saliency.signed else "ember")
    return {"colours": colours, "low": low, "high": f"{high}: {saliency.strongest:.3g}"}


def _region_outlines(images: PageImages) -> str:
    """Outlines of brows, eyes, nose and mouth as the data of an SVG path."""
    paths = []
    regions = images.explanation.region_map
    for number in range(1, int(regions.max(initial=0)) + 1):
        mask = (regions == number).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        paths += [
            "M" + "L".join(f"{x + 0.5:g} {y + 0.5:g}" for [[x, y]] in line) + "Z" for line in contours if len(line) > 2
        ]
    return "".join(paths)


def result_step(images: PageImages) -> WalkthroughStep:
    emotions = images.explanation.emotions
    top, ranked = emotions.top, emotions.ranked()
    if emotions.uncertain:
        certainty = f"The prediction is uncertain: {emotions.uncertain}."
    else:
        certainty = "".join(f"Second is “{label}” with {format_probability(score)}." for label, score in ranked[1:2])
    return WalkthroughStep(
        kind="result",
        key="result",
        short="Result",
        term="prediction",
        title=f"The expression looks {label_adjective(top)}",
        lead="The prediction is the label with the highest probability: "
        f"“{top}” with {format_probability(emotions[top])}. {certainty}",
        values={
            "label": top,
            "mixture": list(_mixture_parts(emotions, images.labels)),
            "legend": [(label, format_probability(score)) for label, score in ranked[:4] if score >= 0.05],
            "votes": _vote_values(emotions),
            "notes": images.explanation.notes,
        },
        css="result",
    )


def _mixture_parts(emotions: Emotions, labels: tuple[str, ...]) -> Iterator[tuple[float, float, str]]:
    """Left edge, width and colour of each probability on a line of length 100."""
    left = 0.0
    for label, score in emotions.ranked():
        yield left, 100 * score, label_colour(label, labels)
        left += 100 * score


def _vote_values(emotions: Emotions) -> dict[str, Any] | None:
    """The predicted votes of ten annotators; None if the model does not predict votes."""
    if emotions.votes is None:
        return None
    annotators = allocate_ten_votes(emotions.votes)
    if len(emotions.mixture) >= 2:
        mixture = " and ".join(f"{format_probability(each.score)} {each.label}" for each in emotions.mixture)
        agreement = f"A mixed expression: {mixture}."
    elif max(each.score for each in emotions.votes) > 0.5:
        agreement = "Most annotators would agree."
    else:
        agreement = "The annotators would not agree."
    counts = ", ".join(f"{annotators.count(label)} {label}" for label in dict.fromkeys(annotators))
    labels = tuple(each.label for each in emotions.votes)
    return {"annotators": annotators, "labels": labels, "text": f"{counts}. {agreement}"}


def network_step(images: PageImages) -> WalkthroughStep:
    costs = images.explanation.costs
    parameters, operations = sum(each.parameters for each in costs), sum(each.multiply_adds for each in costs)
    most_parameters = max(each.parameters for each in costs) or 1
    most_operations = max(each.multiply_adds for each in costs) or 1
    return WalkthroughStep(
        kind="network",
        key="network",
        short="Network",
        term="the whole network",
        title=f"The whole network: {format_count(parameters)} parameters",
        lead="Training has set each of these learned numbers, face after face, so that predictions are correct a "
        f"little more often. One forward pass takes {format_count(operations)} multiply-adds: a person who does one "
        f"each second would need {_describe_duration(operations)}.",
        facts=(("parameters", f"{parameters:,}"), ("multiply-adds", f"{operations:,}")),
        values={
            "rows": [
                {
                    "layer": each.layer,
                    "parameters": (each.parameters / most_parameters, f"{each.parameters:,}"),
                    "operations": (each.multiply_adds / most_operations, f"{each.multiply_adds:,}"),
                }
                for each in costs
            ]
        },
    )


def _describe_duration(seconds: int) -> str:
    """``3 days``: in the largest unit of which there are at least two."""
    for unit, size in (("years", 31_557_600), ("months", 2_629_800), ("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{max(seconds // 60, 1)} minutes"
