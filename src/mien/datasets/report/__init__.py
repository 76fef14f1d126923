"""The data report: one HTML page, PNG figures and a JSON file of what is in a data set and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien import plots
from mien.datasets.checks import check_dataset, count_training_duplicates
from mien.datasets.dataset import LoadedDataset
from mien.datasets.report import figures, statistics
from mien.datasets.report.statistics import DatasetReport, VoteStatistics
from mien.html import data_uri, render
from mien.labels import EMOTIONS, VOTES, label_colour

PAGE, TABLE = "report.html", "report.json"
#: Called with what is being done, as text.
Notify = Callable[[str], None]


def analyze_dataset(loaded: LoadedDataset, notify: Notify = lambda _: None) -> DatasetReport:
    """Check and measure everything; half a minute for the whole of FER2013."""
    faces = loaded.faces
    notify("checking")
    checked = check_dataset(loaded)
    notify("measuring")
    votes = statistics.measure_votes(faces) if faces.votes.any() else None
    measured, pixel_map = statistics.measure_dataset(faces), statistics.map_pixels(faces)
    notify("predicting with the embedded model")
    return DatasetReport(checked, measured, votes, pixel_map, statistics.map_predictions(faces))


def write_report(report: DatasetReport, folder: str | Path, notify: Notify = lambda _: None) -> list[Path]:
    """Write ``report.html``, ``report.json`` and a PNG for every figure into the folder; the paths, the page first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    synthetic = report.loaded.faces.synthetic
    svgs: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, figure in _plot_figures(report):
        notify(f"drawing {name}")
        svgs[name] = plots.render_svg(figure, name.replace("_", " "), synthetic=synthetic)
        files[f"{name}.png"] = plots.render_png(figure, synthetic=synthetic)
    for name, pixels in _draw_sheets(report):
        files[f"{name}.png"] = figures.encode_png(pixels)
    files[TABLE] = json.dumps(report.to_dict(), ensure_ascii=False, indent=1).encode()
    files = {PAGE: render_data_report(report, svgs).encode(), **files}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _plot_figures(report: DatasetReport) -> Iterator[tuple[str, Figure]]:
    measured = report.statistics
    yield "classes", figures.plot_class_counts(measured.counts)
    yield "means", figures.plot_mean_faces(measured)
    yield "brightness", figures.plot_brightness_contrast(measured, report.loaded.faces.labels)
    yield "pca_axes", figures.plot_axes(report.pixel_map)
    yield "pca", figures.plot_pixel_map(report.pixel_map)
    yield "predictions", figures.plot_prediction_map(report.prediction_map)
    if report.votes is not None:
        yield "votes", figures.plot_votes(report.votes)


def _draw_sheets(report: DatasetReport) -> Iterator[tuple[str, figures.Sheet]]:
    faces, pixel_map = report.loaded.faces, report.pixel_map
    yield "samples", figures.draw_samples(faces)
    yield "pca_faces", figures.draw_face_map(faces.pixels[pixel_map.indices], pixel_map.points)
    if pairs := report.statistics.pairs:
        yield "duplicates", figures.draw_rows([faces.pixels[[pair.first, pair.second]] for pair in pairs], columns=6)
    if report.votes is not None:
        yield "ambiguous", figures.draw_rows([faces.pixels[[index]] for index in report.votes.ambiguous], columns=8)


#: What a finding means, by its kind.
FINDING_MEANINGS = {
    "truncated": "the file ends in the middle of a row: the copy or the download is incomplete",
    "columns": "rows with fewer cells than the header",
    "pixel count": "rows without exactly 48 x 48 = 2304 pixels",
    "not numbers": "rows with pixels that are not whole numbers",
    "pixel range": "rows with pixels above 255",
    "label": "rows with a label that is none of the seven expressions",
    "folder": "folders with a name that is none of the seven expressions",
    "votes": "FER+ votes that could not be matched with the faces",
    "unreadable": "images that could not be opened",
    "split": "faces in a split that FER2013 does not have",
    "missing split": "a split without faces",
    "empty class": "an expression without a face in one of the splits",
    "blank": "faces with the same value in all pixels",
    "duplicate": "the same image more than once in one split: it counts double",
    "duplicate across splits": "a test image that is also in the training split: the test result is too good",
    "conflicting labels": "one image with two labels: at least one of them is wrong",
    "near-duplicate": "the same photograph in one split, with another compression, brightness or crop",
    "near-duplicate across splits": "the same photograph in training and test, with another compression, brightness "
    "or crop",
    "label order": "numeric labels that do not follow FER2013's order",
}

_KINDS = {"table": "table", "folders": "folder of images", "arrays": "file of arrays"}


