"""The figures of an evaluation as text for a terminal and a mail."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien import plots
from mien.datasets.dataset import VOTE_CATEGORIES, FaceDataset
from mien.errors import OutputError
from mien.evaluation import metrics as scores
from mien.evaluation.evaluate import Predictions
from mien.files import write_atomically
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.plots.evaluation import Mistake, rank_votes, vote_colour
from mien.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Metrics = Mapping[str, Any]


def format_evaluation(metrics: Metrics) -> str:
    """The classification report and the figures below it; no line is longer than 80 cells."""
    return (
        "\n".join([evaluation_title(metrics), "", *_classes(metrics), "", *_figures(metrics), *_remarks(metrics)])
        + "\n"
    )


def evaluation_title(metrics: Metrics) -> str:
    """``base on the public split: 3,589 faces``."""
    return f"{metrics['model']['name']} on the {metrics['split']} split: {metrics['faces']:,} faces"


def percent(value: float | None, digits: int = 1) -> str:
    """``70.1 %``; a dash for what could not be measured."""
    return "-" if value is None else format_percent(value, digits)


def _classes(metrics: Metrics) -> Iterator[str]:
    rows = metrics["per_class"]
    width = max(10, *(len(name) for name in rows))
    yield f"{'expression':{width}}  precision  recall      f1     auc   faces"
    for name, row in rows.items():
        area = "-" if row["auc"] is None else f"{row['auc']:.3f}"
        numbers = f"{percent(row['precision']):>9}  {percent(row['recall']):>6}  {percent(row['f1']):>6}"
        yield f"{name:{width}}  {numbers}  {area:>6}  {row['support']:>6,}"


def _figures(metrics: Metrics) -> Iterator[str]:
    low, high = metrics["ci95"]
    yield f"accuracy            {percent(metrics['accuracy'])}  (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    if metrics["faces_no_twins"]:
        faces = f"({metrics['faces_no_twins']:,} faces)"
        yield f"  without twins     {percent(metrics['accuracy_no_twins'])}  {faces}"
    yield f"  surest 70 %       {percent(metrics['accuracy_surest_70'])}"
    for name, view in metrics["tta"].items():
        yield f"  {name:17} {percent(view['accuracy'])}  (several passes a face)"
    yield f"balanced accuracy   {percent(metrics['balanced_accuracy'])}"
    yield f"macro f1            {percent(metrics['macro_f1'])}"
    chance = f"by chance alone {percent(metrics['ece_by_chance'][0])}"
    yield f"calibration error   {percent(metrics['ece'])}  (calibrated: {percent(metrics['ece_calibrated'])}; {chance})"
    yield f"log loss, Brier     {metrics['nll']:.3f}, {metrics['brier']:.3f}"
    yield f"Cohen's kappa       {metrics['kappa']:.3f}"
    if "votes_accuracy" in metrics:
        faces = f"({metrics['votes_faces']:,} faces; divergence {metrics['votes_divergence']:.3f})"
        yield f"ten people (FER+)   {percent(metrics['votes_accuracy'])}  {faces}"
    if mixture := metrics.get("mixture"):
        faces = f"({metrics['votes_second_faces']:,} faces that have one)"
        yield f"  their second      {percent(metrics['votes_second'])}  {faces}"
        found, named = f"{percent(mixture['recall'])} found", f"(from {percent(mixture['above'], 0)} of the votes)"
        yield f"  mixtures          {percent(mixture['precision'])}  right, {found}  {named}"


def _remarks(metrics: Metrics) -> Iterator[str]:
    if left := metrics["left_out"]:
        words = ", ".join(f"{count:,} {name}" for name, count in left.items())
        yield f"left out, because the model does not know them: {words}"
    if metrics["ece_calibrated"] is None:
        yield "not calibrated: the data does not have the faces that the model held out, to fit a temperature on"


# ==== mien.lab.score_page
# The HTML page of an evaluation: values for the template ``evaluation_report.html``.


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
            {"answer": answer, "count": count, "colour": vote_colour(answer)}
            for answer, count in rank_votes(mistake.votes)
        ],
    }


# ==== mien.lab.sheet
# The evaluation folder: figures, answers, report and page of one model on one split, each file whole or not at all.

METRICS, TABLE, PAGE, REPORT = "metrics.json", "answers.csv", "evaluation.html", "report.txt"

#: How many mistakes a sheet shows.
MAX_MISTAKES = 24


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """The folder is there and can be written to, before anybody waits for an evaluation; left empty, it goes again."""
    before = folder.exists()
    _try(folder)
    try:
        yield
    finally:
        if not before and not any(folder.iterdir()):
            folder.rmdir()


def write_evaluation(folder: Path, found: Predictions, metrics: Mapping[str, Any]) -> list[Path]:
    """Every file of the evaluation; the last is the page that holds it all."""
    drawn = plot_evaluation(found, metrics)
    worst = worst_mistakes(found)
    sheet = {"mistakes": plots.plot_mistakes(worst)} if worst else {}
    files = {f"{name}.png": plots.render_png(figure) for name, figure in (drawn | sheet).items()}
    figures = {name: plots.render_svg(figure, name.replace("_", " ")) for name, figure in drawn.items()}
    files[TABLE] = format_predictions(found).encode()
    files[REPORT] = format_evaluation(metrics).encode()
    files[METRICS] = (json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    files[PAGE] = render_evaluation_report(metrics, figures, worst).encode()
    return [write_file(folder / name, content) for name, content in files.items()]


def plot_evaluation(found: Predictions, metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name, without the sheet of mistakes."""
    shares, labels, names = found.shares, found.faces.labels, found.card.labels
    counts = scores.confusion_matrix(shares, labels)
    there = [(number, name) for number, name in enumerate(names) if metrics["per_class"][name]["auc"] is not None]
    certain, right, _ = scores.reliability_curve(shares, labels)
    drawn = {
        "confusion": plots.plot_confusion(counts, names),
        "confusion_shares": plots.plot_confusion(counts, names, shares=True),
        "reliability": plots.plot_reliability(certain, right, metrics["ece"], shares.max(1)),
        "coverage": plots.plot_coverage(*scores.coverage_curve(shares, labels)),
    }
    if there:
        drawn["roc"] = plots.plot_roc([*_rocs(found, there), *_mean_rocs(found, metrics)])
        drawn["precision_recall"] = plots.plot_precision_recall(_precisions(found, there))
    return drawn


