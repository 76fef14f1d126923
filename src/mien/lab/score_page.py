"""One HTML page that holds a whole evaluation: its own style, light and dark, no script and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from mien.html import bar, expression_name, footer, image_tag, render_page, table, tile, tiles
from mien.lab.score_report import percent, title
from mien.labels import colour
from mien.plots.faces import Mistake, ranked, shade

Metrics = Mapping[str, Any]

_MEANING = {
    "twins": "8 % of FER2013's test faces are pixel for pixel a training face. "
    "Without twins, such faces are left out of the count.",
    "balanced accuracy": "the mean of the recalls, so that a rare expression counts as much as a common one.",
    "calibration error (ECE)": "how far certainty is from accuracy, in 15 bins of equally many faces. "
    "The calibrated figure divides the logits by one temperature, fitted on other faces than these.",
    "95 % interval": "the middle 95 % of the accuracy over 2,000 bootstrap draws of these faces.",
    "ten people (FER+)": "the second head against the expression that most of ten people named. A face counts when one "
    "of the eight expressions has more votes than every other; divergence is Kullback-Leibler's, in nats.",
    "log loss, Brier, kappa": "mean negative logarithm of the label's share; mean squared distance from certainty; "
    "agreement beyond chance.",
}


def page(metrics: Metrics, figures: Mapping[str, str], worst: Sequence[Mistake]) -> str:
    """The page; ``figures`` are ``<svg>`` elements by name, ``worst`` the mistakes to show."""
    return render_page(title(metrics), _body(metrics, figures, worst))


def _body(metrics: Metrics, figures: Mapping[str, str], worst: Sequence[Mistake]) -> Iterator[str]:
    yield f"<h1>{escape(metrics['model']['name'])} on the {escape(metrics['split'])} split</h1>"
    yield f"<p class='muted'>{_facts(metrics)}</p>"
    yield tiles(_tiles(metrics))
    yield from (f"<p>{remark}</p>" for remark in _remarks(metrics))
    yield "<h2>What it gets right</h2>"
    yield _classes(metrics)
    yield _pair(figures, "confusion_shares", "confusion")
    if "roc" in figures:
        yield "<h2>How well expressions are told apart</h2>"
        yield _pair(figures, "roc", "precision_recall")
    yield "<h2>Does it know when it is right?</h2>"
    yield _pair(figures, "reliability", "coverage")
    yield from _passes(metrics)
    yield from _mistakes(metrics, worst)
    yield "<h2>What the words mean</h2>"
    yield f"<dl>{''.join(f'<dt>{escape(word)}</dt><dd>{escape(told)}</dd>' for word, told in _MEANING.items())}</dl>"
    rights = "Faces from the data are shown here: mind their rights before you publish."
    yield footer(rights)


def _facts(metrics: Metrics) -> str:
    model = metrics["model"]
    facts = [f"{metrics['faces']:,} faces", escape(model["file"]), f"{model['megabytes']:.1f} MB"]
    facts += [f"{model['parameters'] / 1e6:.2f} M parameters"] if model["parameters"] else []
    facts += [f"{model['milliseconds']:.2f} ms a face on one core"]
    return " · ".join(facts)


def _tiles(metrics: Metrics) -> Iterator[str]:
    low, high = metrics["ci95"]
    yield tile("accuracy", percent(metrics["accuracy"]), f"95 % interval {100 * low:.1f} to {100 * high:.1f}")
    twins = metrics["faces"] - metrics["faces_no_twins"]
    yield tile("without twins", percent(metrics["accuracy_no_twins"]), f"{twins:,} faces stand in training too")
    yield tile("balanced", percent(metrics["balanced_accuracy"]), f"macro f1 {percent(metrics['macro_f1'])}")
    yield tile("surest 70\u00a0%", percent(metrics["accuracy_surest_70"]), "when the rest gets no answer")
    calibrated = f"calibrated: {percent(metrics['ece_calibrated'])}; by chance {percent(metrics['ece_by_chance'][0])}"
    yield tile("calibration error", percent(metrics["ece"]), calibrated)
    if "votes_accuracy" in metrics:
        told = f"{metrics['votes_faces']:,} faces with a majority, divergence {metrics['votes_divergence']:.2f}"
        yield tile("ten people (FER+)", percent(metrics["votes_accuracy"]), told)
    if mixture := metrics.get("mixture"):
        found = f"{percent(mixture['recall'], 0)} of what a fifth of people named is found"
        yield tile("mixtures", percent(mixture["precision"]), f"of the expressions named are right; {found}")
        told = f"of {metrics['votes_second_faces']:,} faces on which people have a second"
        yield tile("second expression", percent(metrics["votes_second"]), told)


def _remarks(metrics: Metrics) -> Iterator[str]:
    if left := metrics["left_out"]:
        words = ", ".join(f"{count:,} {escape(name)}" for name, count in left.items())
        yield f"Left out, because the model does not know them: {words}."
    fitted = metrics["calibration"]
    if fitted["temperature"]:
        others = f"{escape(fitted['on'])} ({fitted['faces']:,} Training faces held out)"
        yield f"Temperature {fitted['temperature']:.2f}, fitted on {others}."


def _classes(metrics: Metrics) -> str:
    head = ("expression", "recall", "precision", "f1", "auc", "faces")
    return table(head, (_class(name, row) for name, row in metrics["per_class"].items()))


def _class(name: str, row: Metrics) -> list[str]:
    area = "-" if row["auc"] is None else f"{row['auc']:.3f}"
    recall = f"{bar(row['recall'], colour(name))}<span class='number'>{percent(row['recall'])}</span>"
    return [expression_name(name), recall, percent(row["precision"]), percent(row["f1"]), area, f"{row['support']:,}"]


def _pair(figures: Mapping[str, str], *names: str) -> str:
    return f"<div class='pair'>{''.join(f'<figure>{figures[name]}</figure>' for name in names)}</div>"


def _passes(metrics: Metrics) -> Iterator[str]:
    if not metrics["tta"]:
        return
    rows = {"one pass": metrics, **metrics["tta"]}
    yield "<h2>Looking at a face more than once</h2>"
    yield "<p>Test-time augmentation: the mean answer over the mirror image, and over shifts of two pixels as well. "
    yield "Every other figure on this page is of one pass.</p>"
    yield table(
        ("", "accuracy", "log loss", "calibration error"),
        ([name, percent(row["accuracy"]), f"{row['nll']:.3f}", percent(row["ece"])] for name, row in rows.items()),
    )


def _mistakes(metrics: Metrics, worst: Sequence[Mistake]) -> Iterator[str]:
    if not worst:
        return
    yield "<h2>The most certain mistakes, and what people said</h2>"
    sides = metrics["mistakes"]
    if sides["with_majority"]:
        parts = [
            f"{percent(sides[key] / sides['with_majority'], 0)} {word}"
            for key, word in (
                ("people_say_the_answer", "say what the model answered"),
                ("people_say_the_label", "say what the label says"),
                ("people_say_something_else", "say something else"),
            )
        ]
        told = f"Of all {sides['faces']:,} mistakes, {sides['with_majority']:,} have a majority among ten people"
        yield f"<p>{told}: {', '.join(parts)}. The label is not always the truth.</p>"
    yield f"<div class='faces'>{''.join(map(_face, worst))}</div>"


def _face(mistake: Mistake) -> str:
    said = ranked(mistake.votes)
    squares = "".join(f"<i style='background:{shade(answer)}'></i>" * count for answer, count in said)
    words = ", ".join(f"{count} {escape(answer)}" for answer, count in said) or "nobody was asked"
    certain, doubt = percent(mistake.certainty, 0), percent(mistake.doubt, 0)
    answer = f"<p class='ends'>{expression_name(mistake.answer)}<b>{certain}</b></p>"
    told = f"<p class='ends muted'><span>label: {escape(mistake.label)}</span><span>{doubt}</span></p>"
    image = image_tag(mistake.pixels, f"a face that looks {mistake.answer} to the model")
    beside = f"<div>{answer}{told}<div class='said'>{squares}</div><small>{words}</small></div>"
    return f"<div class='face'>{image}{beside}</div>"
