"""One HTML page that holds a whole evaluation: its own style, light and dark, no script and no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from PIL import Image

from mien import __version__
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
    return whole(title(metrics), _body(metrics, figures, worst))


def whole(name: str, body: Iterable[str]) -> str:
    """A page of our style around these elements."""
    style = files("mien.lab").joinpath("score_page.css").read_text("utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"{head}<title>{escape(name)}</title>\n<style>\n{style}</style>"
    inside = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{inside}\n</body></html>\n'


def _body(metrics: Metrics, figures: Mapping[str, str], worst: Sequence[Mistake]) -> Iterator[str]:
    yield f"<h1>{escape(metrics['model']['name'])} on the {escape(metrics['split'])} split</h1>"
    yield f"<p class='muted'>{_facts(metrics)}</p>"
    yield f"<div class='tiles'>{''.join(_tiles(metrics))}</div>"
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
    yield f"<p><small>Made by mien {__version__}. {rights}</small></p>"


def _facts(metrics: Metrics) -> str:
    model = metrics["model"]
    facts = [f"{metrics['faces']:,} faces", escape(model["file"]), f"{model['megabytes']:.1f} MB"]
    facts += [f"{model['parameters'] / 1e6:.2f} M parameters"] if model["parameters"] else []
    facts += [f"{model['milliseconds']:.2f} ms a face on one core"]
    return " · ".join(facts)


def _tiles(metrics: Metrics) -> Iterator[str]:
    low, high = metrics["ci95"]
    yield _tile("accuracy", percent(metrics["accuracy"]), f"95 % interval {100 * low:.1f} to {100 * high:.1f}")
    twins = metrics["faces"] - metrics["faces_no_twins"]
    yield _tile("without twins", percent(metrics["accuracy_no_twins"]), f"{twins:,} faces stand in training too")
    yield _tile("balanced", percent(metrics["balanced_accuracy"]), f"macro f1 {percent(metrics['macro_f1'])}")
    yield _tile("surest 70&nbsp;%", percent(metrics["accuracy_surest_70"]), "when the rest gets no answer")
    calibrated = f"calibrated: {percent(metrics['ece_calibrated'])}"
    yield _tile("calibration error", percent(metrics["ece"]), calibrated)
    if "votes_accuracy" in metrics:
        told = f"{metrics['votes_faces']:,} faces with a majority, divergence {metrics['votes_divergence']:.2f}"
        yield _tile("ten people (FER+)", percent(metrics["votes_accuracy"]), told)


def _tile(name: str, value: str, told: str) -> str:
    return f"<div class='tile'><span>{name}</span><b>{value}</b><small>{told}</small></div>"


def _remarks(metrics: Metrics) -> Iterator[str]:
    if left := metrics["left_out"]:
        words = ", ".join(f"{count:,} {escape(name)}" for name, count in left.items())
        yield f"Left out, because the model does not know them: {words}."
    fitted = metrics["calibration"]
    if fitted["temperature"]:
        others = f"{escape(fitted['on'])} ({fitted['faces']:,} Training faces held out)"
        yield f"Temperature {fitted['temperature']:.2f}, fitted on {others}."


def _classes(metrics: Metrics) -> str:
    rows = "".join(_class(name, row) for name, row in metrics["per_class"].items())
    head = "".join(f"<th>{word}</th>" for word in ("expression", "recall", "precision", "f1", "auc", "faces"))
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _class(name: str, row: Metrics) -> str:
    hue = colour(name)
    bar = f"<span class='bar'><i style='width:{100 * row['recall']:.1f}%;background:{hue}'></i></span>"
    area = "-" if row["auc"] is None else f"{row['auc']:.3f}"
    cells = (percent(row["precision"]), percent(row["f1"]), area, f"{row['support']:,}")
    first = f"<td><span class='dot' style='background:{hue}'></span>{escape(name)}</td>"
    rest = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr>{first}<td>{bar}<span class='number'>{percent(row['recall'])}</span></td>{rest}</tr>"


def _pair(figures: Mapping[str, str], *names: str) -> str:
    return f"<div class='pair'>{''.join(f'<figure>{figures[name]}</figure>' for name in names)}</div>"


def _passes(metrics: Metrics) -> Iterator[str]:
    if not metrics["tta"]:
        return
    rows = {"one pass": metrics, **metrics["tta"]}
    cells = "".join(
        f"<tr><td>{name}</td><td>{percent(row['accuracy'])}</td><td>{row['nll']:.3f}</td><td>{percent(row['ece'])}</td></tr>"
        for name, row in rows.items()
    )
    yield "<h2>Looking at a face more than once</h2>"
    yield "<p>Test-time augmentation: the mean answer over the mirror image, and over shifts of two pixels as well. "
    yield "Every other figure on this page is of one pass.</p>"
    yield f"<table><tr><th></th><th>accuracy</th><th>log loss</th><th>calibration error</th></tr>{cells}</table>"


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
    answer = f"<p><b style='color:{colour(mistake.answer)}'>{escape(mistake.answer)}</b><b>{certain}</b></p>"
    label = f"<p class='muted'><span>label: {escape(mistake.label)}</span><span>{doubt}</span></p>"
    image = f"<img alt='a face that looks {escape(mistake.answer)} to the model' src='{_inline(mistake.pixels)}'>"
    beside = f"<div>{answer}{label}<div class='said'>{squares}</div><small>{words}</small></div>"
    return f"<div class='face'>{image}{beside}</div>"


def _inline(pixels: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
