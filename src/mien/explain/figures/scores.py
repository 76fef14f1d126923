"""Figures of bars: the softmax, the contributions to a logit, and the parameters of each layer."""

from __future__ import annotations

from collections.abc import Sequence

from mien.explain.explanation import Explanation
from mien.explain.figures.canvas import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    NEGATIVE,
    PANEL,
    POSITIVE,
    SMALL,
    TEXT,
    Canvas,
    compose_figure,
    draw_icon,
    ellipsize,
    printable_text,
    text_width,
    theme_colour,
)
from mien.labels import label_adjective, label_colour
from mien.results import Pixels, Score
from mien.text import allocate_ten_votes, format_probability

_WIDTH, _ROW = 1100, 56

#: Channels with a row of their own among the contributions.
_CONTRIBUTIONS = 16


def draw_softmax(explanation: Explanation) -> Pixels:
    """Logit and probability of every expression, and the predicted annotator votes."""
    emotions = explanation.emotions
    height = 40 + len(emotions.scores) * _ROW
    canvas = Canvas(_WIDTH, height + (_ROW + 120 if emotions.votes else 0))
    _draw_probabilities(canvas, explanation)
    if emotions.votes:
        _draw_votes(canvas, height + 36, emotions.votes)
    sentences = [f"The prediction is uncertain: {emotions.uncertain}."] if emotions.uncertain else []
    if len(emotions.mixture) >= 2:
        parts = " and ".join(f"{format_probability(each.score)} {each.label}" for each in emotions.mixture)
        sentences.append(f"A mixed expression: {parts}.")
    top = emotions.ranked()[0]
    title = f"The expression looks {label_adjective(top.label)}, {format_probability(top.score)}"
    return compose_figure(title, sentences, canvas, [_describe_logits(explanation)])


def _describe_logits(explanation: Explanation) -> str:
    if not explanation.logits:
        return "This model does not provide its graph, so its logits cannot be shown."
    text = "The logits are the inputs of the softmax. "
    if decision := explanation.decision:
        return (
            f"{text}They join both heads of the network: {decision['votes']:.2f} times the logit of the votes, "
            f"{decision['label']:.2f} times the logit of FER2013's label, and an offset for each expression. Fitted on "
            "validation faces: of the predictions with 70 % probability about 70 % are what most people say."
        )
    if explanation.temperature == 1:
        return f"{text}The probabilities of this model have not been calibrated."
    return (
        f"{text}They are divided by a temperature of {explanation.temperature:.2f}, fitted on validation faces: of the "
        "predictions with 70 % probability about 70 % are then correct. The thin line is the probability without it."
    )


def _draw_probabilities(canvas: Canvas, explanation: Explanation) -> None:
    labels, calibrated = explanation.emotions.labels, explanation.temperature != 1
    logits, uncalibrated = dict(explanation.logits), dict(explanation.scores_without_temperature)
    name_x, logit_x, left, right = 64, 370, 400, _WIDTH - 110
    canvas.write((name_x, 4), "expression", SMALL, MUTED)
    canvas.write((logit_x, 4), "logit", SMALL, MUTED, "ra")
    canvas.write((_WIDTH, 4), "probability", SMALL, MUTED, "ra")
    for row, (label, score) in enumerate(explanation.emotions.ranked()):
        middle = 40 + row * _ROW + _ROW // 2
        icon = draw_icon(label, 42, labels)
        canvas.image.paste(icon, (0, middle - 21), icon)
        name = printable_text(label) or f"label {labels.index(label) + 1}"
        canvas.write((name_x, middle), ellipsize(name, TEXT, 200), anchor="lm")
        if label in logits:
            canvas.write((logit_x, middle), f"{logits[label]:.2f}", TEXT, MUTED, "rm")
        canvas.draw.rounded_rectangle((left, middle - 15, right, middle + 15), 8, fill=theme_colour(PANEL))
        canvas.bar(left, middle - 15, (right - left) * score, 30, label_colour(label, labels))
        if label in uncalibrated and calibrated:
            x = left + (right - left) * uncalibrated[label]
            canvas.draw.line((x, middle - 19, x, middle + 19), fill=theme_colour(INK), width=2)
        canvas.write((_WIDTH, middle), format_probability(score), TEXT, anchor="rm", bold=1 if row == 0 else 0)


