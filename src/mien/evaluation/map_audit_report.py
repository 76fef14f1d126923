"""The HTML page of a map audit: values for the template ``map_audit.html``."""

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


#: The side of a face and of its map, in pixels.
_SIDE = 96


def render_map_audit(audit: Mapping[str, Any], figures: Mapping[str, str], examples: Sequence[AuditExample]) -> str:
    """The page. ``audit`` are the numbers of the audit, ``figures`` ``<svg>`` elements by name."""
    return render(
        "map_audit.html",
        audit=audit,
        figures=figures,
        methods=[
            {"name": name, "beaten": beaten_baselines(values), **values} for name, values in audit["methods"].items()
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
    large = cv2.resize(np.maximum(values, 0), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    opacity = 0.35 + 0.45 * (large / max(float(large.max()), 1e-9))[..., None]
    return np.rint(face * (1 - opacity) + apply_colours(large, "ember") * opacity).astype(np.uint8)


def _jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    return data_uri(encode_image(pixels, "jpeg"), "image/jpeg")


# ==== mien.lab.audit_sheet
# The audit folder: figures, drawings and the page, each file whole or not at all.

JSON_FILE, PAGE = "audit.json", "audit.html"


def write_audit(folder: Path, found: MapAudit) -> list[Path]:
    """Every file of the audit; the last is the page that holds it all."""
    drawn = plot_audit(found.figures)
    files = {f"{name}.png": plots.render_png(figure) for name, figure in drawn.items()}
    files[JSON_FILE] = (json.dumps(found.figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    inside = {name: plots.render_svg(figure, name.replace("_", " ")) for name, figure in drawn.items()}
    files[PAGE] = render_map_audit(found.figures, inside, found.examples).encode()
    return [write_file(folder / name, content) for name, content in files.items()]


def plot_audit(figures: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name."""
    away, back = (
        [{name: told["curves"][curve] for name, told in figures[key].items()} for key in ("methods", "baselines")]
        for curve in ("deletion", "insertion")
    )
    stages = {name: told["shuffled"] for name, told in figures["methods"].items()}
    layers = [stage["layer"] for stage in next(iter(stages.values()))]
    likeness = {name: [stage["likeness"] for stage in each] for name, each in stages.items()}
    return {
        "taken_away": map_audit.plot_deletion(*away),
        "brought_back": map_audit.plot_insertion(*back),
        "shuffles": map_audit.plot_weight_randomization(layers, likeness, MAX_SIMILARITY),
        "agreement": map_audit.plot_agreement(figures["agreement"]),
    }


def format_audit(figures: Mapping[str, Any]) -> str:
    """The audit in a few lines."""
    lines = [figures["verdict"], ""]
    width = max(map(len, [*figures["methods"], *figures["baselines"]]))
    lines.append(f"{'':{width}}  deletion  insertion  beats")
    for name, told in (figures["methods"] | figures["baselines"]).items():
        beats = (", ".join(beaten_baselines(told)) or "none") if "against" in told else ""
        lines.append(f"{name:{width}}  {told['deletion'][0]:8.3f}  {told['insertion'][0]:9.3f}  {beats}".rstrip())
    lines += ["", *(f"{name}: {told['verdict']}" for name, told in figures["methods"].items())]
    return "\n".join(lines) + "\n"


def card_values(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's card says of its maps: one row for each method and baseline."""
    rows = figures["methods"] | figures["baselines"]
    return {
        "faces": figures["faces"],
        "split": figures.get("split", ""),
        "verdict": figures["verdict"],
        "default": figures["default"],
        **{name: _row(told) for name, told in rows.items()},
    }


def _row(told: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {curve: told[curve] for curve in ("deletion", "insertion")}
    if "against" in told:
        row |= {
            "standing": told["standing"],
            "beats": ", ".join(beaten_baselines(told)),
            "noise": told["stability"][0],
            "shuffled": told["shuffled"][-1]["likeness"],
        }
    return row
