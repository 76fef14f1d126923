"""The evaluation folder: figures, answers, report and page of one model on one split, each file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien import plots
from mien.errors import OutputError
from mien.files import write_atomically
from mien.lab import scores
from mien.lab.data import ANSWERS, Faces
from mien.lab.evaluate import Answers
from mien.lab.score_page import render_evaluation_report
from mien.lab.score_report import report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS, TABLE, PAGE, REPORT = "metrics.json", "answers.csv", "evaluation.html", "report.txt"

#: How many mistakes a sheet shows.
WORST = 24


@contextmanager
def place(folder: Path) -> Iterator[None]:
    """The folder is there and can be written to, before anybody waits for an evaluation; left empty, it goes again."""
    before = folder.exists()
    _try(folder)
    try:
        yield
    finally:
        if not before and not any(folder.iterdir()):
            folder.rmdir()


def write(folder: Path, found: Answers, metrics: Mapping[str, Any]) -> list[Path]:
    """Every file of the evaluation; the last is the page that holds it all."""
    drawn = drawings(found, metrics)
    worst = worst_mistakes(found)
    sheet = {"mistakes": plots.mistakes(worst)} if worst else {}
    files = {f"{name}.png": plots.png(figure) for name, figure in (drawn | sheet).items()}
    figures = {name: plots.svg(figure, name.replace("_", " ")) for name, figure in drawn.items()}
    files[TABLE] = table(found).encode()
    files[REPORT] = report(metrics).encode()
    files[METRICS] = (json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    files[PAGE] = render_evaluation_report(metrics, figures, worst).encode()
    return [written(folder / name, content) for name, content in files.items()]


def drawings(found: Answers, metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name, without the sheet of mistakes."""
    shares, labels, names = found.shares, found.faces.labels, found.card.labels
    counts = scores.confusion(shares, labels)
    there = [(number, name) for number, name in enumerate(names) if metrics["per_class"][name]["auc"] is not None]
    certain, right, _ = scores.reliability(shares, labels)
    drawn = {
        "confusion": plots.confusion(counts, names),
        "confusion_shares": plots.confusion(counts, names, shares=True),
        "reliability": plots.reliability(certain, right, metrics["ece"], shares.max(1)),
        "coverage": plots.coverage(*scores.coverage_curve(shares, labels)),
    }
    if there:
        drawn["roc"] = plots.roc([*_rocs(found, there), *_mean_rocs(found, metrics)])
        drawn["precision_recall"] = plots.precision_recall(_precisions(found, there))
    return drawn


def worst_mistakes(found: Answers, count: int = WORST) -> list[plots.Mistake]:
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
            votes=said(found.faces, int(place)),
        )
        for place in order
    ]


def said(faces: Faces, place: int) -> dict[str, int]:
    """What people answered about one face, by answer; empty where nobody was asked."""
    words = (*ANSWERS[:-1], "no face")
    return {word: int(count) for word, count in zip(words, faces.votes[place], strict=True) if count}


def table(found: Answers) -> str:
    """One row a face: where it stands in the data (from 0), its label, the answer, and every share."""
    names = found.card.labels
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["place", "label", "answer", *names])
    for place, label, shares in zip(found.places, found.faces.labels, found.shares, strict=True):
        rows.writerow([place, names[label], names[shares.argmax()], *(f"{share:.6f}" for share in shares)])
    return text.getvalue()


def _rocs(found: Answers, there: list[tuple[int, str]]) -> list[plots.Curve]:
    pairs = [(name, found.shares[:, number], found.faces.labels == number) for number, name in there]
    return [plots.Curve(name, *scores.roc_curve(*pair), scores.area(*pair)) for name, *pair in pairs]


def _mean_rocs(found: Answers, metrics: Mapping[str, Any]) -> list[plots.Curve]:
    every = scores.micro(found.shares, found.faces.labels)
    micro = plots.Curve("all answers (micro)", *scores.roc_curve(*every), scores.area(*every), True)
    macro = scores.macro_roc(found.shares, found.faces.labels)
    return [micro, plots.Curve("mean of classes (macro)", *macro, metrics["auc_macro"], True)]


def _precisions(found: Answers, there: list[tuple[int, str]]) -> list[plots.Curve]:
    pairs = [(name, found.shares[:, number], found.faces.labels == number) for number, name in there]
    return [
        plots.Curve(name, *scores.precision_recall_curve(*pair), scores.average_precision(*pair))
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


def written(path: Path, content: bytes) -> Path:
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
