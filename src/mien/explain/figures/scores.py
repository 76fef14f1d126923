"""The softmax, the sum behind it, and where the network's numbers are, as pictures of bars."""

from __future__ import annotations

from collections.abc import Sequence

from mien.explain.explanation import Explanation
from mien.explain.figures.canvas import (
    ACCENT,
    INK,
    LESS,
    LINE,
    MORE,
    MUTED,
    PANEL,
    SMALL,
    WORDS,
    Canvas,
    compose_figure,
    ellipsize,
    printable_text,
    text_width,
)
from mien.explain.figures.icons import draw_icon
from mien.labels import label_adjective, label_colour
from mien.results import Pixels, Score
from mien.text import allocate_ten_votes

_WIDE, _LINE = 1100, 56

#: Rows of the sum.
_ROWS = 16


def draw_softmax(told: Explanation) -> Pixels:
    """Every expression with its score, its share, and what ten people would say."""
    votes = told.emotions.votes
    rows = len(told.emotions.scores)
    canvas = Canvas(_WIDE, 40 + rows * _LINE + (_LINE + 120 if votes else 0))
    _shares(canvas, told)
    if votes:
        _people(canvas, 40 + rows * _LINE + 36, votes)
    top = told.emotions.ranked()[0]
    title = f"The expression looks {label_adjective(top.label)}, {_percent(top.score)}"
    return compose_figure(title, _sentences(told), canvas, _small_print(told))


def _sentences(told: Explanation) -> list[str]:
    doubt = f"Not sure: {told.emotions.uncertain}." if told.emotions.uncertain else ""
    return [each for each in (doubt, _mixture(told.emotions.mixture)) if each]


def _mixture(mixture: Sequence[Score]) -> str:
    if len(mixture) < 2:
        return ""
    return f"A mixed expression: {' and '.join(f'{_percent(each.score)} {each.label}' for each in mixture)}."


def _small_print(told: Explanation) -> list[str]:
    if not told.logits:
        return ["The scores behind these shares cannot be seen: the graph does not show them."]
    score = "Score: what goes into the softmax. "
    if told.temperature == 1:
        return [f"{score}How often a share of 70 % is right has not been measured for this model."]
    return [
        f"{score}All scores are divided by a temperature of {told.temperature:.2f}, measured once on faces kept aside, "
        "so that of all faces read at 70 % about 70 % turn out right. The thin line is the share without it."
    ]


def _shares(canvas: Canvas, told: Explanation) -> None:
    labels = told.emotions.labels
    scores, before = dict(told.logits), dict(told.scores_without_temperature)
    name, score, begin, end = 64, 370, 400, _WIDE - 110
    canvas.write((name, 4), "expression", SMALL, MUTED)
    canvas.write((score, 4), "score", SMALL, MUTED, "ra")
    canvas.write((_WIDE, 4), "share", SMALL, MUTED, "ra")
    for place, (label, share) in enumerate(told.emotions.ranked()):
        middle = 40 + place * _LINE + _LINE // 2
        small = draw_icon(label, 42, labels)
        canvas.image.paste(small, (0, middle - 21), small)
        canvas.write(
            (name, middle),
            ellipsize(printable_text(label) or f"label {labels.index(label) + 1}", WORDS, 200),
            anchor="lm",
        )
        if label in scores:
            canvas.write((score, middle), f"{scores[label]:.2f}", WORDS, MUTED, "rm")
        canvas.draw.rounded_rectangle((begin, middle - 15, end, middle + 15), 8, fill=PANEL)
        canvas.bar(begin, middle - 15, (end - begin) * share, 30, label_colour(label, labels))
        if label in before and told.temperature != 1:
            x = begin + (end - begin) * before[label]
            canvas.draw.line((x, middle - 19, x, middle + 19), fill=INK, width=2)
        canvas.write((_WIDE, middle), _percent(share), WORDS, anchor="rm", bold=1 if place == 0 else 0)