def render_data_report(report: DatasetReport, svgs: Mapping[str, str]) -> str:
    """The page. ``svgs`` are ``<svg>`` elements by name."""
    loaded, measured = report.loaded, report.statistics
    pixel_map, predictions = report.pixel_map, report.prediction_map
    baseline = None
    if pixel_map.nearest_mean is not None and pixel_map.majority_class is not None:
        baseline = {"nearest_mean": pixel_map.nearest_mean, "largest_class": pixel_map.majority_class}
    return render(
        "data_report.html",
        figures=svgs,
        name=loaded.path.name,
        face_count=len(loaded),
        synthetic=loaded.faces.synthetic,
        source_kind=_KINDS[loaded.kind],
        remarks=loaded.remarks,
        splits=list(measured.counts),
        balance=_class_balance(measured.counts),
        test_splits=list(_test_splits(report)),
        baseline=baseline,
        classes=[
            {"label": label, "counts": counts, "share": sum(counts) / max(len(loaded), 1), "weight": weight}
            for label, weight, *counts in zip(EMOTIONS, measured.weights, *measured.counts.values(), strict=True)
        ],
        samples=[
            {"label": EMOTIONS[label], "count": len(pixels), "image": _gray_image(figures.draw_strip(pixels), 1)}
            for label, pixels in figures.sample_classes(loaded.faces)
        ],
        duplicates={
            "count": measured.duplicates,
            "near_count": measured.near_duplicates,
            "exact": _duplicate_pairs(report, exact=True),
            "near": _duplicate_pairs(report, exact=False),
        },
        votes=None if report.votes is None else _vote_values(report, report.votes),
        pca={
            "face_count": len(pixel_map.indices),
            "explained": float(pixel_map.explained[:2].sum()),
            "image": _gray_image(figures.draw_face_map(loaded.faces.pixels[pixel_map.indices], pixel_map.points), 1),
        },
        predictions={
            "face_count": len(predictions.indices),
            "split": predictions.usage,
            "accuracy": predictions.accuracy,
        },
        findings=[
            {
                "kind": kind,
                "count": len(findings),
                "meaning": FINDING_MEANINGS.get(kind, ""),
                "where": findings[0].where,
                "reason": findings[0].reason,
            }
            for kind, findings in report.checked.by_kind().items()
        ],
    )


def _class_balance(counts: Mapping[str, list[int]]) -> dict[str, str]:
    """The ratio of the largest to the smallest class, and their sizes."""
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    smallest, largest = min(totals), max(totals)
    labels = [EMOTIONS[totals.index(size)] for size in (largest, smallest)]
    sizes = f"{labels[0]} {largest:,}, {labels[1]} {smallest:,}"
    return {
        "ratio": f"{largest / smallest:.1f} : 1" if smallest else "a class is empty",
        "detail": sizes if labels[0] != labels[1] else f"{largest:,} faces each",
    }


def _test_splits(report: DatasetReport) -> Iterator[dict[str, Any]]:
    """For each split but Training, the share of its faces that are also in Training."""
    for split, count in count_training_duplicates(report.loaded.faces).items():
        detail = f"{count:,} pixel-identical faces; test results are too good" if count else "no pixel-identical face"
        yield {"name": split, "share": count / sum(report.statistics.counts[split]), "detail": detail}


def _duplicate_pairs(report: DatasetReport, *, exact: bool) -> list[dict[str, Any]]:
    return [
        {"faces": [_face_values(report, index) for index in (pair.first, pair.second)], "similarity": pair.similarity}
        for pair in report.statistics.pairs
        if (pair.similarity == 1) == exact
    ]


def _vote_values(report: DatasetReport, votes: VoteStatistics) -> dict[str, Any]:
    return {
        "agreement": votes.agreement,
        "face_count": votes.faces,
        "classes": [
            {"label": label, "agreement": agreement}
            for label, agreement in zip(EMOTIONS, votes.class_agreement, strict=True)
        ],
        "ambiguous": [_face_values(report, index) for index in votes.ambiguous],
        "contradicting": [_face_values(report, index) for index in votes.contradicting],
    }


def _face_values(report: DatasetReport, index: int) -> dict[str, Any]:
    faces = report.loaded.faces
    return {
        "label": EMOTIONS[faces.labels[index]],
        "place": report.loaded.location(index),
        "split": str(faces.usage[index]),
        "image": _gray_image(faces.pixels[index], 2),
        "votes": [
            {
                "answer": answer,
                "count": count,
                "colour": label_colour(answer) if answer in VOTES else "var(--muted)",
            }
            for answer, count in faces.votes_of(index).items()
        ],
    }


def _gray_image(pixels: NDArray[np.uint8] | NDArray[np.int16], scale: int) -> str:
    """A data URI of a PNG file in which each pixel is a square of ``scale`` pixels; negative pixels are transparent."""
    return data_uri(figures.encode_png(pixels.astype(np.int16), scale))
