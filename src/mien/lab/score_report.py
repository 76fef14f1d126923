"""The figures of an evaluation as text for a terminal and a mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Metrics = Mapping[str, Any]


def report(metrics: Metrics) -> str:
    """The classification report and the figures below it; no line is longer than 80 cells."""
    return "\n".join([title(metrics), "", *_classes(metrics), "", *_figures(metrics), *_remarks(metrics)]) + "\n"


def title(metrics: Metrics) -> str:
    """``base on the public split: 3,589 faces``."""
    return f"{metrics['model']['name']} on the {metrics['split']} split: {metrics['faces']:,} faces"


def percent(value: float | None, digits: int = 1) -> str:
    """``70.1 %``; a dash for what could not be measured."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


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