def _people(canvas: Canvas, top: int, votes: Sequence[Score]) -> None:
    people = allocate_ten_votes(votes)
    labels = tuple(share.label for share in votes)
    canvas.draw.line((0, top - 14, _WIDE, top - 14), fill=LINE)
    canvas.write((0, top + 4), "What ten people would say", WORDS)
    for place, label in enumerate(people):
        small = draw_icon(label, 58, labels)
        canvas.image.paste(small, (place * 70, top + 44), small)
    counted = ", ".join(f"{people.count(label)} {label}" for label in dict.fromkeys(people))
    canvas.write((0, top + 112), ellipsize(counted, SMALL, _WIDE), SMALL, MUTED)


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def draw_contributions(told: Explanation) -> Pixels:
    """What each channel adds to the target's score, the largest amounts first; the rest in one bar."""
    hot = told.temperature
    rows = [(f"map {each.channel}", f"{each.activation:.2f} × {each.weight * hot:.2f}", each.amount * hot)
            for each in told.contributions]  # fmt: skip
    rest = rows[_ROWS:]
    shown = rows[:_ROWS] + ([(f"the other {len(rest):,} together", "", sum(each[2] for each in rest))] if rest else [])
    shown.append(("in any case (bias)", "", told.bias * hot))
    total = sum(each[2] for each in shown)
    canvas = Canvas(_WIDE, len(shown) * 42 + 60)
    most = max(abs(amount) for _, _, amount in shown) or 1.0
    for place, (name, how, amount) in enumerate(shown):
        _adds(canvas, place * 42 + 20, name, how, amount, most)
    canvas.draw.line((0, len(shown) * 42 + 8, _WIDE, len(shown) * 42 + 8), fill=LINE)
    canvas.write((0, len(shown) * 42 + 36), f"score of {told.target}", WORDS, anchor="lm")
    canvas.write((_WIDE, len(shown) * 42 + 36), f"{total:.2f}", WORDS, anchor="rm", bold=1)
    sentence = "The dense layer: the mean of every last map, times its weight for this expression, all added up."
    return compose_figure(f"What speaks for “{told.target}”, and what against", [sentence], canvas)


def _adds(canvas: Canvas, middle: int, name: str, how: str, amount: float, most: float) -> None:
    zero, receptive_field = 690, 300
    canvas.write((0, middle), name, WORDS, anchor="lm")
    canvas.write((370, middle), how, SMALL, MUTED, "rm")
    length = receptive_field * abs(amount) / most
    canvas.bar(zero - (length if amount < 0 else 0), middle - 12, length, 24, LESS if amount < 0 else MORE)
    canvas.draw.line((zero, middle - 20, zero, middle + 21), fill=MUTED)
    canvas.write((_WIDE, middle), f"{amount:+.2f}", WORDS, anchor="rm")


def draw_costs(told: Explanation) -> Pixels:
    """Where learned numbers and multiply-adds are, layer by layer."""
    rows = told.costs
    name = min(max((round(text_width(each.layer, SMALL)) for each in rows), default=0) + 20, 420)
    canvas = Canvas(_WIDE, len(rows) * 34 + 40)
    half = (_WIDE - name) // 2
    parameters, work = sum(each.parameters for each in rows), sum(each.multiply_adds for each in rows)
    for column, word in enumerate(("learned numbers", "multiply-adds for one face")):
        canvas.write((name + column * half, 4), word, SMALL, MUTED)
    for place, each in enumerate(rows):
        middle = 40 + place * 34 + 15
        canvas.write((0, middle), ellipsize(each.layer, SMALL, name - 12), SMALL, anchor="lm")
        _cost(canvas, name, middle, half, each.parameters, max(row.parameters for row in rows))
        _cost(canvas, name + half, middle, half, each.multiply_adds, max(row.multiply_adds for row in rows))
    told_ = f"{parameters:,} learned numbers in all, and {work:,} multiply-adds for one face."
    return compose_figure("Where the numbers are", [told_], canvas)


def _cost(canvas: Canvas, left: int, middle: int, room: int, amount: int, most: int) -> None:
    words = f"{amount:,}"
    long = room - 150
    canvas.bar(left, middle - 9, long * amount / (most or 1), 18, ACCENT)
    canvas.write((left + long * amount / (most or 1) + 10, middle), words, SMALL, MUTED, "lm")
