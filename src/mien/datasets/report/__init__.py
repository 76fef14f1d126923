"""The data report: one HTML page, PNG figures and a JSON file of what is in a data set and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from matplotlib.figure import Figure

from mien import plots
from mien.datasets.checks import check_dataset
from mien.datasets.dataset import LoadedDataset
from mien.datasets.report import figures, statistics
from mien.datasets.report.page import render_data_report
from mien.datasets.report.statistics import DatasetReport

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
    svgs: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, figure in _plot_figures(report):
        notify(f"drawing {name}")
        svgs[name] = plots.render_svg(figure, name.replace("_", " "))
        files[f"{name}.png"] = plots.render_png(figure)
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
