"""The report of a map audit: JSON, text, figures, an HTML page, and the values for a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import plots
from mien.evaluation.map_audit import MAX_SIMILARITY, AuditExample, MapAudit, beaten_baselines
from mien.evaluation.report import write_file
from mien.explain.figures.colormaps import apply_colours
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.plots import map_audit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JSON_FILE, PAGE = "audit.json", "audit.html"

#: The side of a face and of its map in pixels.
_SIDE = 96


def write_audit(folder: Path, audit: MapAudit) -> list[Path]:
    """Write every file of the audit; the paths, the page with everything last."""
    figures = plot_audit(audit.values)
    files = {f"{name}.png": plots.render_png(figure) for name, figure in figures.items()}
    files[JSON_FILE] = (json.dumps(audit.values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    svgs = {name: plots.render_svg(figure, name.replace("_", " ")) for name, figure in figures.items()}
    files[PAGE] = render_map_audit(audit.values, svgs, audit.examples).encode()
    return [write_file(folder / name, content) for name, content in files.items()]


def render_map_audit(values: Mapping[str, Any], figures: Mapping[str, str], examples: Sequence[AuditExample]) -> str:
    """The page. ``values`` are the results of the audit, ``figures`` ``<svg>`` elements by name."""
    return render(
        "map_audit.html",
        audit=values,
        figures=figures,
        methods=[
            {"name": name, "beaten": beaten_baselines(result), **result} for name, result in values["methods"].items()
        ],
        examples=[_example_values(example) for example in examples],
    )


def _example_values(example: AuditExample) -> dict[str, Any]:
    face = np.repeat(example.face, 3, axis=2) if example.face.shape[2] == 1 else example.face
    face = np.asarray(cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    return {
        "target": example.target,
        "image": _jpeg_uri(face),
        "maps": [
            {"method": method, "image": _jpeg_uri(_overlay(face, values))} for method, values in example.maps.items()
        ],
    }


def _overlay(face: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours of a map over the gray face; the larger the value, the less of the face."""
    resized = cv2.resize(np.maximum(values, 0), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    large = np.asarray(resized, np.float32)
    opacity = 0.35 + 0.45 * (large / max(float(large.max()), 1e-9))[..., None]
    colours = np.asarray(apply_colours(large, "ember"), np.float32)
    return np.asarray(np.rint(face * (1 - opacity) + colours * opacity), np.uint8)


def _jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    return data_uri(encode_image(pixels, "jpeg"), "image/jpeg")


def plot_audit(values: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name."""
    deletion, insertion = (
        [{name: result["curves"][curve] for name, result in values[key].items()} for key in ("methods", "baselines")]
        for curve in ("deletion", "insertion")
    )
    stages = {name: result["weight_randomization"] for name, result in values["methods"].items()}
    layers = [stage["layer"] for stage in next(iter(stages.values()))]
    similarity = {name: [stage["similarity"] for stage in each] for name, each in stages.items()}
    return {
        "deletion": map_audit.plot_deletion(*deletion),
        "insertion": map_audit.plot_insertion(*insertion),
        "weight_randomization": map_audit.plot_weight_randomization(layers, similarity, MAX_SIMILARITY),
        "agreement": map_audit.plot_agreement(values["agreement"]),
    }


def format_audit(values: Mapping[str, Any]) -> str:
    """The results in a few lines of text."""
    lines = [values["summary"], ""]
    width = max(map(len, [*values["methods"], *values["baselines"]]))
    lines.append(f"{'':{width}}  deletion  insertion  better than")
    for name, result in (values["methods"] | values["baselines"]).items():
        beaten = (", ".join(beaten_baselines(result)) or "none") if "against" in result else ""
        lines.append(f"{name:{width}}  {result['deletion'][0]:8.3f}  {result['insertion'][0]:9.3f}  {beaten}".rstrip())
    lines += ["", *(f"{name}: {result['summary']}" for name, result in values["methods"].items())]
    return "\n".join(lines) + "\n"


def card_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a model card has of an audit: its summary, and a row for each method and baseline."""
    rows: dict[str, dict[str, Any]] = {}
    for name, result in (values["methods"] | values["baselines"]).items():
        rows[name] = {curve: result[curve] for curve in ("deletion", "insertion")}
        if "against" in result:
            rows[name] |= {
                "verdict": result["verdict"],
                "beats": ", ".join(beaten_baselines(result)),
                "stability": result["stability"][0],
                "weight_randomization": result["weight_randomization"][-1]["similarity"],
            }
    return {
        "faces": values["faces"],
        "split": values.get("split", ""),
        "summary": values["summary"],
        "default": values["default"],
        **rows,
    }
