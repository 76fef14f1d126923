"""The audit folder: figures, drawings and the page, each file whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien import plots
from mien.lab.audit import Audited
from mien.lab.audit_page import render_map_audit
from mien.lab.audit_verdict import MOST_LIKENESS, beaten
from mien.lab.sheet import written
from mien.plots import maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES, PAGE = "audit.json", "audit.html"


def write(folder: Path, found: Audited) -> list[Path]:
    """Every file of the audit; the last is the page that holds it all."""
    drawn = drawings(found.figures)
    files = {f"{name}.png": plots.png(figure) for name, figure in drawn.items()}
    files[FIGURES] = (json.dumps(found.figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    inside = {name: plots.svg(figure, name.replace("_", " ")) for name, figure in drawn.items()}
    files[PAGE] = render_map_audit(found.figures, inside, found.examples).encode()
    return [written(folder / name, content) for name, content in files.items()]


def drawings(figures: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name."""
    away, back = (
        [{name: told["curves"][curve] for name, told in figures[key].items()} for key in ("methods", "baselines")]
        for curve in ("deletion", "insertion")
    )
    stages = {name: told["shuffled"] for name, told in figures["methods"].items()}
    layers = [stage["layer"] for stage in next(iter(stages.values()))]
    likeness = {name: [stage["likeness"] for stage in each] for name, each in stages.items()}
    return {
        "taken_away": maps.taken_away(*away),
        "brought_back": maps.brought_back(*back),
        "shuffles": maps.shuffles(layers, likeness, MOST_LIKENESS),
        "agreement": maps.agreement(figures["agreement"]),
    }


def text(figures: Mapping[str, Any]) -> str:
    """The audit in a few lines."""
    lines = [figures["verdict"], ""]
    width = max(map(len, [*figures["methods"], *figures["baselines"]]))
    lines.append(f"{'':{width}}  deletion  insertion  beats")
    for name, told in (figures["methods"] | figures["baselines"]).items():
        beats = (", ".join(beaten(told)) or "none") if "against" in told else ""
        lines.append(f"{name:{width}}  {told['deletion'][0]:8.3f}  {told['insertion'][0]:9.3f}  {beats}".rstrip())
    lines += ["", *(f"{name}: {told['verdict']}" for name, told in figures["methods"].items())]
    return "\n".join(lines) + "\n"


def for_card(figures: Mapping[str, Any]) -> dict[str, Any]:
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
            "beats": ", ".join(beaten(told)),
            "noise": told["stability"][0],
            "shuffled": told["shuffled"][-1]["likeness"],
        }
    return row