def worst_mistakes(found: Predictions, count: int = MAX_MISTAKES) -> list[plots.Mistake]:
    """The mistakes of which the model was most certain, the most certain first."""
    answer, labels = found.shares.argmax(1), found.faces.labels
    wrong = np.flatnonzero(answer != labels)
    order = wrong[np.argsort(-found.shares[wrong].max(1), kind="stable")][:count]
    names = found.card.labels
    return [
        plots.Mistake(
            pixels=found.faces.pixels[place],
            label=names[labels[place]],
            answer=names[answer[place]],
            certainty=float(found.shares[place].max()),
            doubt=float(found.shares[place, labels[place]]),
            votes=votes_of_face(found.faces, int(place)),
        )
        for place in order
    ]


def votes_of_face(faces: FaceDataset, place: int) -> dict[str, int]:
    """What people answered about one face, by answer; empty where nobody was asked."""
    words = (*VOTE_CATEGORIES[:-1], "no face")
    return {word: int(count) for word, count in zip(words, faces.votes[place], strict=True) if count}


def format_predictions(found: Predictions) -> str:
    """One row a face: where it stands in the data (from 0), its label, the answer, and every share."""
    names = found.card.labels
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["place", "label", "answer", *names])
    for place, label, shares in zip(found.places, found.faces.labels, found.shares, strict=True):
        rows.writerow([place, names[label], names[shares.argmax()], *(f"{share:.6f}" for share in shares)])
    return text.getvalue()


def _rocs(found: Predictions, there: list[tuple[int, str]]) -> list[plots.PlotCurve]:
    pairs = [(name, found.shares[:, number], found.faces.labels == number) for number, name in there]
    return [plots.PlotCurve(name, *scores.roc_curve(*pair), scores.roc_auc(*pair)) for name, *pair in pairs]


def _mean_rocs(found: Predictions, metrics: Mapping[str, Any]) -> list[plots.PlotCurve]:
    every = scores.micro_average(found.shares, found.faces.labels)
    micro = plots.PlotCurve("all answers (micro)", *scores.roc_curve(*every), scores.roc_auc(*every), True)
    macro = scores.macro_roc(found.shares, found.faces.labels)
    return [micro, plots.PlotCurve("mean of classes (macro)", *macro, metrics["auc_macro"], True)]


def _precisions(found: Predictions, there: list[tuple[int, str]]) -> list[plots.PlotCurve]:
    pairs = [(name, found.shares[:, number], found.faces.labels == number) for number, name in there]
    return [
        plots.PlotCurve(name, *scores.precision_recall_curve(*pair), scores.average_precision(*pair))
        for name, *pair in pairs
    ]


def _try(folder: Path) -> None:
    trial = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_file(path: Path, content: bytes) -> Path:
    """The file, whole or not at all; an OutputError where it cannot be."""
    try:
        write_atomically(path, content, sync=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or error
    return OutputError(
        f"'{path}' cannot be written: {reason}", "a folder with room to write in", "Name another with -o"
    )
