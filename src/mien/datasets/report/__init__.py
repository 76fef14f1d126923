"""The data report: what is in a set of faces, what is wrong with it, and what people say of it.

::

    numbers.py    what is counted and measured
    people.py     the votes of FER+ against the labels
    space.py      faces as points: the maps, the axes, the nearest mean
    figures.py    drawn from those numbers, in the style of all figures
    sheets.py     sheets of faces
    page.py       one HTML page that holds it all
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mien import plots
from mien.datasets.checks import CheckResult, check_dataset
from mien.datasets.dataset import LoadedDataset
from mien.datasets.report import figures, statistics
from mien.datasets.report import figures as sheets
from mien.datasets.report.page import render_data_report
from mien.datasets.report.statistics import DatasetStatistics, PixelMap, PredictionMap, VoteStatistics, measure_dataset

PAGE, TABLE = "report.html", "report.json"
#: Told what is being done, for the person who waits.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class DatasetReport:
    """Everything that is known of a source. ``votes`` is None where nobody was asked."""

    checked: CheckResult
    numbers: DatasetStatistics
    votes: VoteStatistics | None
    space: PixelMap
    sight: PredictionMap

    @property
    def source(self) -> LoadedDataset:
        return self.checked.source

    def to_dict(self) -> dict[str, Any]:
        told = self.checked.to_dict() | self.numbers.to_dict() | {"map": self.space.to_dict()}
        told["embedded_model"] = {"split": self.sight.usage, "faces": len(self.sight.places), "right": self.sight.right}
        return told if self.votes is None else told | {"people": self.votes.to_dict()}


def analyze_dataset(source: LoadedDataset, tell: Tell = lambda _: None) -> DatasetReport:
    """Look at everything; half a minute for the whole of FER2013."""
    tell("checking")
    checked = check_dataset(source)
    tell("measuring")
    votes = statistics.measure_votes(source.faces) if source.faces.votes.any() else None
    numbers, places = measure_dataset(source.faces), statistics.map_pixels(source.faces)
    tell("letting the embedded model look")
    return DatasetReport(checked, numbers, votes, places, statistics.map_predictions(source.faces))


def write_report(report: DatasetReport, folder: str | Path, tell: Tell = lambda _: None) -> list[Path]:
    """``report.html``, ``report.json`` and a PNG for every figure, in that folder; what was written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn, written = {}, []
    for name, figure in _figures(report):
        tell(f"drawing {name}")
        drawn[name] = plots.render_svg(figure, name.replace("_", " "))
        written.append(_kept(folder / f"{name}.png", plots.render_png(figure)))
    for name, pixels in _sheets(report):
        written.append(_kept(folder / f"{name}.png", sheets.encode_png(pixels)))
    told = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    written.append(_kept(folder / TABLE, told.encode()))
    return [_kept(folder / PAGE, render_data_report(report, drawn).encode()), *written]


def _figures(report: DatasetReport) -> Iterator[tuple[str, Figure]]:
    numbers, source = report.numbers, report.source
    yield "classes", figures.plot_class_counts(numbers.counts)
    yield "means", figures.plot_mean_faces(numbers)
    yield "light", figures.plot_brightness_contrast(numbers, source.faces.labels)
    yield "axes", figures.plot_axes(report.space)
    yield "map", figures.plot_pixel_map(report.space)
    yield "map_of_answers", figures.plot_prediction_map(report.sight)
    if report.votes is not None:
        yield "people", figures.plot_votes(report.votes)


def _sheets(report: DatasetReport) -> Iterator[tuple[str, sheets.Sheet]]:
    faces = report.source.faces
    yield "samples", sheets.draw_samples(faces)
    yield "map_of_faces", sheets.draw_face_map(faces.pixels[report.space.places], report.space.points)
    if pairs := report.numbers.pairs:
        yield "twins", sheets.draw_rows([faces.pixels[[pair.one, pair.other]] for pair in pairs], columns=6)
    if report.votes is not None:
        yield "disagreement", sheets.draw_rows([faces.pixels[[place]] for place in report.votes.torn], columns=8)


def _kept(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
