"""How the numbers become an answer: the dense layer, softmax, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from mien.explain.journey.parts import plain, rung, signed, strip, whole_percent
from mien.explain.journey.step import Step
from mien.html import icon_svg
from mien.labels import adjective, colour
from mien.words import of_ten

if TYPE_CHECKING:
    from mien.explain.explanation import Contribution
    from mien.explain.journey.scene import Scene
    from mien.types import Emotions, Share

#: Channels that get a row of their own in the sum.
_ROWS = 8


def dense(scene: Scene) -> Step:
    told = scene.told
    many, target = len(told.contributions), escape(told.target)
    total = (sum(each.amount for each in told.contributions) + told.bias) * told.temperature
    return Step(
        key="sum",
        short="Sum",
        eyebrow="the dense layer",
        title=f"What speaks for “{told.target}”, and what against",
        words=f"For each expression the network has learned how much every one of the {many} numbers matters to it: "
        f"its weight. Number times weight, all added up, is the score of “{target}”; orange adds, blue takes away.",
        facts=(("numbers", f"{many}"), ("score", plain(total))),
        html=_sum(scene, total),
        thumb=_sum_thumb(told.contributions),
    )


def _sum(scene: Scene, total: float) -> str:
    # The graph divides by the temperature in its weights; the softmax step speaks of that, so here it is taken out.
    hot = scene.told.temperature
    every = [each._replace(weight=each.weight * hot, amount=each.amount * hot) for each in scene.told.contributions]
    rows, rest, bias = every[:_ROWS], every[_ROWS:], scene.told.bias * hot
    names = [_mapped(scene, each) for each in rows] + [f"the other {len(rest)} together"] * bool(rest)
    amounts = [each.amount for each in rows] + [sum(each.amount for each in rest)] * bool(rest)
    drawn = _ladder([*names, "what is added in any case"], [*amounts, bias])
    head = "<tr><th scope='col'>number × weight</th><th scope='col'>adds</th></tr>"
    foot = f"<tr><th scope='row'>score of {escape(scene.told.target)}</th><td><b>{plain(total)}</b></td></tr>"
    caption = "<caption class='hidden'>What each number adds to the score</caption>"
    return f"<table class='sum'>{caption}<thead>{head}</thead><tbody>{drawn}</tbody><tfoot>{foot}</tfoot></table>"


def _ladder(names: Sequence[str], amounts: Sequence[float]) -> str:
    """A row for each amount; its bar begins where the one before it ended."""
    sums = list(accumulate(amounts, initial=0.0))
    low, high = min(sums), max(sums)
    return "".join(
        f"<tr><th scope='row'>{name}</th><td>{rung(begin, end, low, high)}<span>{signed(amount)}</span></td></tr>"
        for name, amount, (begin, end) in zip(names, amounts, pairwise(sums), strict=True)
    )


def _mapped(scene: Scene, each: Contribution) -> str:
    atlas = scene.last_maps
    tile = atlas.tile(each.channel) if atlas and each.channel in atlas.channels else ""
    told = f"map {each.channel}<small>{plain(each.activation)} × {plain(each.weight)}</small>"
    return f"<span class='mapped'>{tile}<span>{told}</span></span>"


def _sum_thumb(contributions: Sequence[Contribution]) -> str:
    most = abs(contributions[0].amount) or 1.0
    bars = "".join(
        f"<rect class='{'less' if amount < 0 else 'more'}' x='{16 + min(amount, 0):.1f}' width='{abs(amount):.1f}' "
        f"y='{place * 5.2 + 1:.1f}' height='4' rx='1'/>"
        for place, amount in enumerate(14 * each.amount / most for each in contributions[:6])
    )
    return f"<svg class='thumb' viewBox='0 0 32 32' aria-hidden='true'>{bars}</svg>"


def softmax(scene: Scene) -> Step:
    told = scene.told
    words = (
        "Softmax turns scores into shares that add up to 100\u00a0%: the highest score gets the most, and a lead of "
        f"one point makes a share almost three times as large. {_tempered(told.temperature)}"
    )
    return Step(
        key="softmax",
        short="Softmax",
        eyebrow="softmax",
        title="Scores become shares",
        words=words,
        facts=(
            ("temperature", f"{told.temperature:.2f}"),
            ("how sure", whole_percent(told.emotions[told.emotions.top])),
        ),
        html=_shares(scene),
        thumb=_bars_thumb(scene),
    )


def _tempered(temperature: float) -> str:
    if temperature == 1:
        return "Whether a share of 70\u00a0% is right in 70\u00a0% of all cases has not been measured for this model."
    return (
        f"Before that all scores are divided by a temperature of {temperature:.2f}, measured once so that of all faces "
        "read at 70\u00a0%, about 70\u00a0% turn out right."
    )


def _shares(scene: Scene) -> str:
    told, labels = scene.told, scene.labels
    scores, before = dict(told.logits), dict(told.untempered) if told.temperature != 1 else {}
    rows = "".join(
        f"<tr><th scope='row'>{icon_svg(label, labels)}<span>{escape(label)}</span></th>"
        f"<td class='score'>{plain(scores[label])}</td>"
        f"<td class='grow'>{strip(share, colour(label, labels), before.get(label))}</td>"
        f"<td><b>{whole_percent(share)}</b></td></tr>"
        for label, share in told.emotions.ranked()
    )
    head = "".join(f"<th scope='col'>{word}</th>" for word in ("expression", "score", "", "share"))
    mark = "<p class='more'>The thin line on each bar is the share as it would be without the temperature.</p>"
    mark = mark if before else ""
    return f"<table class='shares'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{mark}"


def _bars_thumb(scene: Scene) -> str:
    ranked = scene.told.emotions.ranked()[:5]
    most = ranked[0].share or 1.0
    bars = "".join(
        f"<rect y='{place * 6 + 2}' height='4.4' rx='1' x='2' width='{max(28 * share / most, 1):.1f}' "
        f"fill='{colour(label, scene.labels)}'/>"
        for place, (label, share) in enumerate(ranked)
    )
    return f"<svg class='thumb' viewBox='0 0 32 32' aria-hidden='true'>{bars}</svg>"


def result(scene: Scene) -> Step:
    emotions = scene.told.emotions
    top = emotions.top
    sure = whole_percent(emotions[top])
    return Step(
        key="result",
        short="Result",
        eyebrow="the result",
        title=f"The expression looks {adjective(top)}",
        words=f"That is what the network makes of this face, and it gives the answer {sure}. {_doubt(emotions)}",
        html=_verdict(scene),
        thumb=icon_svg(top, scene.labels, css="thumb round"),
        aside=_notes(scene) + "<p class='muted'>What a face shows and what a person feels are two things; this speaks "
        "only of the first.</p>",
        css="result",
    )


def _doubt(emotions: Emotions) -> str:
    if emotions.uncertain:
        return f"It is not sure: {escape(emotions.uncertain)}."
    second = emotions.ranked()[1:2]
    return "".join(f"The next best guess is {escape(each.label)} with {whole_percent(each.share)}." for each in second)


def _verdict(scene: Scene) -> str:
    emotions = scene.told.emotions
    face = scene.crop("The face as the network saw it")
    big = icon_svg(emotions.top, scene.labels, css="verdict-icon")
    mixture = _mixture(emotions, scene.labels)
    return f"<div class='verdict'><div class='meet'>{face}{big}</div>{mixture}{_ten(emotions)}</div>"


def _mixture(emotions: Emotions, labels: tuple[str, ...]) -> str:
    """All shares on one line, and the names of those that can be seen."""
    begin, parts = 0.0, []
    for label, share in emotions.ranked():
        parts.append(f"<rect x='{begin:.2f}' width='{100 * share:.2f}' height='10' fill='{colour(label, labels)}'/>")
        begin += 100 * share
    named = "".join(
        f"<li>{icon_svg(label, labels)}<b>{whole_percent(share)}</b> {escape(label)}</li>"
        for label, share in emotions.ranked()[:4]
        if share >= 0.05
    )
    shape = "viewBox='0 0 100 10' preserveAspectRatio='none' aria-hidden='true'"
    line = f"<svg class='mixture' {shape}>{''.join(parts)}</svg>"
    return f"<div><h3>The network’s shares</h3>{line}<ul class='legend'>{named}</ul></div>"


def _ten(emotions: Emotions) -> str:
    if emotions.votes is None:
        return ""
    people = of_ten(emotions.votes)
    labels = tuple(share.label for share in emotions.votes)
    faces = "".join(icon_svg(label, labels) for label in people)
    counted = ", ".join(f"{people.count(label)} {escape(label)}" for label in dict.fromkeys(people))
    told = _mixed(emotions.mixture, max(share.share for share in emotions.votes))
    return (
        f"<div><h3>What ten people would say</h3><p class='ten'>{faces}</p><p class='muted'>{counted}. {told}</p></div>"
    )


def _mixed(mixture: Sequence[Share], most: float) -> str:
    if len(mixture) < 2:
        return "Most would agree." if most > 0.5 else "They would not agree."
    words = " and ".join(f"{whole_percent(share.share)} {escape(share.label)}" for share in mixture)
    return f"A mixed expression: {words}."


def _notes(scene: Scene) -> str:
    return "".join(f"<p class='note warn'>{escape(note)}</p>" for note in scene.told.notes)
