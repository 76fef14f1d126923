"""The evaluation report: metrics as JSON and text, predictions as CSV, figures as PNG, and an HTML page of them all."""

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
from mien.errors import OutputError
from mien.evaluation import metrics
from mien.evaluation.evaluate import Predictions
from mien.files import write_atomically
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.plots.evaluation import Mistake, vote_colour
from mien.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS, TABLE, PAGE, REPORT = "metrics.json", "predictions.csv", "evaluation.html", "report.txt"

#: The most mistakes in a report.
MAX_MISTAKES = 24

#: The content of ``metrics.json``.
Values = Mapping[str, Any]


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Create the folder and check that it can be written to before a long evaluation; removed if it stays empty."""
    existed = folder.exists()
    test = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        test.touch()
        test.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def write_evaluation(folder: Path, predictions: Predictions, values: Values) -> list[Path]:
    """Write every file of the evaluation; the paths, the page with everything last."""
    synthetic = predictions.faces.synthetic
    files, svgs = render_figures(plot_evaluation(predictions, values), synthetic=synthetic)
    mistakes = worst_mistakes(predictions)
    if mistakes:
        files["mistakes.png"] = plots.render_png(plots.plot_mistakes(mistakes), synthetic=synthetic)
    files[TABLE] = format_predictions(predictions).encode()
    files[REPORT] = format_evaluation(values).encode()
    files[METRICS] = encode_json(values)
    files[PAGE] = render_evaluation_report(values, svgs, mistakes).encode()
    return write_files(folder, files)


def render_figures(
    figures: Mapping[str, Figure], *, synthetic: bool = False
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The PNG files by file name, and the ``<svg>`` elements by the name of the figure."""
    files = {f"{name}.png": plots.render_png(figure, synthetic=synthetic) for name, figure in figures.items()}
    svgs = {
        name: plots.render_svg(figure, name.replace("_", " "), synthetic=synthetic) for name, figure in figures.items()
    }
    return files, svgs