def _draw_votes(canvas: Canvas, top: int, votes: Sequence[Score]) -> None:
    annotators = allocate_ten_votes(votes)
    labels = tuple(vote.label for vote in votes)
    canvas.draw.line((0, top - 14, _WIDTH, top - 14), fill=theme_colour(LINE))
    canvas.write((0, top + 4), "Predicted annotator votes (FER+)", TEXT)
    for index, label in enumerate(annotators):
        icon = draw_icon(label, 58, labels)
        canvas.image.paste(icon, (index * 70, top + 44), icon)
    counts = ", ".join(f"{annotators.count(label)} {label}" for label in dict.fromkeys(annotators))
    canvas.write((0, top + 112), ellipsize(counts, SMALL, _WIDTH), SMALL, MUTED)


def draw_contributions(explanation: Explanation) -> Pixels:
    """What each channel adds to the target's logit, the largest amounts first; the others in one bar."""
    # The weights in the file are divided by the temperature; the logits of the softmax figure are not.
    temperature = explanation.temperature
    rows = [
        (f"map {each.channel}", f"{each.activation:.2f} × {each.weight * temperature:.2f}", each.amount * temperature)
        for each in explanation.contributions
    ]
    rows, others = rows[:_CONTRIBUTIONS], rows[_CONTRIBUTIONS:]
    if others:
        rows.append((f"the other {len(others):,} maps", "", sum(amount for _, _, amount in others)))
    rows.append(("bias", "", explanation.bias * temperature))
    highest = max(abs(amount) for _, _, amount in rows) or 1.0
    bottom = len(rows) * 42
    canvas = Canvas(_WIDTH, bottom + 60)
    for index, (name, factors, amount) in enumerate(rows):
        _draw_amount(canvas, index * 42 + 20, name, factors, amount, highest)
    canvas.draw.line((0, bottom + 8, _WIDTH, bottom + 8), fill=theme_colour(LINE))
    canvas.write((0, bottom + 36), f"logit of {explanation.target}", TEXT, anchor="lm")
    canvas.write((_WIDTH, bottom + 36), f"{sum(amount for _, _, amount in rows):.2f}", TEXT, anchor="rm", bold=1)
    text = "The dense layer: the sum of the mean of every last feature map, times its weight for this expression."
    return compose_figure(f"Contributions to the logit of “{explanation.target}”", [text], canvas)


def _draw_amount(canvas: Canvas, middle: int, name: str, factors: str, amount: float, highest: float) -> None:
    zero, longest = 690, 300
    canvas.write((0, middle), name, TEXT, anchor="lm")
    canvas.write((370, middle), factors, SMALL, MUTED, "rm")
    length = longest * abs(amount) / highest
    left, colour = (zero - length, NEGATIVE) if amount < 0 else (zero, POSITIVE)
    canvas.bar(left, middle - 12, length, 24, colour)
    canvas.draw.line((zero, middle - 20, zero, middle + 21), fill=theme_colour(MUTED))
    canvas.write((_WIDTH, middle), f"{amount:+.2f}", TEXT, anchor="rm")


def draw_costs(explanation: Explanation) -> Pixels:
    """Parameters and multiply-adds of each layer."""
    costs = explanation.costs
    left = min(max((round(text_width(each.layer, SMALL)) for each in costs), default=0) + 20, 420)
    canvas = Canvas(_WIDTH, len(costs) * 34 + 40)
    half = (_WIDTH - left) // 2
    columns = (
        ("parameters", [each.parameters for each in costs]),
        ("multiply-adds for one face", [each.multiply_adds for each in costs]),
    )
    for row, cost in enumerate(costs):
        canvas.write((0, 55 + row * 34), ellipsize(cost.layer, SMALL, left - 12), SMALL, anchor="lm")
    for column, (name, amounts) in enumerate(columns):
        x = left + column * half
        canvas.write((x, 4), name, SMALL, MUTED)
        for row, amount in enumerate(amounts):
            middle, length = 55 + row * 34, (half - 150) * amount / (max(amounts) or 1)
            canvas.bar(x, middle - 9, length, 18, ACCENT)
            canvas.write((x + length + 10, middle), f"{amount:,}", SMALL, MUTED, "lm")
    parameters, multiply_adds = (sum(amounts) for _, amounts in columns)
    text = f"{parameters:,} parameters in all, and {multiply_adds:,} multiply-adds for one face."
    return compose_figure("Parameters and multiply-adds of each layer", [text], canvas)
