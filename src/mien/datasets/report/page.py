"""The HTML page of a data report: values for the template ``data_report.html``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.checks import count_training_duplicates
from mien.datasets.report import figures as sheets
from mien.datasets.report.statistics import DatasetReport, VoteStatistics
from mien.html import data_uri, render
from mien.labels import EMOTIONS, VOTES, label_colour

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


def render_data_report(report: DatasetReport, figures: Mapping[str, str]) -> str:
    """The page. ``figures`` are ``<svg>`` elements by name."""
    loaded, statistics = report.loaded, report.statistics
    pixel_map, predictions = report.pixel_map, report.prediction_map
    baseline = None
    if pixel_map.nearest_mean is not None and pixel_map.majority_class is not None:
        baseline = {"nearest_mean": pixel_map.nearest_mean, "largest_class": pixel_map.majority_class}
    return render(
        "data_report.html",
        figures=figures,
        name=loaded.path.name,
        face_count=len(loaded),
        source_kind=_KINDS[loaded.kind],
        remarks=loaded.remarks,
        splits=list(statistics.counts),
        balance=_class_balance(statistics.counts),
        test_splits=list(_test_splits(report)),
        baseline=baseline,
        classes=list(_class_rows(report)),
        samples=list(_samples(report)),
        duplicates={
            "count": statistics.duplicates,
            "near_count": statistics.near_duplicates,
            "exact": _duplicate_pairs(report, exact=True),
            "near": _duplicate_pairs(report, exact=False),
        },
        votes=None if report.votes is None else _vote_values(report, report.votes),
        pca={
            "face_count": len(pixel_map.indices),
            "explained": float(pixel_map.explained[:2].sum()),
            "image": _gray_image(sheets.draw_face_map(loaded.faces.pixels[pixel_map.indices], pixel_map.points), 1),
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


def _class_rows(report: DatasetReport) -> Iterator[dict[str, Any]]:
    for index, label in enumerate(EMOTIONS):
        counts = [row[index] for row in report.statistics.counts.values()]
        share = sum(counts) / max(len(report.loaded), 1)
        yield {"label": label, "counts": counts, "share": share, "weight": report.statistics.weights[index]}


def _samples(report: DatasetReport) -> Iterator[dict[str, Any]]:
    faces = report.loaded.faces
    for index, label in enumerate(EMOTIONS):
        pixels = faces.pixels[sheets.sample_class(faces, index)]
        if len(pixels):
            yield {"label": label, "count": len(pixels), "image": _gray_image(sheets.draw_strip(pixels), 1)}


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
    return data_uri(sheets.encode_png(pixels.astype(np.int16), scale))
