"""Faithfulness of the evidence maps of the embedded models; writes results/audit.json, and a summary into their cards.

    python benchmarks/audit.py --data fer2013.csv                    every embedded model, 500 faces of PublicTest
    python benchmarks/audit.py --data fer2013.csv --models base      one of them
    python benchmarks/audit.py --cards                               only write the results into the cards

Nothing is fitted on PublicTest: the methods are measured, and the default method is the first trusted one. ``--cards``
rewrites the card inside each ``.onnx`` file and the checksums; it refuses the results of another network.
After a model was replaced, run it with ``--data``, ``--missing`` and ``--cards``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import _results
from _tables import Figures, format_table

from mien.models import ModelCard, available_models, resolve_model, write_card
from mien.models.checksums import WEIGHTS, read_checksums, write_checksums


def main() -> None:
    options = parse_arguments()
    figures = read_results()
    models = [
        name for name in options.models or read_checksums() if not (options.missing and is_current(name, figures))
    ]
    if options.data and models:
        figures |= measure(options.data, models, options.faces)
        print(f"written: {_results.write_result('audit', figures).name}")
    for name in read_checksums() if options.cards else ():
        write_into_card(name, figures)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", help="fer2013.csv, with fer2013new.csv in the same folder; without it nothing is measured"
    )
    parser.add_argument("--models", nargs="+", choices=available_models(), help="only these")
    parser.add_argument("--missing", action="store_true", help="only models whose network has not been audited")
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--cards", action="store_true", help="write the results into the cards of the embedded models")
    return parser.parse_args()


def measure(data: str, models: list[str], count: int) -> dict[str, Any]:
    from mien.datasets.loading import load_dataset
    from mien.evaluation.map_audit import audit_maps, format_audit, sample_faces

    pixels = sample_faces(load_dataset(data).faces, "public", count)
    figures = {}
    for name in models:
        audit = audit_maps(resolve_model(name), pixels, split="PublicTest", progress=print_progress).figures
        print(f"\n{format_audit(audit)}", file=sys.stderr)
        figures[name] = {**audit, "fingerprint": fingerprint(resolve_model(name).read_bytes())}
    return figures


def read_results() -> dict[str, Any]:
    """The results so far."""
    path = _results.RESULTS / "audit.json"
    before: dict[str, Any] = json.loads(path.read_text())["figures"] if path.exists() else {}
    return {name: figures for name, figures in before.items() if name in available_models()}


def fingerprint(model: bytes) -> str:
    """Identifies a network independently of its card."""
    card = ModelCard.read(model)
    return hashlib.sha256(write_card(model, ModelCard("any", card.labels))).hexdigest()


def is_current(name: str, figures: dict[str, Any]) -> bool:
    """Were the results measured on the network that is embedded under this name now?"""
    return bool(figures.get(name, {}).get("fingerprint") == fingerprint(resolve_model(name).read_bytes()))


def write_into_card(name: str, figures: dict[str, Any]) -> None:
    """Adds the audit to the metrics of the card; the rest of the file does not change."""
    from mien.evaluation.map_audit import card_values

    path = Path(WEIGHTS, f"{name}.onnx")
    if not is_current(name, figures):
        raise SystemExit(f"{name} is not the network that was audited: run this again with --data")
    model = path.read_bytes()
    card = ModelCard.read(model)
    updated = write_card(model, replace(card, metrics={**card.metrics, "maps": card_values(figures[name])}))
    if updated != model:  # an unchanged file is not written, so that results that depend on its date stay valid
        path.write_bytes(updated)
        write_checksums()
        print(f"written into the card of {name}")


def print_progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"\r{done:,} of {total:,}", end="", file=sys.stderr, flush=True)


def format_audit_table(figures: Figures) -> str:
    """Every method and baseline of every audited model."""
    header = [
        "map",
        "deletion, low is good",
        "insertion, high is good",
        "better than",
        "stability",
        "weight randomization",
        "verdict",
    ]
    rows = [format_row(model, name, row) for model, audit in figures.items() for name, row in list_maps(audit)]
    verdicts = "\n\n".join(audit["summary"] for audit in figures.values())
    return f"{format_table(header, rows)}\n\n{verdicts}"


def list_maps(audit: Figures) -> Iterator[tuple[str, Figures]]:
    yield from audit["methods"].items()
    yield from audit["baselines"].items()


def format_row(model: str, name: str, row: Figures) -> Sequence[str]:
    areas = ["{:.3f} ({:.3f} to {:.3f})".format(*row[curve]) for curve in ("deletion", "insertion")]
    if "against" not in row:
        return [f"{model}: {name}", *areas, "", "", "", ""]
    beats = [other for other, gain in row["against"].items() if all(low > 0 for _, low, _ in gain.values())]
    stability, last = row["stability"][0], row["weight_randomization"][-1]["similarity"]
    return [f"{model}: {name}", *areas, ", ".join(beats) or "none", f"{stability:.2f}", f"{last:.2f}", row["verdict"]]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "audit": ("audit", format_audit_table),
}


if __name__ == "__main__":
    main()