def encode_json(values: Values) -> bytes:
    """The content of a JSON file; a ValueError for NaN."""
    return (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write the files into the folder by their names; the paths in the same order."""
    return [write_file(folder / name, content) for name, content in files.items()]


def write_file(path: Path, content: bytes) -> Path:
    """Write the file atomically; an OutputError where it cannot be written."""
    try:
        write_atomically(path, content, sync=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> OutputError:
    happened = f"'{path}' cannot be written: {error.strerror or error}"
    return OutputError(happened, "a writable folder with enough space was expected", "Name another with -o")


def format_evaluation(values: Values, target: str = "both") -> str:
    """The metrics of the target ``people``, ``label`` or ``both`` as text; no line is longer than 80 characters.

    Without annotator votes there are no faces for the target ``people``, and ``both`` is the label alone.
    """
    title = f"{values['model']['name']} on the {values['split']} split: {describe_faces(values)}"
    people = [] if target == "label" else [*_people_lines(values), ""]
    if target == "both" and "people" in values:
        people.append("label: FER2013's own label of each face")
    label = [] if target == "people" else [*_class_lines(values), "", *_metric_lines(values)]
    return "\n".join([title, "", *people, *label, *_notes(values)]) + "\n"


def describe_faces(values: Values) -> str:
    """``3,589 faces``, or ``700 synthetic faces``."""
    return f"{values['faces']:,} {'synthetic ' if values.get('synthetic') else ''}faces"


def describe_chance(chance: Values) -> str:
    """``14.3 % (always happy: 24.9 %)``: one of the classes at random, and always the class with the most faces."""
    uniform, majority = (percent_or_dash(chance[key]) for key in ("uniform", "majority_class_accuracy"))
    return f"{uniform} (always {chance['majority_class']}: {majority})"


def _people_lines(values: Values) -> Iterator[str]:
    people = values.get("people")
    if not people:
        yield "people: the data has no annotator votes (FER+) to compare with"
        return
    yield f"people: what at least half of the annotators chose; {people['faces']:,} faces"
    clear = people.get("clear")
    clear_recall = clear["recall"] if clear else {}
    yield f"{'expression':10}  recall  recall of clear faces"
    for name, recall in people["recall"].items():
        yield f"{name:10}  {percent_or_dash(recall):>6}  {percent_or_dash(clear_recall.get(name)):>21}"
    yield ""
    low, high = people["ci95"]
    interval = f"(95 % interval {100 * low:.1f} to {100 * high:.1f})"
    yield f"accuracy            {percent_or_dash(people['accuracy'])}  {interval}"
    yield f"  chance            {describe_chance(metrics.chance_accuracy(people['support']))}"
    if clear:
        faces = f"({clear['faces']:,} faces of which eight of ten chose it)"
        yield f"  clear faces       {percent_or_dash(clear['accuracy'])}  {faces}"
    yield f"  at 70 % coverage  {percent_or_dash(people['coverage']['0.7'])}"
    yield f"balanced accuracy   {percent_or_dash(people['balanced_accuracy'])}"
    if even := people.get("even_prior"):
        plain = percent_or_dash(even["accuracy"])
        yield f"  with even prior   {percent_or_dash(even['balanced_accuracy'])}  (accuracy {plain})"
    chance = percent_or_dash(people["ece_by_chance"][0])
    yield f"calibration error   {percent_or_dash(people['ece'])}  (expected by chance: {chance})"
    if people["log_loss"] is not None:
        yield f"log loss of votes   {people['log_loss']:.3f}"


def percent_or_dash(value: float | None, digits: int = 1) -> str:
    """``70.1 %``; a dash for None."""
    return "-" if value is None else format_percent(value, digits)


def _class_lines(values: Values) -> Iterator[str]:
    rows = values["per_class"]
    width = max(10, *(len(name) for name in rows))
    yield f"{'expression':{width}}  precision  recall      f1     auc   faces"
    for name, row in rows.items():
        auc = "-" if row["auc"] is None else f"{row['auc']:.3f}"
        percents = [percent_or_dash(row[key]) for key in ("precision", "recall", "f1")]
        yield f"{name:{width}}  {percents[0]:>9}  {percents[1]:>6}  {percents[2]:>6}  {auc:>6}  {row['support']:>6,}"


def _metric_lines(values: Values) -> Iterator[str]:
    low, high = values["ci95"]
    interval = f"(95 % interval {100 * low:.1f} to {100 * high:.1f})"
    yield f"accuracy            {percent_or_dash(values['accuracy'])}  {interval}"
    yield f"  chance            {describe_chance(values['chance'])}"
    if "standard_error" in values:
        yield f"  standard error    {percent_or_dash(values['standard_error'], 2)}"
    if values["faces_no_duplicates"]:
        faces = f"({values['faces_no_duplicates']:,} faces)"
        yield f"  no duplicates     {percent_or_dash(values['accuracy_no_duplicates'])}  {faces}"
    yield f"  at 70 % coverage  {percent_or_dash(values['accuracy_at_coverage_70'])}"
    for name, row in values["tta"].items():
        yield f"  {name:17} {percent_or_dash(row['accuracy'])}  (test-time augmentation)"
    yield f"balanced accuracy   {percent_or_dash(values['balanced_accuracy'])}"
    yield f"macro f1            {percent_or_dash(values['macro_f1'])}"
    calibrated, chance = percent_or_dash(values["ece_calibrated"]), percent_or_dash(values["ece_by_chance"][0])
    details = f"(calibrated: {calibrated}; expected by chance: {chance})"
    yield f"calibration error   {percent_or_dash(values['ece'])}  {details}"
    yield f"log loss, Brier     {values['nll']:.3f}, {values['brier']:.3f}"
    yield f"Cohen's kappa       {values['kappa']:.3f}"
    if "votes_accuracy" in values:
        faces = f"({values['votes_faces']:,} faces; divergence {values['votes_divergence']:.3f})"
        yield f"votes (FER+)        {percent_or_dash(values['votes_accuracy'])}  {faces}"
    if mixture := values.get("mixture"):
        faces = f"({values['votes_second_faces']:,} faces that have one)"
        yield f"  second expression {percent_or_dash(values['votes_second'])}  {faces}"
        precision, recall = percent_or_dash(mixture["precision"]), percent_or_dash(mixture["recall"])
        above = f"(from {percent_or_dash(mixture['above'], 0)} of the votes)"
        yield f"  mixtures          precision {precision}, recall {recall}  {above}"


def _notes(values: Values) -> Iterator[str]:
    if excluded := values["excluded"]:
        counts = ", ".join(f"{count:,} {name}" for name, count in excluded.items())
        yield f"excluded, because the model does not have these labels: {counts}"
    if values["ece_calibrated"] is None:
        yield "not calibrated: the data does not have the model's validation faces"


def render_evaluation_report(values: Values, figures: Mapping[str, str], mistakes: Sequence[Mistake]) -> str:
    """The page. ``figures`` are ``<svg>`` elements by name; ``mistakes`` are the errors with the highest confidence."""
    people = values.get("people")
    return render(
        "evaluation_report.html",
        metrics=values,
        chance=describe_chance(values["chance"]),
        people_chance=describe_chance(metrics.chance_accuracy(people["support"])) if people else "",
        figures=figures,
        mistakes=[_mistake_values(mistake) for mistake in mistakes],
    )


def _mistake_values(mistake: Mistake) -> dict[str, Any]:
    height, width = mistake.pixels.shape[:2]
    return {
        "image": data_uri(encode_image(mistake.pixels)),
        "width": width,
        "height": height,
        "prediction": mistake.prediction,
        "confidence": mistake.confidence,
        "label": mistake.label,
        "label_probability": mistake.label_probability,
        "votes": [
            {"answer": answer, "count": count, "colour": vote_colour(answer)} for answer, count in mistake.votes.items()
        ],
    }


def plot_evaluation(predictions: Predictions, values: Values) -> dict[str, Figure]:
    """The figures by name, without the sheet of mistakes."""
    scores, labels, names = predictions.scores, predictions.faces.labels, predictions.card.labels
    counts = metrics.confusion_matrix(scores, labels)
    confidence, correct, _ = metrics.reliability_curve(scores, labels)
    majority = predictions.faces.majority_labels(metrics.MAJORITY)
    decided = majority >= 0
    figures = {
        "confusion": plots.plot_confusion(counts, names),
        "confusion_normalized": plots.plot_confusion(counts, names, normalized=True),
        "reliability": plots.plot_reliability(confidence, correct, values["ece"], scores.max(1)),
        "coverage": plots.plot_coverage(*metrics.coverage_curve(scores, labels)),
    }
    if decided.any():
        people = predictions.people_scores[decided]
        figures["people_coverage"] = plots.plot_coverage(*metrics.coverage_curve(people, majority[decided]))
        figures["people_confusion"] = plots.plot_confusion(
            metrics.confusion_matrix(people, majority[decided]), names, normalized=True
        )
    classes = [
        (name, scores[:, number], labels == number)
        for number, name in enumerate(names)
        if values["per_class"][name]["auc"] is not None
    ]
    if classes:
        every = metrics.micro_average(scores, labels)
        rocs = [
            *(plots.PlotCurve(name, *metrics.roc_curve(*each), metrics.roc_auc(*each)) for name, *each in classes),
            plots.PlotCurve("all classes (micro)", *metrics.roc_curve(*every), metrics.roc_auc(*every), True),
            plots.PlotCurve("mean of classes (macro)", *metrics.macro_roc(scores, labels), values["auc_macro"], True),
        ]
        figures["roc"] = plots.plot_roc(rocs)
        figures["precision_recall"] = plots.plot_precision_recall(
            [
                plots.PlotCurve(name, *metrics.precision_recall_curve(*each), metrics.average_precision(*each))
                for name, *each in classes
            ]
        )
    return figures


def worst_mistakes(predictions: Predictions, count: int = MAX_MISTAKES) -> list[plots.Mistake]:
    """The wrong predictions with the highest confidence, the highest first."""
    scores, labels, names = predictions.scores, predictions.faces.labels, predictions.card.labels
    predicted = scores.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-scores[wrong].max(1), kind="stable")][:count]
    return [
        plots.Mistake(
            predictions.faces.pixels[index],
            names[labels[index]],
            names[predicted[index]],
            float(scores[index].max()),
            float(scores[index, labels[index]]),
            predictions.faces.votes_of(int(index)),
        )
        for index in order
    ]


def format_predictions(predictions: Predictions) -> str:
    """CSV with one row per face: its index in the data (from 0), label, prediction, and the score of each label.

    The prediction and the scores are those of the target ``label``; ``people`` is the prediction of the other target,
    and ``majority`` what at least half of the annotators chose, empty without it.
    """
    names = predictions.card.labels
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["index", "label", "prediction", "majority", "people", *names])
    faces, people = predictions.faces, predictions.people_scores.argmax(1)
    columns = (predictions.indices, faces.labels, faces.majority_labels(metrics.MAJORITY), people, predictions.scores)
    for index, label, majority, people_label, scores in zip(*columns, strict=True):
        chosen = names[majority] if majority >= 0 else ""
        values = (f"{score:.6f}" for score in scores)
        rows.writerow([index, names[label], names[scores.argmax()], chosen, names[people_label], *values])
    return text.getvalue()
